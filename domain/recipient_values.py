"""A recipient's own half of a notice, made of the record: its names and lots, by when it is to answer, what changed.

A message and a call that reads the same notice are filled from here, so that both say the same.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from domain.notice_content import NoticeKind, RecipientLot, RecipientSite, RecipientValues
from domain.pace import PolicyClock


class Addressed(Protocol):
    """The delivery and whom it goes to."""

    @property
    def kind(self) -> str:
        """Kind of the body."""

    @property
    def step(self) -> int:
        """Place on the ladder; negative for a message beside it."""

    @property
    def answered(self) -> bool:
        """The recipient's answer stands."""

    @property
    def partner_name(self) -> str:
        """Organisation."""

    @property
    def contact_name(self) -> str:
        """Person or desk."""

    @property
    def time_zone(self) -> str:
        """IANA zone of the organisation."""

    @property
    def first_notified_at(self) -> datetime | None:
        """When it was first told."""

    @property
    def next_step_at(self) -> datetime | None:
        """When it is chased next: until then it is asked to answer."""


class OwnLot(Protocol):
    """A lot as the recipient got it."""

    @property
    def product(self) -> str:
        """Name of the product."""

    @property
    def gtin(self) -> str | None:
        """GTIN of the product."""

    @property
    def lot_id(self) -> int:
        """Its key in the record."""

    @property
    def udi_di(self) -> str | None:
        """UDI-DI of the product."""

    @property
    def expires_on(self) -> date | None:
        """Expiry date of the lot."""

    @property
    def printed(self) -> str:
        """Lot number as it stands beside the product's name."""

    @property
    def received(self) -> Decimal:
        """Units of use."""

    @property
    def unit(self) -> str:
        """What one unit of use is."""

    @property
    def last_shipped_on(self) -> date | None:
        """Day of the last delivery."""

    @property
    def scope_version(self) -> int:
        """Scope version in which the recipient got to have the lot."""

    @property
    def withdrawn_in(self) -> int | None:
        """Scope version that took the lot out again."""

    @property
    def asked(self) -> bool:
        """Under recall, and the notice that says so was approved."""


def recipient_values(
    to: Addressed,
    lots: Sequence[OwnLot],
    *,
    link: str,
    since: int | None,
    clock: PolicyClock,
    serials: Mapping[int, tuple[str, ...]] = MappingProxyType({}),
    distributor: bool = False,
) -> RecipientValues:
    """Everything a body's slots are filled with.

    Args:
        since: scope version that the notice amends; lots of later versions are new to the recipient.
        clock: the recall's clock, because people are told policy time.
        serials: serial numbers recorded at the recipient, by lot.
        distributor: it sells on.
    """

    def is_new(version: int | None) -> bool:
        return since is not None and version is not None and version > since

    first = clock.to_policy(to.first_notified_at) if to.first_notified_at else None
    # A retraction speaks of what was asked for before; everything else of what is asked for now.
    before = [lot for lot in lots if not is_new(lot.scope_version)]
    listed = before if to.kind == NoticeKind.RETRACTION else [lot for lot in lots if lot.asked]
    return RecipientValues(
        recipient_name=to.partner_name,
        contact_name=to.contact_name,
        lots=tuple(
            RecipientLot(
                product=lot.product,
                gtin=lot.gtin,
                lot=lot.printed,
                quantity=lot.received,
                unit=lot.unit,
                shipped_on=lot.last_shipped_on,
                udi_di=lot.udi_di,
                expires_on=lot.expires_on,
                serials=serials.get(lot.lot_id, ()),
            )
            for lot in listed
        ),
        link=link,
        respond_by=clock.to_policy(to.next_step_at) if to.next_step_at else None,
        time_zone=to.time_zone,
        first_notice_on=first.date() if first else None,
        added_lots=tuple(lot.printed for lot in listed if is_new(lot.scope_version)),
        removed_lots=tuple(lot.printed for lot in before if is_new(lot.withdrawn_in)),
        distributor=distributor,
        answer_stands=to.answered and to.step < 0,
    )


def for_several_sites(
    message: RecipientValues, sites: Sequence[tuple[UUID, str, RecipientValues]], *, link: str
) -> RecipientValues:
    """One person's values for all its sites, each with its own lots and link; the letter goes to the first one's name.

    Args:
        message: values of the site whose message it is.
        sites: delivery, name and values of every site, that one among them.
        link: to the page that leads to all of them.
    """
    every = [values for _, _, values in sites]
    listed = tuple(
        RecipientSite(
            name=name,
            delivery_id=delivery_id,
            link=values.link,
            lots=tuple(lot.model_copy(update={"site": name}) for lot in values.lots),
        )
        for delivery_id, name, values in sites
    )
    return message.model_copy(
        update={
            "link": link,
            "sites": listed,
            "lots": tuple(lot for site in listed for lot in site.lots),
            # Whoever answers for all of them answers in time for the first.
            "respond_by": min((each.respond_by for each in every if each.respond_by), default=None),
            "first_notice_on": min((each.first_notice_on for each in every if each.first_notice_on), default=None),
            "added_lots": tuple(dict.fromkeys(lot for each in every for lot in each.added_lots)),
            "removed_lots": tuple(dict.fromkeys(lot for each in every for lot in each.removed_lots)),
            "distributor": any(each.distributor for each in every),
            "answer_stands": all(each.answer_stands for each in every),
        }
    )


def names_apart(names: Sequence[tuple[str, str]]) -> list[str]:
    """Names (name, code) as a person can tell them apart: where two are the same, each with its code."""
    return [f"{name} ({code})" if sum(name == other for other, _ in names) > 1 else name for name, code in names]


__all__ = ["Addressed", "OwnLot", "for_several_sites", "names_apart", "recipient_values"]
