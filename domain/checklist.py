"""The completion checklist (design §7): what must be true before a recall can be signed as completed.

One item per line of the design, each with the list of what is still open in plain words, naming the consignee code,
lot, task or hold, so that a person can go and close it. What is open is found in the record
(`db.repositories.checklist`); here is which items there are, in which order, and how they are put into words.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

SHOWN: Final = 50
"""Open lines named in a workflow's payload; the API shows as many as asked for."""


class Item(StrEnum):
    """The lines of the checklist, in the order in which they are usually closed."""

    CAMPAIGN = "campaign"
    CONSIGNEES = "consignees"
    QUERIES = "queries"
    CASES = "cases"
    EFFECTIVENESS = "effectiveness"
    HOLDS = "holds"
    HELD_PENDING = "held_pending"
    UNACCOUNTED = "unaccounted"
    DISPOSITIONS = "dispositions"
    CAPA = "capa"
    OBLIGATIONS = "obligations"
    EVIDENCE_HOLD = "evidence_hold"
    COMPLAINTS = "complaints"
    PATIENTS = "patients"
    SHORTAGES = "shortages"
    TASKS = "tasks"


TITLES: Final[Mapping[Item, str]] = {
    Item.CAMPAIGN: "Every notice is sent, no channel is stopped, no amendment is waiting",
    Item.CONSIGNEES: "Every consignee answered or is documented",
    Item.QUERIES: "Every query about an impossible statement is settled",
    Item.CASES: "Every case of a consignee is closed",
    Item.EFFECTIVENESS: "The effectiveness level of the strategy is met",
    Item.HOLDS: "Every hold request is confirmed or explained, every stopped document released or cancelled",
    Item.HELD_PENDING: "Nothing is held pending, or it is carried over as nonconformity",
    Item.UNACCOUNTED: "Unaccounted units are within the policy's share, or signed by the head of quality",
    Item.DISPOSITIONS: "Every disposition is carried out, with its evidence file",
    Item.CAPA: "CAPA opened, cause recorded, plan approved",
    Item.OBLIGATIONS: "Obligations due so far are submitted",
    Item.EVIDENCE_HOLD: "Retained samples and evidence are settled with the authority",
    Item.COMPLAINTS: "Every complaint is closed, and carries its codes where a code list is loaded",
    Item.PATIENTS: "Every hospital with patients to follow up has given its final counts",
    Item.SHORTAGES: "Every site left short is supplied, or decided about",
    Item.TASKS: "No task is open",
}


_BY_STEP: Final[Mapping[str, Item | None]] = {
    "disposition": Item.DISPOSITIONS,
    "disposition_approval": Item.DISPOSITIONS,
    "execution": Item.DISPOSITIONS,
    "allocation": Item.SHORTAGES,
    "replacement": Item.SHORTAGES,
    # A CAPA may outlive its recall, and a report becomes due when it does: their own items say what must be done now.
    "investigation": None,
    "cause": None,
    "capa_plan": None,
    "plan_approval": None,
    "action": None,
    "verification": None,
    "capa_sign_off": None,
    "obligation": None,
    # What the checklist is for, and what comes after it.
    "completion": None,
    "authority_answer": None,
    "closure_notice": None,
    "unaccounted": None,
}
_BY_KEY: Final[Mapping[str, Item]] = {
    "query": Item.QUERIES,
    "settle_query": Item.QUERIES,
    "call": Item.CASES,
    "manager": Item.CASES,
    "visit": Item.CASES,
    "authority": Item.CASES,
    "account": Item.CASES,
    "help": Item.CASES,
    "check": Item.EFFECTIVENESS,
    "holds": Item.HOLDS,
    "logistics": Item.HOLDS,
    "notice": Item.CAMPAIGN,
    "notice_review": Item.CAMPAIGN,
    "campaign-stop": Item.CAMPAIGN,
    "complaint": Item.COMPLAINTS,
    "on_call": Item.COMPLAINTS,
    "patients": Item.PATIENTS,
}
"""First part of a task's key -> the item it belongs to."""


def item_of_task(key: str, step: str) -> Item | None:
    """The item an open task stands under; None for one that does not keep a recall from being completed."""
    if step in _BY_STEP:
        return _BY_STEP[step]
    return _BY_KEY.get(key.partition(":")[0], Item.TASKS)


class ChecklistItem(BaseModel):
    """One line of the checklist: met, or with what is open. `total` counts all open lines, `open` names some."""

    model_config = ConfigDict(frozen=True)

    key: str
    ok: bool
    title: str
    open: tuple[str, ...] = ()
    total: int = Field(default=0, ge=0)

    def cut(self, lines: int = SHOWN) -> "ChecklistItem":
        """The same with at most `lines` open lines named; `total` stays."""
        return self.model_copy(update={"open": self.open[:lines]})


class Found(NamedTuple):
    """What is open of one item: lines named, and how many there are in all."""

    lines: Sequence[str]
    total: int


def make_items(found: Mapping[Item, Found]) -> list[ChecklistItem]:
    """All items in order; those without an entry, or with an empty one, are met."""
    nothing = Found((), 0)
    return [
        ChecklistItem(
            key=item.value,
            ok=found.get(item, nothing).total == 0,
            title=TITLES[item],
            open=tuple(found.get(item, nothing).lines),
            total=found.get(item, nothing).total,
        )
        for item in Item
    ]


def still_open(items: Iterable[ChecklistItem]) -> list[ChecklistItem]:
    """The items that stand in the way of completion."""
    return [item for item in items if not item.ok]


__all__ = ["SHOWN", "TITLES", "ChecklistItem", "Found", "Item", "item_of_task", "make_items", "still_open"]
