"""Exposure as answers: unit-hours to four places, real and policy time side by side."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from db.repositories.exposure import Exposure, SiteExposure, Window
from models.schemas_exposure import (
    ExposureFiguresOut,
    ExposureOut,
    ExposureStepOut,
    LotExposureOut,
    SiteExposureOut,
)

MOST_LOTS: Final = 200
_PLACES: Final = Decimal("0.0001")


def hours(unit_hours: Decimal) -> Decimal:
    """Unit-hours as shown."""
    return unit_hours.quantize(_PLACES, ROUND_HALF_UP)


def policy_hours(unit_hours: Decimal, over: Window) -> Decimal:
    """Unit-hours of policy time as shown."""
    return hours(unit_hours * Decimal(str(over.clock.pace)))


def figures(found: Exposure) -> ExposureFiguresOut:
    """The figures alone."""
    return ExposureFiguresOut(
        final=found.window.final,
        unit_hours=hours(found.unit_hours),
        policy_unit_hours=policy_hours(found.unit_hours, found.window),
        at_risk=sum((lot.at_risk for lot in found.lots), Decimal(0)),
        used=sum((lot.used for lot in found.lots), Decimal(0)),
    )


def out_of(found: Exposure) -> ExposureOut:
    """Figures, lots and curve."""
    over = found.window
    return ExposureOut(
        start=over.start,
        until=over.until,
        policy_until=over.clock.to_policy(over.until),
        pace=over.clock.pace,
        lots=[
            LotExposureOut(
                lot_id=lot.lot_id,
                lot_number=lot.lot_number,
                product_code=lot.product_code,
                unit=lot.unit,
                unit_hours=hours(lot.unit_hours),
                policy_unit_hours=policy_hours(lot.unit_hours, over),
                at_risk=lot.at_risk,
                used=lot.used,
            )
            for lot in found.lots[:MOST_LOTS]
        ],
        curve=[
            ExposureStepOut(at=step.at, policy_at=over.clock.to_policy(step.at), at_risk=step.at_risk)
            for step in found.curve
        ],
        **figures(found).model_dump(),
    )


def site_out(row: SiteExposure, over: Window) -> SiteExposureOut:
    """One site and lot."""
    return SiteExposureOut(
        side=row.side,
        consignee_id=row.consignee_id,
        code=row.code,
        name=row.name,
        lot_id=row.lot_id,
        lot_number=row.lot_number,
        unit_hours=hours(row.unit_hours),
        policy_unit_hours=policy_hours(row.unit_hours, over),
        at_risk=row.at_risk,
        used=row.used,
    )


__all__ = ["MOST_LOTS", "figures", "hours", "out_of", "policy_hours", "site_out"]
