"""HTTP contracts of records that stand by themselves: audit events, evidence, products, places, the caller."""

from datetime import datetime
from typing import Any
from uuid import UUID

from models.master import Custody, PartnerKind
from models.schemas_common import Out, Units


class AuditEventOut(Out):
    """One link of the recall's audit chain."""

    seq: int
    at: datetime
    actor: str
    role: str
    action: str
    reason: str | None
    data: dict[str, Any]
    prev_hash: str
    hash: str


class AuditVerification(Out):
    """Whether the chain holds from its first event to its head."""

    stream: str
    intact: bool
    events: int
    head: str | None
    first_broken: int | None
    """Sequence number of the first link that does not fit."""


class EvidenceOut(Out):
    """A stored file: what it is, its hash, who brought it. The content is at `url`."""

    id: UUID
    recall_number: str | None
    file_name: str
    content_type: str
    size: int
    sha256: str
    uploaded_by: str
    uploaded_at: datetime
    url: str


class ProductOut(Out):
    """A product of the master data."""

    id: int
    code: str
    name: str
    family: str | None
    brand: str | None
    gtin: str | None
    udi_di: str | None
    unit_of_use: str
    device_class: str | None
    implantable: bool
    life_supporting: bool
    sterile: bool


class LocationOut(Out):
    """A place where stock lies, and whose it is."""

    id: int
    """As `location_id` and `destination_id` of requests name it."""
    code: str
    name: str
    custody: Custody
    gln: str | None
    """Global Location Number, 13 digits."""
    partner_code: str
    partner_name: str
    partner_kind: PartnerKind
    quarantine_capacity: Units | None
    """Units of use that may lie locked there."""


class MeOut(Out):
    """Who the token says you are."""

    principal: str
    roles: list[str]
    permissions: list[str]


__all__ = [
    "AuditEventOut",
    "AuditVerification",
    "EvidenceOut",
    "LocationOut",
    "MeOut",
    "ProductOut",
]
