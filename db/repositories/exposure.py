"""Unit-hours of exposure of a recall, live until now and final once it is complete (`domain.exposure`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import exposure_sql, recalls_read
from db.repositories.trace_sql import TUNE
from domain.exposure import Step
from domain.pace import PolicyClock
from domain.phases import Phase
from models.recall import Recall

EVERY: Final = 10_000_000
"""A limit that is none."""
_ENDED: Final = (Phase.REJECTED, Phase.CANCELLED)
_COMPLETE: Final = (Phase.COMPLETED, Phase.AWAITING_AUTHORITY, Phase.TERMINATED)
_COMPLETION: Final = """
SELECT max(at) FROM clock_start WHERE recall_number = :number AND split_part(name, ':', 1) = 'completion'
"""


@dataclass(frozen=True, slots=True)
class Window:
    """From the awareness until now, or until the recall was complete or ended."""

    start: datetime
    until: datetime
    final: bool
    clock: PolicyClock


@dataclass(frozen=True, slots=True)
class LotExposure:
    """One lot over all sites."""

    lot_id: int
    lot_number: str
    product_code: str
    unit: str
    unit_hours: Decimal
    at_risk: Decimal
    """Units not confirmed safe at the end of the window."""
    used: Decimal
    """Units used or implanted by then: no longer at risk of use, and not safe."""


@dataclass(frozen=True, slots=True)
class SiteExposure:
    """One site and lot."""

    side: str
    """`consignee`, or `own` for a place of ours or a logistics partner's."""
    place_id: int
    consignee_id: int | None
    code: str
    name: str
    lot_id: int
    lot_number: str
    unit_seconds: Decimal
    at_risk: Decimal
    used: Decimal

    @property
    def unit_hours(self) -> Decimal:
        """The area in hours."""
        return self.unit_seconds / 3600


@dataclass(frozen=True, slots=True)
class PlaceExposure:
    """One consignee, or place of ours, over all its lots; as `SiteExposure`."""

    side: str
    place_id: int
    consignee_id: int | None
    code: str
    unit_hours: Decimal
    at_risk: Decimal
    used: Decimal


@dataclass(frozen=True, slots=True)
class Exposure:
    """The whole recall."""

    window: Window
    lots: tuple[LotExposure, ...]
    """The largest area first."""
    curve: tuple[Step, ...]

    @property
    def unit_hours(self) -> Decimal:
        """The area under the curve, exact whatever is shown of it."""
        return sum((lot.unit_hours for lot in self.lots), Decimal(0))


async def window(session: AsyncSession, recall: Recall, now: datetime) -> Window:
    """What the exposure of this recall is measured over."""
    until, phase = now, Phase(recall.phase)
    if phase in _ENDED:
        until = recall.phase_since
    elif phase in _COMPLETE:
        signed = (await run(session, _COMPLETION, {"number": recall.number})).scalar_one()
        until = signed or recall.phase_since
    clock = PolicyClock.starting(recall.created_at, recall.pace)
    return Window(recall.awareness_at, max(min(until, now), recall.awareness_at), until < now, clock)


async def exposure(session: AsyncSession, number: str, now: datetime, *, points: int = EVERY) -> Exposure | None:
    """Lots and curve; with more than `points` instants the curve shows one value per interval. None: no such recall."""
    recall = await recalls_read.find(session, number)
    if recall is None:
        return None
    over = await window(session, recall, now)
    await run(session, TUNE)
    width = max((over.until - over.start) / points, timedelta(microseconds=1))
    values = _values(number, over) | {"points": points, "width": width}
    lots: list[LotExposure] = []
    curve: list[Step] = []
    for row in (await run(session, exposure_sql.LOTS_AND_CURVE, values)).mappings():
        if row["part"] == "curve":
            curve.append(Step(row["at"], row["at_risk"]))
        else:
            lots.append(_lot(dict(row)))
    return Exposure(over, tuple(lots), tuple(curve))


def _lot(row: dict[str, Any]) -> LotExposure:
    names = ("lot_id", "lot_number", "product_code", "unit", "at_risk", "used")
    return LotExposure(unit_hours=row["unit_seconds"] / 3600, **{name: row[name] for name in names})


async def sites(
    session: AsyncSession, number: str, over: Window, *, after: Sequence[Any] | None = None, limit: int = EVERY
) -> list[SiteExposure]:
    """Site by site, the largest area first; `after`: unit seconds, side, place and lot of the last row seen."""
    await run(session, TUNE)
    last = after or (None, None, None, None)
    names = ("after", "after_side", "after_place", "after_lot")
    values = _values(number, over) | dict(zip(names, last, strict=True)) | {"limit": limit}
    return [SiteExposure(**row) for row in (await run(session, exposure_sql.SITES, values)).mappings()]


async def by_place(session: AsyncSession, number: str, over: Window) -> list[PlaceExposure]:
    """Consignee by consignee and place by place, the largest area first."""
    await run(session, TUNE)
    return [PlaceExposure(**row) for row in (await run(session, exposure_sql.PLACES, _values(number, over))).mappings()]


def _values(number: str, over: Window) -> dict[str, Any]:
    return {"number": number, "lot": None, "start": over.start, "until": over.until}


__all__ = [
    "EVERY",
    "Exposure",
    "LotExposure",
    "PlaceExposure",
    "SiteExposure",
    "Window",
    "by_place",
    "exposure",
    "sites",
    "window",
]
