"""Workflow ids and update ids: the one module that builds and parses them (design §5).

A workflow id names a thing of the business, so that starting it twice finds the first. It carries
the recall number and internal ids only, never a name, an address or a phone number.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.quality_numbers import is_quality_number
from domain.recall_number import RecallNumber, RecallNumberError

_CONSIGNEE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OPERATION: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_INDEX: Final = re.compile(r"[1-9][0-9]{0,5}")


RETURNS_ID: Final = "returned-mail"
"""The one workflow that collects what comes back, of the whole installation; it belongs to no recall."""
QUALITY_ID: Final = "quality"
"""The one workflow that runs the timers of quality's files, of the whole installation."""


KEEPER_FEEDS_ID: Final = "keeper-feeds"
"""The one workflow that reads what changed at keepers of stock; it belongs to no recall."""


class WorkflowKind(StrEnum):
    """Which workflow an id names."""

    RECALL = "recall"
    CAMPAIGN = "campaign"
    CASE = "case"
    CAPA = "capa"
    DISPOSITION = "disposition"
    OBLIGATIONS = "obligations"


class WorkflowIdError(ValueError):
    """An id, or a part of one, that this product cannot have made."""


@dataclass(frozen=True, slots=True)
class WorkflowId:
    """A workflow id in parts: `index` for campaigns and CAPAs, `consignee` for cases."""

    kind: WorkflowKind
    recall_no: str
    index: int | None = None
    consignee: str | None = None


def _recall_no(recall_no: str) -> str:
    try:
        canonical = str(RecallNumber.parse(recall_no))
    except RecallNumberError as error:
        raise WorkflowIdError(str(error)) from error
    if canonical != recall_no:
        # Two spellings would be two workflows for one recall.
        raise WorkflowIdError(f"recall number {recall_no!r} must be written {canonical}")
    return canonical


def _index(kind: WorkflowKind, number: int) -> str:
    if isinstance(number, bool) or not 1 <= number <= 999_999:
        raise WorkflowIdError(f"{kind} number: expected 1 to 999999, got {number!r}")
    return str(number)


def recall_id(recall_no: str) -> str:
    """`recall:{no}`."""
    return f"recall:{_recall_no(recall_no)}"


def campaign_id(recall_no: str, number: int) -> str:
    """`recall:{no}:campaign:{n}`, one per notice version."""
    return f"{recall_id(recall_no)}:campaign:{_index(WorkflowKind.CAMPAIGN, number)}"


def case_id(recall_no: str, consignee: str) -> str:
    """`recall:{no}:case:{consignee}`; `consignee` is the record's id, never a name."""
    if _CONSIGNEE.fullmatch(consignee) is None:
        raise WorkflowIdError(f"consignee id {consignee[:64]!r}: expected 1 to 64 letters, digits, '.', '_' or '-'")
    return f"{recall_id(recall_no)}:case:{consignee}"


def capa_id(recall_no: str, number: int) -> str:
    """`recall:{no}:capa:{n}`; `capa:{no}` of a CAPA without a recall."""
    if is_quality_number(recall_no):
        return f"capa:{recall_no}"
    return f"{recall_id(recall_no)}:capa:{_index(WorkflowKind.CAPA, number)}"


def disposition_id(recall_no: str) -> str:
    """`recall:{no}:disposition`."""
    return f"{recall_id(recall_no)}:disposition"


def obligations_id(recall_no: str) -> str:
    """`recall:{no}:obligations`."""
    return f"{recall_id(recall_no)}:obligations"


def parse_workflow_id(text: str) -> WorkflowId:
    """Read a workflow id back into its parts.

    Raises:
        WorkflowIdError: when no builder of this module can have made `text`.
    """
    match text.split(":"):
        case ["capa", number] if is_quality_number(number):
            return WorkflowId(WorkflowKind.CAPA, number, index=1)
        case ["recall", number]:
            return WorkflowId(WorkflowKind.RECALL, _recall_no(number))
        case ["recall", number, ("disposition" | "obligations") as kind]:
            return WorkflowId(WorkflowKind(kind), _recall_no(number))
        case ["recall", number, ("campaign" | "capa") as kind, index] if _INDEX.fullmatch(index):
            return WorkflowId(WorkflowKind(kind), _recall_no(number), index=int(index))
        case ["recall", number, "case", consignee] if _CONSIGNEE.fullmatch(consignee):
            return WorkflowId(WorkflowKind.CASE, _recall_no(number), consignee=consignee)
        case _:
            raise WorkflowIdError(f"{text[:120]!r} is not a workflow id of this product")


def update_id(principal: str, operation: str, idempotency_key: str) -> str:
    """The id of an update: `{operation}-` and 40 hex digits over all three parts.

    Temporal answers a reused update id with the first result, whatever the update was; hashing the
    person and the operation in keeps one person's key from returning another's decision.

    Raises:
        WorkflowIdError: when a part is empty or the operation is not a plain lower-case name.
    """
    if not principal or not idempotency_key:
        raise WorkflowIdError("an update id needs a principal and an Idempotency-Key, both non-empty")
    if _OPERATION.fullmatch(operation) is None:
        raise WorkflowIdError(f"operation {operation[:64]!r}: expected a lower-case name")
    # JSON quotes each part, so ("a", "bc") and ("ab", "c") cannot meet.
    joined = json.dumps([principal, operation, idempotency_key])
    return f"{operation}-{hashlib.sha256(joined.encode()).hexdigest()[:40]}"
