"""The notice for machines: what a hospital's system reads instead of the letter, as one canonical JSON document.

It has two halves. `MachineFacts` is the same for every recipient and is part of what was approved (its hash is in
the approved body); `MachineNotice` adds what is one recipient's own: its lots, its link, its delivery. Content as in
the letter: 21 CFR 7.49, MDR Art. 89(8), NMPA Order 29 Art. 15.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from domain.notice_content import RecipientLot, RecipientValues, plain
from domain.notice_machine_facts import (
    MAX_LOTS,
    Ask,
    MachineChange,
    MachineFacts,
    MachineLevel,
    MachineProduct,
    MachineSender,
    asks_of,
    canonical_json,
    facts_of,
)
from domain.visible_text import visible

SCHEMA: Final = "recall-notice/1.0"
"""Name and version of the document; the minor number grows with every field added, the major with any other change."""
SCHEMA_OF_SITES: Final = "recall-notice/1.1"
"""The same with `sites`; a document names the lowest version that describes it."""
SCHEMA_OF_TEST: Final = "recall-notice-test/1.0"
"""A notice to one of our own staff: no document that a system knows, so that none takes it for the notice."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MachineLot(_Frozen):
    """One lot of the recipient, as our records say it was delivered."""

    product: str
    gtin: str | None = None
    udi_di: str | None = None
    lot: str
    serials: tuple[str, ...] = ()
    """Serial numbers known to be at the recipient."""
    expires_on: date | None = None
    quantity: str
    """Decimal as text, in `unit`."""
    unit: str
    shipped_on: date | None = None
    """Date of the last delivery."""


class MachineSite(_Frozen):
    """One of several sites that a notice to one person is for, and how it is answered for."""

    delivery_id: UUID
    recipient: str
    lots: tuple[MachineLot, ...]
    answer_link: str


class MachineNotice(_Frozen):
    """The whole document of one message."""

    schema_version: str = SCHEMA
    delivery_id: UUID
    """Identity of the message; the same however often it is sent."""
    notice: MachineFacts
    recipient: str
    """The organisation."""
    lots: tuple[MachineLot, ...]
    respond_by: AwareDatetime | None = None
    answer_link: str
    text: str
    """The same notice in words, as approved and filled in."""
    sites: tuple[MachineSite, ...] = ()
    """Set where one person gets the notice for several sites: `lots` then holds those of all of them."""

    def canonical(self) -> bytes:
        """UTF-8 JSON with sorted keys and no spaces: the same notice gives the same bytes."""
        data = self.model_dump(mode="json", exclude={"notice"} if self.sites else {"notice", "sites"})
        parts = {name: canonical_json(value) for name, value in data.items()} | {"notice": self.notice.canonical}
        return ("{" + ",".join(f'"{name}":{parts[name]}' for name in sorted(parts)) + "}").encode()


def machine_notice(
    facts: MachineFacts, recipient: RecipientValues, delivery_id: UUID, text: str, *, test: bool = False
) -> MachineNotice:
    """The document of one message: the approved half with this recipient's own values.

    Args:
        test: for one of our own staff; the schema says so.
    """
    schema = SCHEMA_OF_SITES if recipient.sites else SCHEMA
    return MachineNotice(
        delivery_id=delivery_id,
        notice=facts,
        recipient=visible(recipient.recipient_name),
        lots=_lots(recipient.lots),
        respond_by=recipient.respond_by,
        answer_link=recipient.link,
        text=text,
        schema_version=SCHEMA_OF_TEST if test else schema,
        sites=tuple(
            MachineSite(
                delivery_id=site.delivery_id,
                recipient=visible(site.name),
                lots=_lots(site.lots),
                answer_link=site.link,
            )
            for site in recipient.sites
        ),
    )


def _lots(lots: Sequence[RecipientLot]) -> tuple[MachineLot, ...]:
    return tuple(
        MachineLot(
            product=visible(row.product),
            gtin=row.gtin,
            udi_di=row.udi_di,
            lot=visible(row.lot),
            serials=tuple(visible(serial) for serial in row.serials),
            expires_on=row.expires_on,
            quantity=plain(Decimal(row.quantity)),
            unit=visible(row.unit),
            shipped_on=row.shipped_on,
        )
        for row in lots
    )


__all__ = [
    "MAX_LOTS",
    "SCHEMA",
    "SCHEMA_OF_SITES",
    "SCHEMA_OF_TEST",
    "Ask",
    "MachineChange",
    "MachineFacts",
    "MachineLevel",
    "MachineLot",
    "MachineNotice",
    "MachineProduct",
    "MachineSender",
    "MachineSite",
    "asks_of",
    "facts_of",
    "machine_notice",
]
