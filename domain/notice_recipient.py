"""A recipient's own half of a notice as data: what is filled into the slots of an approved body when it is sent.

Nothing here is part of what was approved. Every value has a place in a body's text by the name of its slot; a person
with several sites has the same places filled for all of them.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.visible_text import LONGEST_BLOCK, visible


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RecipientLot(_Frozen):
    """One row of the recipient's own table: what our records say was delivered."""

    product: str
    gtin: str | None = None
    lot: str
    quantity: Decimal
    unit: str
    shipped_on: date | None = None
    """Date of the last delivery."""
    udi_di: str | None = None
    expires_on: date | None = None
    serials: tuple[str, ...] = ()
    """Serial numbers recorded at the recipient, in order."""
    site: str = ""
    """Where it was delivered, in a notice that is for several sites of one person."""


class RecipientSite(_Frozen):
    """One of several sites that a notice to one person is for."""

    name: str
    delivery_id: UUID
    """Of the site's own delivery, by which its answer is told from the others'."""
    link: Annotated[str, Field(pattern=r"^https?://[^\s<>\"']+$")]
    """To the site's own page."""
    lots: tuple[RecipientLot, ...]


class RecipientValues(_Frozen):
    """What is filled in at sending time; nothing here is part of what was approved."""

    recipient_name: str
    """Organisation."""
    contact_name: str = ""
    lots: tuple[RecipientLot, ...]
    link: Annotated[str, Field(pattern=r"^https?://[^\s<>\"']+$")]
    respond_by: AwareDatetime | None = None
    time_zone: str = "UTC"
    """IANA zone in which `respond_by` is written."""
    first_notice_on: date | None = None
    """Day of the first notice, for reminders and escalations."""
    added_lots: tuple[str, ...] = ()
    """Own lots that came in by the notice's change."""
    removed_lots: tuple[str, ...] = ()
    """Own lots that went out by it."""
    distributor: bool = False
    """It sells on: the notice asks for a sub-recall (21 CFR 7.49(d))."""
    answer_stands: bool = False
    """The recipient has answered for every lot that is left: nothing is asked again."""
    sites: tuple[RecipientSite, ...] = ()
    """All sites the notice is for, where one person gets it for several; each answers for itself."""

    def slots(self) -> dict[str, str]:
        """Value of every scalar slot; an empty one hides the section around it."""
        return {
            "recipient_name": visible(self.recipient_name),
            "contact_name": visible(self.contact_name),
            "link": self.link,
            "respond_by": _instant(self.respond_by, self.time_zone),
            "first_notice_on": self.first_notice_on.isoformat() if self.first_notice_on else "",
            "lots_brief": brief(f"{visible(row.lot)} ({plain(row.quantity)})" for row in self.lots),
            "lot_rows": str(len(self.lots) or ""),
            "own_added": visible(", ".join(self.added_lots), LONGEST_BLOCK),
            "own_added_brief": brief(visible(lot) for lot in self.added_lots),
            "own_removed": visible(", ".join(self.removed_lots), LONGEST_BLOCK),
            "own_removed_brief": brief(visible(lot) for lot in self.removed_lots),
            "answer_stands": "yes" if self.answer_stands else "",
            "distributor": "yes" if self.distributor else "",
            "site_count": str(len(self.sites) or ""),
            "sites_brief": brief(visible(site.name) for site in self.sites),
        }

    def rows(self) -> dict[str, list[dict[str, str]]]:
        """Values of the row slots of each repeated section."""
        return {LOTS: self._lot_rows(), SITES: [_site_row(site) for site in self.sites]}

    def _lot_rows(self) -> list[dict[str, str]]:
        return [
            {
                "lot.site": visible(row.site),
                "lot.product": visible(row.product),
                "lot.gtin": visible(row.gtin or "") or "–",
                "lot.number": visible(row.lot),
                "lot.quantity": plain(row.quantity),
                "lot.unit": visible(row.unit),
                "lot.shipped_on": row.shipped_on.isoformat() if row.shipped_on else "–",
                "lot.udi_di": visible(row.udi_di or "") or "–",
                "lot.expires_on": row.expires_on.isoformat() if row.expires_on else "–",
                "lot.serials": visible(", ".join(row.serials), LONGEST_BLOCK),
            }
            for row in self.lots
        ]


SLOTS: Final = frozenset(
    {"recipient_name", "contact_name", "link", "respond_by", "first_notice_on", "lots_brief", "lot_rows"}
    | {"own_added", "own_added_brief", "own_removed", "own_removed_brief", "answer_stands", "distributor"}
    | {"site_count", "sites_brief"}
)
"""Every scalar slot a template may use."""
LOTS: Final = "lots"
SITES: Final = "sites"
ROW_SLOTS: Final = {
    LOTS: frozenset(
        {"lot.product", "lot.gtin", "lot.number", "lot.quantity", "lot.unit", "lot.shipped_on"}
        | {"lot.udi_di", "lot.expires_on", "lot.serials", "lot.site"}
    ),
    SITES: frozenset({"site.name", "site.lots", "site.link"}),
}
"""Repeated section -> slots inside it."""


def _site_row(site: RecipientSite) -> dict[str, str]:
    lots = ", ".join(f"{visible(lot.lot)} ({plain(lot.quantity)} {visible(lot.unit)})" for lot in site.lots)
    return {"site.name": visible(site.name), "site.lots": visible(lots, LONGEST_BLOCK), "site.link": site.link}


def brief(items: Iterable[str], shown: int = 2, limit: int = 60) -> str:
    """The first items and how many more there are, for a text message."""
    listed = list(items)
    text = ", ".join(listed[:shown])[:limit]
    return f"{text} +{len(listed) - shown}" if len(listed) > shown else text


def plain(quantity: Decimal) -> str:
    """A quantity without exponent or trailing zeros."""
    text = format(quantity, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _instant(moment: datetime | None, zone: str) -> str:
    if moment is None:
        return ""
    try:
        local, name = moment.astimezone(ZoneInfo(zone)), zone
    except (KeyError, ValueError):
        # A wrong zone in the master data must not cost the recipient the notice.
        local, name = moment.astimezone(UTC), "UTC"
    return f"{local:%Y-%m-%d %H:%M} ({name})"


__all__ = [
    "LOTS",
    "ROW_SLOTS",
    "SITES",
    "SLOTS",
    "RecipientLot",
    "RecipientSite",
    "RecipientValues",
    "brief",
    "plain",
]
