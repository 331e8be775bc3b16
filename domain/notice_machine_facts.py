"""The approved half of the notice for machines: what every recipient's system is told, as data.

Its hash is part of the approved body; `domain.notice_machine` adds what is one recipient's own. Content as in the
letter: 21 CFR 7.49, MDR Art. 89(8), NMPA Order 29 Art. 15.
"""

import json
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from domain.levels import MarketAction, RecallClass
from domain.notice_content import NoticeContext, NoticeKind, NoticeProduct

MAX_LOTS: Final = 500
"""Lots listed per product line; beyond it only the count is given (the recipient's own lots are always complete)."""


class Ask(StrEnum):
    """One thing the recipient is asked to do."""

    STOP_USE = "stop_use"
    """Stop using, selling and distributing the affected lots."""
    QUARANTINE = "quarantine"
    INFORM_USERS = "inform_users"
    AWAIT_RETURN = "await_return"
    """Keep it set aside until instructions for its return come; do not destroy it."""
    AWAIT_CORRECTION = "await_correction"
    """Keep it set aside until it has been corrected; do not return it."""
    AWAIT_INSTRUCTIONS = "await_instructions"
    PASS_ON = "pass_on"  # noqa: S105 - no secret
    """Forward the notice to whoever received affected product (21 CFR 7.49(d))."""
    NAME_CUSTOMERS = "name_customers"
    """Name in the answer who received affected product."""
    ANSWER = "answer"
    CONTACT_CARE = "contact_care"
    """Turn to the hospital or practice that treats you; asked of patients."""
    KEEP_ON_HOLD = "keep_on_hold"
    """Units set aside stay so until released in writing, although the lot is no longer recalled."""


_HANDLING: Final = {
    MarketAction.CORRECTION: Ask.AWAIT_CORRECTION,
    MarketAction.FSCA: Ask.AWAIT_INSTRUCTIONS,
}
_ASKS: Final = {
    NoticeKind.RETRACTION: (Ask.KEEP_ON_HOLD, Ask.PASS_ON),
    NoticeKind.CLOSURE: (Ask.KEEP_ON_HOLD,),
    NoticeKind.SUB_RECALL: (Ask.STOP_USE, Ask.QUARANTINE, Ask.PASS_ON, Ask.NAME_CUSTOMERS, Ask.ANSWER),
    NoticeKind.REGULATOR: (),
    NoticeKind.PATIENT: (Ask.CONTACT_CARE,),
}
"""What kinds of their own ask; every other kind asks for the whole."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MachineLevel(_Frozen):
    """The classification in one jurisdiction's own words."""

    jurisdiction: str
    term: str


class MachineProduct(_Frozen):
    """Exact identification of one affected product line."""

    name: str
    code: str | None = None
    gtin: str | None = None
    udi_di: str | None = None
    manufacturer: str | None = None
    recall_class: RecallClass
    urgent: bool
    lot_count: int
    lots: tuple[str, ...]
    """Empty where there are more than `MAX_LOTS`."""
    expiry: dict[str, date] = {}
    """Expiry date of each listed lot that has one on record."""


class MachineSender(_Frozen):
    """The firm that gives the notice."""

    firm: str
    phone: str
    email: str
    contact: str | None = None
    srn: str | None = None
    """EU single registration number."""


class MachineChange(_Frozen):
    """What the notice changes against an earlier one; lot numbers in the notice's own spelling."""

    replaces_version: int
    lots_added: tuple[str, ...] = ()
    lots_removed: tuple[str, ...] = ()
    class_from: RecallClass | None = None
    class_to: RecallClass | None = None
    whole: bool = False
    """The recall as a whole is retracted."""


class MachineFacts(_Frozen):
    """The half that every recipient gets and that was approved."""

    recall_no: str
    kind: NoticeKind
    version: int
    drill: bool
    urgent: bool
    """Any line is of class I or II (21 CFR 7.49(b))."""
    recall_class: RecallClass
    """The strictest of the lines."""
    market_action: MarketAction
    levels: tuple[MachineLevel, ...] = ()
    issued_on: date
    language: str
    reason: str
    hazard: str
    instructions: tuple[str, ...] = ()
    texts_language: str
    """Language of reason, hazard and instructions; another than `language` where no translation was approved."""
    asks: tuple[Ask, ...]
    """What is asked, in order; nothing new is asked where it holds neither `stop_use` nor `answer`."""
    products: tuple[MachineProduct, ...]
    distributed_from: date | None = None
    distributed_until: date | None = None
    change: MachineChange | None = None
    sender: MachineSender

    @cached_property
    def canonical(self) -> str:
        """Its part of the document's canonical JSON; the same for every recipient, so written once."""
        return canonical_json(self.model_dump(mode="json"))


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same value gives the same text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def asks_of(kind: NoticeKind, action: MarketAction) -> tuple[Ask, ...]:
    """What a notice of this kind asks, in the order of the letter."""
    if kind in _ASKS:
        return _ASKS[kind]
    handling = _HANDLING.get(action, Ask.AWAIT_RETURN)
    return (Ask.STOP_USE, Ask.QUARANTINE, handling, Ask.INFORM_USERS, Ask.PASS_ON, Ask.NAME_CUSTOMERS, Ask.ANSWER)


def facts_of(kind: NoticeKind, language: str, context: NoticeContext) -> MachineFacts:
    """The common half of a notice in one language."""
    texts = context.texts_in(language)
    return MachineFacts(
        recall_no=context.recall_no,
        kind=kind,
        version=context.version,
        drill=context.drill,
        urgent=context.urgent,
        recall_class=context.recall_class,
        market_action=context.market_action,
        levels=tuple(MachineLevel(jurisdiction=each.jurisdiction, term=each.term) for each in context.levels),
        issued_on=context.issued_on,
        language=language,
        reason=texts.reason,
        hazard=texts.hazard,
        instructions=texts.instructions,
        texts_language=language if context.is_translated(language) else context.texts_language,
        asks=asks_of(kind, context.market_action),
        products=tuple(_product(product, context) for product in context.products),
        distributed_from=context.distributed_from,
        distributed_until=context.distributed_until,
        change=_change(context),
        sender=MachineSender(
            firm=context.firm_name,
            phone=context.firm_phone,
            email=context.firm_email,
            contact=context.contact_name,
            srn=context.manufacturer_srn,
        ),
    )


def _product(product: NoticeProduct, context: NoticeContext) -> MachineProduct:
    own_class = product.recall_class or context.recall_class
    return MachineProduct(
        name=product.name,
        code=product.code,
        gtin=product.gtin,
        udi_di=product.udi_di,
        manufacturer=product.manufacturer,
        recall_class=own_class,
        urgent=own_class is not RecallClass.III,
        lot_count=len(product.lots),
        lots=product.lots if len(product.lots) <= MAX_LOTS else (),
        expiry=product.expiry if len(product.lots) <= MAX_LOTS else {},
    )


def _change(context: NoticeContext) -> MachineChange | None:
    change = context.change
    if change is None:
        return None
    added = tuple(lot for each in change.added for lot in each.lots)
    removed = tuple(lot for each in change.removed for lot in each.lots)
    return MachineChange(
        replaces_version=change.replaces_version,
        lots_added=added if len(added) <= MAX_LOTS else (),
        lots_removed=removed if len(removed) <= MAX_LOTS else (),
        class_from=change.class_from,
        class_to=change.class_to,
        whole=change.whole,
    )


__all__ = [
    "MAX_LOTS",
    "Ask",
    "MachineChange",
    "MachineFacts",
    "MachineLevel",
    "MachineProduct",
    "MachineSender",
    "asks_of",
    "facts_of",
]
