"""Every kind of document: complete from a rich record, every gap named from a poor one, nothing invented."""

from dataclasses import replace
from datetime import date

import pytest
from pydantic import ValidationError

from domain.documents.form import Document, Explanation, FieldFault, abouts, checked, columns, is_empty, row_type
from domain.documents.kinds import KINDS, as_json, check_fields, draft, kind_of, language_of
from domain.documents.us_806 import report_number
from domain.roles import Role
from tests.documents.factories import owed, poor, rich
from tests.domain.factories import POLICY_IDS, load_policy

pytestmark = pytest.mark.unit
SUBJECTS = {
    "us_806_report": "us-fda:regulator_report",
    "us_806_amendment": "us-fda:scope_extension_report",
    "us_806_20_record": "us-fda:correction_record",
    "us_first_information": "us-fda:regulator_first_contact",
    "us_status_report": "us-fda:status_report",
    "us_termination_request": "us-fda:closure",
    "us_public_warning": "us-fda:public_warning",
    "us_mdr": "us-fda:mdr_30_day",
    "eu_incident_report": "eu-mdr:incident_report",
    "eu_fsca_initial": "eu-mdr:fsca_initial",
    "eu_fsca_follow_up": "eu-mdr:fsca_follow_up",
    "eu_fsca_final": "eu-mdr:closure",
    "eu_fsn_draft": "eu-mdr:fsn_comments",
    "cn_event_form": "cn-nmpa:event_form",
    "cn_assessment_and_plan": "cn-nmpa:assessment_and_plan",
    "cn_publication": "cn-nmpa:publication",
    "cn_progress": "cn-nmpa:progress",
    "cn_summary": "cn-nmpa:closure",
    "cn_adverse_event": "cn-nmpa:harm_report_death",
    "recall_report": "ca-hc:closure",
    "kept_record": "eu-mdr:incident_report",
}
BY_HAND = {
    "us_806_report": {
        "responsible_person", "classification_name", "intended_use", "marketing_status", "device_listing",
        "consignee_addresses", "other_recipients",
    },
    "us_806_amendment": {
        "responsible_person", "classification_name", "intended_use", "marketing_status", "device_listing",
        "consignee_addresses", "other_recipients",
    },
    "us_806_20_record": {"classification_name", "intended_use"},
    "us_first_information": {"contact"},
    "us_status_report": {"estimated_completion"},
    "us_termination_request": set(),
    "us_public_warning": {"user_instructions"},
    "us_mdr": {"event_date"},
    "eu_incident_report": {"authorised_representative", "notified_body", "incident_date", "incident_place"},
    "eu_fsca_initial": {"authorised_representative", "contact_point", "notified_body", "advice", "schedule"},
    "eu_fsca_follow_up": {"authorised_representative", "contact_point", "notified_body", "advice", "schedule"},
    "eu_fsca_final": {"authorised_representative", "contact_point", "notified_body", "advice", "schedule"},
    "eu_fsn_draft": {"clinical_purpose", "patient_follow_up"},
    "cn_event_form": {"contact", "registration_certificate"},
    "cn_assessment_and_plan": {
        "contact", "registration_certificate", "conformity", "schedule", "publication", "expected_effect",
    },
    "cn_publication": {"contact", "registration_certificate"},
    "cn_progress": {"contact", "registration_certificate", "plan_changes"},
    "cn_summary": {"contact", "registration_certificate", "destruction_supervision"},
    "cn_adverse_event": {"contact", "registration_certificate", "event_date", "cause_analysis"},
    "recall_report": {"licence", "sponsor", "contact"},
    "kept_record": set(),
}  # fmt: skip
"""What no record of a recall holds, so that a person states it: everything else of each kind is filled."""


def test_the_list_of_subjects_covers_every_kind() -> None:
    assert set(SUBJECTS) == set(BY_HAND) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rich_record_fills_everything_but_what_no_record_holds(kind: str) -> None:
    found = draft(KINDS[kind], rich(SUBJECTS[kind]))
    assert {each.field for each in found.missing} == BY_HAND[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_stated_fields_complete_the_document(kind: str) -> None:
    stated = dict.fromkeys(BY_HAND[kind], "as regulatory affairs states it")
    found = draft(KINDS[kind], rich(SUBJECTS[kind]), stated, fields_version=1)
    assert found.missing == ()
    assert found.complete
    assert all(getattr(found.document, name) == "as regulatory affairs states it" for name in stated)


@pytest.mark.parametrize("kind", KINDS)
def test_each_open_field_is_named_with_who_owes_it_and_why(kind: str) -> None:
    found = draft(KINDS[kind], poor(SUBJECTS[kind]))
    known, named = abouts(KINDS[kind]), {each.field: each for each in found.missing}
    empty = {name for name in known if is_empty(getattr(found.document, name))}
    assert set(named) == empty - set(found.nothing)
    assert not found.complete
    for name, each in named.items():
        assert (each.place, each.title, each.title_zh) == (known[name].place, known[name].title, known[name].title_zh)
        assert each.owes in set(Role)
        assert each.why
        assert not each.explained


@pytest.mark.parametrize("kind", KINDS)
def test_the_json_is_what_the_published_schema_says(kind: str) -> None:
    import json

    found = draft(KINDS[kind], rich(SUBJECTS[kind]))
    body = json.loads(as_json(found))
    assert KINDS[kind].model_validate(body["document"]) == found.document
    assert (body["head"]["schema"], body["head"]["kind"]) == ("recall-document/1", kind)
    published = KINDS[kind].model_json_schema()["properties"]
    assert set(body["document"]) == set(published)
    assert all(each["description"] for each in published.values())


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_and_column_has_a_title_in_both_languages(kind: str) -> None:
    for name, about in abouts(KINDS[kind]).items():
        assert about.title
        assert any(ord(each) > 0x2E00 for each in about.title_zh) or about.title_zh == about.title
        row = row_type(KINDS[kind], name)
        assert all(each.title and each.title_zh for each in columns(row).values()) if row else True


@pytest.mark.parametrize("policy_id", POLICY_IDS)
def test_every_obligation_and_gate_of_every_policy_has_a_document(policy_id: str) -> None:
    policy = load_policy(policy_id)
    items = [*policy.obligations, *(item for level in policy.levels.values() for item in level.obligations)]
    owed = [(item.id, item.record_instead is not None) for item in items] + [(gate.id, False) for gate in policy.gates]
    for name, record in owed:
        kind = kind_of(policy_id, name)
        specific = policy_id in ("us-fda", "eu-mdr", "cn-nmpa")
        assert (kind.KIND != "recall_report") is specific or record, f"{policy_id}:{name} got {kind.KIND}"


def test_the_general_report_answers_what_nobody_modelled_and_a_record_is_kept_where_no_report_is_owed() -> None:
    assert kind_of("br-anvisa", "anything").KIND == "recall_report"
    assert kind_of("us-fda", "regulator_report", record=True).KIND == "us_806_20_record"
    assert kind_of("eu-mdr", "incident_report", record=True).KIND == "kept_record"
    assert (language_of("cn-nmpa"), language_of("us-fda")) == ("zh-CN", "en")


@pytest.mark.parametrize(
    ("registration", "action", "sequence", "number"),
    [
        ("3001234", "removal", 1, "3001234-11/20/26-001-R"),
        ("3001234", "correction", 12, "3001234-11/20/26-012-C"),
        (None, "removal", 1, "0000000-11/20/26-001-R"),
        ("3001234", "market_withdrawal", 1, None),
    ],
)
def test_the_number_of_an_806_report(registration: str | None, action: str, sequence: int, number: str | None) -> None:
    record = rich()
    lines = tuple(replace(each, market_action=action) for each in record.lines)
    firm = replace(record.firm, fda_registration=registration)
    assert report_number(replace(record, firm=firm, lines=lines, daily_sequence=sequence)) == number


def test_an_amendment_cites_the_original_and_lists_only_what_was_added() -> None:
    found = draft(KINDS["us_806_amendment"], rich("us-fda:scope_extension_report")).document.model_dump()
    assert found["original_report"] == "3001234-11/1/26-001-R"
    assert found["reason_for_extension"] == "A second lot shows the defect."
    assert [each["lot"] for each in found["lots"]] == ["A2"]
    assert {each["lot"] for each in found["consignees"]} == {"A2"}


def test_every_consignee_has_the_dates_and_quantities_of_each_shipment() -> None:
    found = draft(KINDS["us_806_report"], rich()).document.model_dump()
    assert len(found["consignees"]) == 3
    assert found["consignees"][0]["shipments"] == "2026-02-01: 12; 2026-03-01: 8"


def test_open_cells_of_a_table_are_counted_and_owed() -> None:
    record = rich()
    first, *rest = record.deliveries
    gap = replace(record, deliveries=(replace(first, phone=None, shipments=(), stated=True), *rest))
    named = {each.field: each for each in draft(KINDS["us_806_report"], gap).missing}
    assert named["consignees.phone"].title.endswith("(1/3)")
    assert named["consignees.phone"].owes == Role.QA
    assert "consignees.shipments" in named


def test_no_harm_on_record_is_an_answer_and_no_gap() -> None:
    found = draft(KINDS["us_806_report"], rich(harms=()))
    assert "harm_reports" in found.nothing
    assert "harm_reports" not in {each.field for each in found.missing}


def test_a_chinese_form_is_not_filled_with_another_language() -> None:
    record = rich("cn-nmpa:event_form", reason={"en": "False negative results"})
    found = draft(KINDS["cn_event_form"], record)
    [gap] = [each for each in found.missing if each.field == "reason"]
    assert gap.why == "the record holds it in en only, not in zh-CN"


def test_what_the_record_holds_wins_over_what_was_stated_earlier() -> None:
    found = draft(KINDS["us_806_report"], rich(), {"firm": "Another firm"})
    assert found.head.overruled == ("firm",)
    assert found.document.model_dump()["firm"] == "Firm"


def test_a_missing_field_may_go_out_explained() -> None:
    explained = {
        name: Explanation(reason="Being collected.", expected_on=date(2026, 12, 1)) for name in BY_HAND["us_806_report"]
    }
    found = draft(KINDS["us_806_report"], rich(), {}, explained)
    assert found.complete
    assert {(each.why, each.expected_on) for each in found.missing} == {("Being collected.", date(2026, 12, 1))}


@pytest.mark.parametrize("wrong", [{}, {"expected_on": "2026-12-01", "not_applicable": True}])
def test_an_explanation_says_when_or_that_the_question_does_not_arise(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="expected_on"):
        Explanation.model_validate({"reason": "x"} | wrong)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("nonsense", "x", "is no field"),
        ("firm", "Another", "the record holds it"),
        ("lots", "x", "is a table"),
        ("intended_use", 7, "string"),
        ("intended_use", "   ", "at least 1"),
    ],
)
def test_what_cannot_be_stated_is_refused_by_name(field: str, value: object, expected: str) -> None:
    record = rich() if field != "lots" else rich(lots=())
    [fault] = check_fields(KINDS["us_806_report"], record, {field: value}, {})
    assert fault.field == field
    assert expected in fault.message


def test_only_open_fields_are_explained() -> None:
    word = Explanation(reason="x", expected_on=date(2026, 12, 1))
    [fault] = check_fields(KINDS["us_806_report"], rich(), {}, {"firm": word})
    assert (fault.field, fault.message) == ("firm", "is not missing; only missing fields are explained")
    assert check_fields(KINDS["us_806_report"], rich(), {}, {"intended_use": word}) == []


def test_a_number_is_a_number() -> None:
    kind: type[Document] = KINDS["us_status_report"]
    assert checked(kind, "not_responded", 3) == 3
    with pytest.raises(FieldFault, match="integer"):
        checked(kind, "not_responded", "many")


def test_a_follow_up_knows_that_something_was_submitted_before() -> None:
    first = rich("eu-mdr:fsca_initial", owed=owed("eu-mdr:incident_report"))
    assert draft(KINDS["eu_incident_report"], first).document.model_dump()["report_type"] == "initial"
    again = replace(first, earlier=(replace(first.earlier[1], subject="eu-mdr:incident_report"),))
    assert draft(KINDS["eu_incident_report"], again).document.model_dump()["report_type"] == "follow-up"
