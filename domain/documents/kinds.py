"""Which document answers which obligation or gate, and the draft: a document with its head and its open fields.

The table is by jurisdiction and obligation id; an obligation nobody modelled gets the general report, one that owes a
record instead of a report gets the record. A draft is a pure function of the record and of what people stated.
"""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Final, Protocol, cast

from pydantic import BaseModel, ConfigDict, SerializeAsAny

from domain.documents import cn, eu, general, us_7, us_806
from domain.documents.form import (
    SCHEMA,
    Document,
    Explanation,
    FieldFault,
    Filled,
    Missing,
    checked,
    is_empty,
    open_fields,
    open_names,
)
from domain.documents.record import RecordView


class Kind(Protocol):
    """A concrete document: it fills itself from the record."""

    KIND: str
    VERSION: str

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """Values the record holds, and reasons for what it does not."""


KINDS: Final[Mapping[str, type[Document]]] = {
    each.KIND: each
    for each in (
        us_806.Report806,
        us_806.Amendment806,
        us_806.Record806,
        us_7.FirstInformation,
        us_7.StatusReport,
        us_7.TerminationRequest,
        us_7.PublicWarning,
        us_7.DeviceReport,
        eu.IncidentReport,
        eu.FscaInitial,
        eu.FscaFollowUp,
        eu.FscaFinal,
        eu.SafetyNotice,
        cn.EventForm,
        cn.AssessmentAndPlan,
        cn.Publication,
        cn.ProgressReport,
        cn.Summary,
        cn.AdverseEvent,
        general.RecallReport,
        general.KeptRecord,
    )
}
_OF: Final[Mapping[tuple[str, str], type[Document]]] = {
    ("us-fda", "regulator_report"): us_806.Report806,
    ("us-fda", "scope_extension_report"): us_806.Amendment806,
    ("us-fda", "correction_record"): us_806.Record806,
    ("us-fda", "regulator_first_contact"): us_7.FirstInformation,
    ("us-fda", "fda_informed"): us_7.FirstInformation,
    ("us-fda", "status_report"): us_7.StatusReport,
    ("us-fda", "closure"): us_7.TerminationRequest,
    ("us-fda", "public_warning"): us_7.PublicWarning,
    ("us-fda", "mdr_30_day"): us_7.DeviceReport,
    ("us-fda", "mdr_5_day"): us_7.DeviceReport,
    ("eu-mdr", "incident_report"): eu.IncidentReport,
    ("eu-mdr", "harm_report_death"): eu.IncidentReport,
    ("eu-mdr", "harm_report_serious"): eu.IncidentReport,
    ("eu-mdr", "fsca_initial"): eu.FscaInitial,
    ("eu-mdr", "fsca_report"): eu.FscaInitial,
    ("eu-mdr", "fsca_follow_up"): eu.FscaFollowUp,
    ("eu-mdr", "closure"): eu.FscaFinal,
    ("eu-mdr", "fsn_comments"): eu.SafetyNotice,
    ("cn-nmpa", "event_form"): cn.EventForm,
    ("cn-nmpa", "assessment_and_plan"): cn.AssessmentAndPlan,
    ("cn-nmpa", "publication"): cn.Publication,
    ("cn-nmpa", "progress"): cn.ProgressReport,
    ("cn-nmpa", "closure"): cn.Summary,
    ("cn-nmpa", "harm_report_death"): cn.AdverseEvent,
    ("cn-nmpa", "harm_report_serious"): cn.AdverseEvent,
}
_RECORDS: Final[Mapping[str, type[Document]]] = {"us-fda": us_806.Record806}


def kind_of(jurisdiction: str, obligation: str, *, record: bool = False) -> type[Document]:
    """The document for an obligation or gate; `record`: none is owed to anybody, a record is kept instead."""
    if record:
        return _RECORDS.get(jurisdiction, general.KeptRecord)
    return _OF.get((jurisdiction, obligation), general.RecallReport)


def language_of(jurisdiction: str) -> str:
    """Language an authority is written to in: Chinese for NMPA, else English."""
    return "zh-CN" if jurisdiction.startswith("cn-") else "en"


class Head(BaseModel):
    """What a document says of itself, before its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: str = SCHEMA
    kind: str
    model_version: str
    title: str
    title_zh: str
    law: str
    recall: str
    drill: bool
    jurisdiction: str
    authority: str
    authority_zh: str
    recipient: str | None
    obligation: str
    obligation_title: str
    obligation_title_zh: str
    policy: str
    language: str
    drafted_on: date
    firm: str
    fields_version: int = 0
    overruled: tuple[str, ...] = ()
    """Stated fields that the record holds by now: the record counts."""


class Draft(BaseModel):
    """A document with its head and with what is still open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: Head
    document: SerializeAsAny[Document]
    missing: tuple[Missing, ...]
    nothing: tuple[str, ...] = ()
    """Empty fields whose answer is: none."""

    @property
    def complete(self) -> bool:
        """Whether it may go out: nothing is missing without somebody's word on why and until when."""
        return all(each.explained for each in self.missing)


def draft(
    kind: type[Document],
    view: RecordView,
    supplied: Mapping[str, Any] | None = None,
    explanations: Mapping[str, Explanation] | None = None,
    fields_version: int = 0,
) -> Draft:
    """The document as the record and people's statements make it now."""
    found = cast("type[Kind]", kind).fill(view)
    stated = dict(supplied or {})
    values = {name: value for name, value in found.values.items() if not is_empty(value)}
    overruled = tuple(sorted(set(stated) & set(values)))
    values |= {name: checked(kind, name, value) for name, value in stated.items() if name not in values}
    document = kind.model_validate(values)
    head = Head(
        kind=kind.KIND,
        model_version=kind.VERSION,
        title=kind.TITLE,
        title_zh=kind.TITLE_ZH,
        law=kind.LAW,
        recall=view.number,
        drill=view.drill,
        jurisdiction=view.jurisdiction,
        authority=view.authority,
        authority_zh=view.authority_zh,
        recipient=view.owed.recipient,
        obligation=view.owed.name,
        obligation_title=view.owed.title,
        obligation_title_zh=view.owed.title_zh,
        policy=view.policy,
        language=language_of(view.jurisdiction),
        drafted_on=view.today,
        firm=view.firm.name,
        fields_version=fields_version,
        overruled=overruled,
    )
    return Draft(
        head=head,
        document=document,
        missing=open_fields(document, found, explanations or {}),
        nothing=tuple(sorted(name for name in found.nothing if is_empty(getattr(document, name)))),
    )


def check_fields(
    kind: type[Document], view: RecordView, supplied: Mapping[str, Any], explanations: Mapping[str, Explanation]
) -> list[FieldFault]:
    """What is wrong with a person's statements: unknown or filled fields, wrong types, explanations of nothing open."""
    found = cast("type[Kind]", kind).fill(view)
    held = {name: value for name, value in found.values.items() if not is_empty(value)}
    faults, values = [], dict(held)
    for name, value in supplied.items():
        if name in held:
            faults.append(FieldFault(name, "the record holds it; correct it there"))
            continue
        try:
            values[name] = checked(kind, name, value)
        except FieldFault as fault:
            faults.append(fault)
    if faults:
        return faults
    still_open = open_names(kind.model_validate(values), found.nothing)
    return [
        FieldFault(name, "is not missing; only missing fields are explained")
        for name in explanations
        if name not in still_open
    ]


def as_json(found: Draft) -> bytes:
    """The draft as UTF-8 JSON, the same bytes for the same draft."""
    body = found.model_dump(mode="json")
    body["head"] = {"schema": body["head"].pop("schema_"), **body["head"]}
    return (json.dumps(body, ensure_ascii=False, indent=2) + "\n").encode()


__all__ = ["KINDS", "Draft", "Head", "as_json", "check_fields", "draft", "kind_of", "language_of"]
