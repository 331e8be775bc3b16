"""Harm on the recipient page: asked with the answer, and to be reported at once from every step, whatever else is open.

Any sign counts: a tick, a chosen outcome or a description. Whoever reports in a hurry describes nothing; the person
who is paged asks.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.reply_fields import SEVERITIES
from db.repositories.recipient_read import RecipientRecord, RecordedWords
from domain.harm import mentions_harm
from domain.notice_content import visible
from models.complaint import HarmSeverity
from models.harm import HarmStated
from models.replies import PageReply

REPORT: Final = "report_harm"
"""Button beside every step: report now, leave the answers as they are."""
_LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class HarmAnswer:
    """Somebody was, or may have been, harmed."""

    severity: str
    """One of `SEVERITIES`."""
    description: str | None

    def stated(self) -> HarmStated:
        """The report as it is recorded."""
        return HarmStated(
            severity=HarmSeverity(self.severity), description=self.description or "(no description given)"
        )


def harm_in(values: Mapping[str, str]) -> HarmAnswer | None:
    """The report of harm that comes with an answer, if there is one."""
    found = _read(values, "harm_severity", "harm_description")
    if values.get("harm") == "yes" or found.description or found.severity != SEVERITIES[0]:
        return found
    return None


def harm_now(form: Mapping[str, str], record: RecipientRecord, form_id: str, at: datetime) -> PageReply:
    """The report made by the button `report_harm`."""
    return report_of(_read(form, "now_severity", "now_description"), record, form_id, at)


def harm_beside(values: Mapping[str, str], recorded: RecordedWords | None) -> HarmAnswer | None:
    """Harm in a form that makes no answer (any more), except what its own answer on record says already."""
    remark, found = values.get("remark", ""), harm_in(values)
    if found is None and mentions_harm(remark) and not (recorded and recorded.has(remark)):
        found = HarmAnswer(SEVERITIES[0], remark)
    if found is None or recorded is None:
        return found
    stated = found.stated()
    return None if (stated.severity, stated.description) == (recorded.severity, recorded.description) else found


def report_of(found: HarmAnswer, record: RecipientRecord, form_id: str, at: datetime) -> PageReply:
    """A report beside the answer; the same content of the same form again is the same report."""
    content = hashlib.sha256(f"{found.severity}\n{found.description}".encode()).hexdigest()[:8]
    return PageReply(
        recall_number=record.number,
        consignee_id=record.consignee_id,
        delivery_id=record.delivery_id,
        at=at,
        form_id=f"{form_id}:{content}",
        harm=found.stated(),
    )


def _read(values: Mapping[str, str], severity: str, description: str) -> HarmAnswer:
    chosen = values.get(severity, "")
    text = visible(values.get(description, ""), _LONGEST)
    return HarmAnswer(chosen if chosen in SEVERITIES else SEVERITIES[0], text or None)


__all__ = ["REPORT", "HarmAnswer", "harm_beside", "harm_in", "harm_now", "report_of"]
