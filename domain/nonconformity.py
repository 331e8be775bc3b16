"""Nonconformities: where they come from, what may become of the product, and what must be so before each step.

21 CFR 820.90 asks for identification, documentation, evaluation, segregation and disposition of nonconforming product;
the disposition is documented with its justification and the signature of whoever authorises the use. A decision is
made per lot, never by whoever found or investigated it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from domain.policy_tasks import HumanStep
from domain.roles import Role, violates_four_eyes
from domain.task_times import TaskLimit


class NcSource(StrEnum):
    """How it came to light."""

    INCOMING = "incoming"
    PROCESS = "process"
    FINAL = "final"
    COMPLAINT = "complaint"
    AUDIT = "audit"
    FOUND_STOCK = "found_stock"
    HOLD_VERIFICATION = "hold_verification"
    TRANSPORT = "transport"
    RECALL_HOLD = "recall_hold"
    """A recall's claim ended without a release; quality decides lot by lot."""


class NcSeverity(StrEnum):
    """What it could do, as judged when it was recorded and again when it was investigated."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


class NcState(StrEnum):
    """open -> investigated -> decided -> closed; a reopened one is open again."""

    OPEN = "open"
    INVESTIGATED = "investigated"
    DECIDED = "decided"
    CLOSED = "closed"


class NcDisposition(StrEnum):
    """What becomes of the units of one lot."""

    USE_AS_IS = "use_as_is"
    REWORK = "rework"
    SCRAP = "scrap"
    RETURN = "return"


CONCESSION: Final = frozenset({NcDisposition.USE_AS_IS})
"""Use of product that does not conform: a second signature, by the head of quality (21 CFR 820.90(b)(1))."""

HOUSE_LIMITS: Final[Mapping[HumanStep, TaskLimit]] = {
    HumanStep.INVESTIGATION: TaskLimit(timedelta(days=5), timedelta(days=3), Role.QA, Role.SUPPLIER_QUALITY),
    HumanStep.CAUSE: TaskLimit(timedelta(days=20), timedelta(days=15), Role.QA, Role.SUPPLIER_QUALITY),
    HumanStep.CAPA_PLAN: TaskLimit(timedelta(days=10), timedelta(days=7), Role.QA, Role.SUPPLIER_QUALITY),
    HumanStep.PLAN_APPROVAL: TaskLimit(timedelta(days=3), timedelta(days=2), Role.APPROVER, Role.HEAD_OF_QUALITY),
    HumanStep.ACTION: TaskLimit(timedelta(days=30), timedelta(days=20), Role.QA, Role.SUPPLIER_QUALITY),
    HumanStep.VERIFICATION: TaskLimit(timedelta(days=10), timedelta(days=7), Role.QA, Role.SUPPLIER_QUALITY),
    HumanStep.CAPA_SIGN_OFF: TaskLimit(timedelta(days=5), timedelta(days=3), Role.APPROVER, Role.HEAD_OF_QUALITY),
    HumanStep.DISPOSITION_APPROVAL: TaskLimit(
        timedelta(days=5), timedelta(days=3), Role.APPROVER, Role.HEAD_OF_QUALITY
    ),
}
"""House figures for tasks of files that no recall's policies rule, from the offer, in real time."""


class NcRefused(ValueError):  # noqa: N818 - a term of the API
    """A step that is not in order; `kind` is the problem's slug, `field` the value it is about, if one."""

    def __init__(self, kind: str, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.field = field


@dataclass(frozen=True, slots=True)
class LotDecision:
    """What was decided about one lot, as far as it was."""

    lot: str
    disposition: NcDisposition | None
    decided_by: str | None
    second_by: str | None
    held: bool
    """Whether units of it still lie under a nonconformity hold."""

    @property
    def settled(self) -> bool:
        """Decided, with the second signature where one is needed."""
        if self.disposition is None:
            return False
        return self.disposition not in CONCESSION or self.second_by is not None


def need_state(state: NcState, *wanted: NcState) -> None:
    """Refuse a step that belongs to another state.

    Raises:
        NcRefused: it does.
    """
    if state not in wanted:
        raise NcRefused("wrong_state", f"it is {state.value}; this belongs to {' or '.join(wanted)}")


def check_decider(who: str, *others: str | None) -> None:
    """Whoever decides has neither found nor investigated it.

    Raises:
        NcRefused: the same person has.
    """
    for other in others:
        if other is not None and violates_four_eyes(other, who):
            raise NcRefused("four_eyes", f"{who} found, investigated or decided it; another person must sign")


def open_points(lots: Iterable[LotDecision]) -> list[str]:
    """What keeps a nonconformity from being closed, one line per lot."""
    found = []
    for each in lots:
        if each.disposition is None:
            found.append(f"lot {each.lot}: nothing is decided")
        elif not each.settled:
            found.append(f"lot {each.lot}: the second signature under its use is missing")
        elif each.held:
            found.append(f"lot {each.lot}: units still lie under a nonconformity hold; carry the decision out")
    return found


__all__ = [
    "CONCESSION",
    "HOUSE_LIMITS",
    "LotDecision",
    "NcDisposition",
    "NcRefused",
    "NcSeverity",
    "NcSource",
    "NcState",
    "check_decider",
    "need_state",
    "open_points",
]
