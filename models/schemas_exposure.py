"""HTTP contracts of exposure: unit-hours in real and policy time, by lot and site, and the step curve."""

from datetime import datetime

from models.schemas_common import Out, Page, Units


class ExposureStepOut(Out):
    """From this instant on, so many units are not confirmed safe."""

    at: datetime
    policy_at: datetime
    at_risk: Units


class LotExposureOut(Out):
    """One lot over all sites."""

    lot_id: int
    lot_number: str
    product_code: str
    unit: str
    unit_hours: Units
    policy_unit_hours: Units
    at_risk: Units
    used: Units


class SiteExposureOut(Out):
    """One site and lot."""

    side: str
    """`consignee`, or `own` for places of ours and logistics partners."""
    consignee_id: int | None
    code: str
    """Partner code of a consignee, code of a place of ours; empty for goods sent to no place on record."""
    name: str
    lot_id: int
    lot_number: str
    unit_hours: Units
    policy_unit_hours: Units
    at_risk: Units
    used: Units


class ExposureOut(Out):
    """The area under the units not confirmed safe, from the awareness until now or the end."""

    start: datetime
    until: datetime
    policy_until: datetime
    final: bool
    """False while it grows: until the recall is complete, rejected or cancelled."""
    pace: float
    """Policy seconds per real second; policy unit-hours are that many times the real ones."""
    unit_hours: Units
    policy_unit_hours: Units
    at_risk: Units
    """Units not confirmed safe at `until`."""
    used: Units
    """Used or implanted by then: no longer at risk of use, and not safe."""
    lots: list[LotExposureOut]
    """The 200 with the largest area."""
    curve: list[ExposureStepOut]


class ExposureFiguresOut(Out):
    """The figures without lots and curve."""

    final: bool
    unit_hours: Units
    policy_unit_hours: Units
    at_risk: Units
    used: Units


class SitesExposureOut(Page[SiteExposureOut]):
    """Sites and lots, the largest area first."""

    until: datetime


__all__ = [
    "ExposureFiguresOut",
    "ExposureOut",
    "ExposureStepOut",
    "LotExposureOut",
    "SiteExposureOut",
    "SitesExposureOut",
]
