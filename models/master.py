"""Master data: products, trading partners, their locations and their contacts."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import String
from sqlmodel import Column, Field, SQLModel

from domain.channels import KNOWN_SQL
from models.base import identity, instant, one_of, quantity, ref, text


class PartnerKind(StrEnum):
    """What a trading partner is to us; `own` kinds hold stock that we lock ourselves."""

    supplier = "supplier"
    manufacturer = "manufacturer"
    warehouse = "warehouse"
    logistics = "logistics"
    distributor = "distributor"
    hospital = "hospital"
    regulator = "regulator"


class Custody(StrEnum):
    """Who must hold the stock at a location: we (own, logistics partner) or the consignee on our notice."""

    own = "own"
    logistics = "logistics"
    customer = "customer"


class ContactStatus(StrEnum):
    """What we know of a contact's reachability."""

    unverified = "unverified"
    verified = "verified"
    bounced = "bounced"
    left = "left"


class Party(StrEnum):
    """For whom a contact speaks: where the goods went, or who pays for them and can start the sub-recall."""

    ship_to = "ship_to"
    bill_to = "bill_to"
    """Gets a copy of each notice; chased only where no contact of the place itself can be reached."""


class Product(SQLModel, table=True):
    """One trade item at its unit of use, with the device flags that level assessment takes as hard inputs."""

    __tablename__ = "product"
    __table_args__ = (
        CheckConstraint(r"gtin ~ '^\d{14}$'", name="gtin_14_digits"),
        CheckConstraint(
            "device_class IS NULL OR device_class IN ('I','IIa','IIb','II','III')", name="device_class_known"
        ),
        CheckConstraint("(unit_value IS NULL) = (unit_currency IS NULL)", name="value_has_currency"),
        CheckConstraint("unit_value >= 0", name="value_not_negative"),
        CheckConstraint("unit_currency ~ '^[A-Z]{3}$'", name="currency_iso_4217"),
        Index("ix_product_family", "family"),
    )

    id: int | None = identity()
    code: str = text(120, unique=True)
    name: str = text(300)
    family: str | None = text(120, nullable=True)
    brand: str | None = text(120, nullable=True)
    gtin: str | None = text(14, nullable=True, unique=True)
    udi_di: str | None = text(60, nullable=True, index=True)
    unit_of_use: str = text(40)
    """What one counted unit is (test, syringe, kit); all mass-balance sums are in it."""
    device_class: str | None = text(4, nullable=True)
    implantable: bool = Field(default=False, nullable=False)
    life_supporting: bool = Field(default=False, nullable=False)
    sterile: bool = Field(default=False, nullable=False)
    expected_life_years: int | None = None
    unit_value: Decimal | None = quantity(nullable=True)
    """What one unit of use is worth, in `unit_currency`; approvals by value are decided by it."""
    unit_currency: str | None = text(3, nullable=True)
    """ISO 4217."""
    batch_id: int | None = ref("import_batch.id", nullable=True, index=True)


class PackageLevel(SQLModel, table=True):
    """A packaging of a product: how many units of use one of `unit` holds."""

    __tablename__ = "package_level"
    __table_args__ = (
        UniqueConstraint("product_id", "unit"),
        CheckConstraint("units_of_use > 0", name="positive"),
        CheckConstraint(r"gtin ~ '^\d{14}$'", name="gtin_14_digits"),
    )

    id: int | None = identity()
    product_id: int = ref("product.id")
    unit: str = text(40)
    units_of_use: Decimal = quantity()
    gtin: str | None = text(14, nullable=True, unique=True)
    batch_id: int | None = ref("import_batch.id", nullable=True, index=True)


class Partner(SQLModel, table=True):
    """A trading partner: supplier, manufacturer, warehouse, carrier, distributor, hospital or regulator."""

    __tablename__ = "partner"
    __table_args__ = (
        one_of("kind", PartnerKind),
        CheckConstraint("country IS NULL OR country ~ '^[A-Z]{2}$'", name="country_iso2"),
        CheckConstraint(r"gln ~ '^\d{13}$'", name="gln_13_digits"),
    )

    id: int | None = identity()
    code: str = text(160, unique=True)
    name: str = text(300)
    kind: str = text(20)
    country: str | None = text(2, nullable=True)
    region: str | None = text(120, nullable=True)
    language: str = text(12)
    """BCP 47 tag of the language notices go out in (en, zh-CN, ...)."""
    time_zone: str = text(64)
    gln: str | None = text(13, nullable=True, unique=True)
    onward_of_id: int | None = ref("partner.id", nullable=True)
    """Set when the partner is known only from a consignee's reply (sub-recall)."""
    group_name: str | None = text(120, nullable=True)
    """Hospital group or chain it belongs to."""
    account_manager: str | None = text(120, nullable=True)
    """Login name of whoever of our staff looks after it; without one the responsibilities by place count."""
    batch_id: int | None = ref("import_batch.id", nullable=True, index=True)


class Location(SQLModel, table=True):
    """A place where stock lies; its custody says who must lock it."""

    __tablename__ = "location"
    __table_args__ = (one_of("custody", Custody), CheckConstraint(r"gln ~ '^\d{13}$'", name="gln_13_digits"))

    id: int | None = identity()
    partner_id: int = ref("partner.id", index=True)
    code: str = text(160, unique=True)
    name: str = text(300)
    custody: str = text(12)
    gln: str | None = text(13, nullable=True, unique=True)
    quarantine_capacity: Decimal | None = quantity(nullable=True)
    """Units of use that may lie locked there; a warning, never a refusal."""
    batch_id: int | None = ref("import_batch.id", nullable=True, index=True)


class Contact(SQLModel, table=True):
    """A person or desk at a partner that notices go to, tried in `position` order."""

    __tablename__ = "contact"
    __table_args__ = (
        UniqueConstraint("partner_id", "position"),
        one_of("status", ContactStatus),
        one_of("party", Party),
        CheckConstraint("email IS NOT NULL OR phone IS NOT NULL OR webhook_url IS NOT NULL", name="reachable"),
        CheckConstraint("webhook_format IN ('json','fhir')", name="webhook_format_known"),
        CheckConstraint(
            "(webhook_url IS NULL) = (webhook_format IS NULL) AND (webhook_url IS NULL) = (webhook_key IS NULL)",
            name="webhook_whole",
        ),
        CheckConstraint(r"phone ~ '^\+[1-9][0-9]{6,14}$'", name="phone_e164"),
        CheckConstraint(
            f"channels <@ ARRAY[{KNOWN_SQL}]::varchar[] AND cardinality(channels) > 0", name="channels_known"
        ),
        Index("ix_contact_phone", "phone"),
        Index("ix_contact_bill_to", "partner_id", postgresql_where=sql("party = 'bill_to'")),
    )

    id: int | None = identity()
    partner_id: int = ref("partner.id")
    position: int = Field(nullable=False)
    name: str = text(200)
    role: str = text(80)
    party: str = Field(default="ship_to", sa_column=Column(String(8), nullable=False, server_default="ship_to"))
    email: str | None = text(320, nullable=True)
    phone: str | None = text(16, nullable=True)
    channels: list[str] = Field(sa_column=Column(ARRAY(String(10)), nullable=False))
    """Channels (`domain.channels`) in the order of preference."""
    webhook_url: str | None = text(500, nullable=True)
    """Where a system of the recipient takes notices, https."""
    webhook_format: str | None = text(8, nullable=True)
    """json (signed) or fhir (R4 Communication and Task)."""
    webhook_key: str | None = text(60, nullable=True)
    """Name of the key that signs both ways; the key itself is in the environment only."""
    status: str = Field(default="unverified", sa_column=Column(String(12), nullable=False, server_default="unverified"))
    sms_opted_out_at: datetime | None = instant(nullable=True)
    voice_opted_out_at: datetime | None = instant(nullable=True)
    batch_id: int | None = ref("import_batch.id", nullable=True, index=True)


__all__ = [
    "Contact",
    "ContactStatus",
    "Custody",
    "Location",
    "PackageLevel",
    "Partner",
    "PartnerKind",
    "Party",
    "Product",
]
