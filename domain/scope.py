"""What a recall starts from: the criteria a person names, and the counts the trace answers with.

Criteria name lots directly (one by one, as a range, by serial numbers), or describe them by product, family, brand,
supplier lot, manufacturing site or document, narrowed by dates. They select *root* lots; the trace adds every lot made
from them. Unknown names are errors, never ignored.
How far the product went (local ... global) is `domain.geographic_scope`.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from domain.natural_order import natural_key

Number = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=160)]
_Closed = ConfigDict(frozen=True, extra="forbid")


class LotRef(BaseModel):
    """A lot as printed: product code and lot number. Without `site_code` the lot of every manufacturing site counts."""

    model_config = _Closed

    product_code: Code
    number: Number
    site_code: Code | None = None

    def __str__(self) -> str:
        site = f" of site {self.site_code}" if self.site_code else ""
        return f"{self.product_code}:{self.number}{site}"


class _Range(BaseModel):
    """Every number of one product between two, both included, in the natural order (`domain.natural_order`)."""

    model_config = _Closed

    product_code: Code
    first: Number
    last: Number

    @model_validator(mode="after")
    def _runs_upwards(self) -> Self:
        if natural_key(self.first) > natural_key(self.last):
            raise ValueError("first must not come after last")
        return self

    def __str__(self) -> str:
        return f"{self.product_code}:{self.first}..{self.last}"


class LotRange(_Range):
    """Lots of one product by number. Neither end need be on record; some lot between them must be.

    Without `site_code` lots of every manufacturing site count.
    """

    site_code: Code | None = None


class SerialRef(BaseModel):
    """One serialised unit as printed: product code and serial number; of whatever lot it is on record."""

    model_config = _Closed

    product_code: Code
    number: Number

    def __str__(self) -> str:
        return f"{self.product_code}:{self.number}"


class SerialRange(_Range):
    """Serialised units of one product by number. Neither end need be on record; some unit between them must be."""


class Window(BaseModel):
    """Half-open span of time: `start` belongs to it, `end` does not; an open side has no limit."""

    model_config = _Closed

    start: AwareDatetime | None = None
    end: AwareDatetime | None = None

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self.start is None and self.end is None:
            raise ValueError("give start, end or both")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError("start must be before end")
        return self


class ScopeCriteria(BaseModel):
    """Which lots a recall starts from.

    * `lots` and `lot_ranges` are taken as named, whatever the other fields say. So are `serials` and `serial_ranges`:
      the lot of a named unit is in scope, and of that lot these units are affected unless something else names it.
    * `product_codes`, `families`, `brands`, `supplier_lots`, `manufacturing_sites` (location codes), `documents`
      (numbers of delivery, receipt or return documents a lot is on) are *selectors*: values inside one of them are
      alternatives (OR), several of them must all hold (AND).
    * `made_from`/`made_to` (both included), `received`, `shipped` narrow the selectors. `shipped`: the lot was shipped
      from anywhere in that window; `received`: it arrived anywhere in it (receipt, or shipment recorded on delivery).
    * A described lot whose making date is unknown counts as made inside the window: leaving it out could miss a
      patient. The trace reports it as the gap `undated_lot`.
    * At least one lot or one selector is needed; dates alone would name the whole firm's production.
    """

    model_config = _Closed

    lots: tuple[LotRef, ...] = Field(default=(), max_length=10_000)
    product_codes: tuple[Code, ...] = Field(default=(), max_length=10_000)
    families: tuple[Code, ...] = Field(default=(), max_length=1_000)
    brands: tuple[Code, ...] = Field(default=(), max_length=1_000)
    supplier_lots: tuple[Code, ...] = Field(default=(), max_length=10_000)
    manufacturing_sites: tuple[Code, ...] = Field(default=(), max_length=1_000)
    documents: tuple[Number, ...] = Field(default=(), max_length=1_000)
    lot_ranges: tuple[LotRange, ...] = Field(default=(), max_length=1_000)
    serials: tuple[SerialRef, ...] = Field(default=(), max_length=10_000)
    serial_ranges: tuple[SerialRange, ...] = Field(default=(), max_length=1_000)
    made_from: date | None = None
    made_to: date | None = None
    received: Window | None = None
    shipped: Window | None = None

    @property
    def selects(self) -> bool:
        """Whether lots are described by selectors, beside those named."""
        return bool(
            self.product_codes
            or self.families
            or self.brands
            or self.supplier_lots
            or self.manufacturing_sites
            or self.documents
        )

    @property
    def names(self) -> bool:
        """Whether lots are named, by number, range or serial."""
        return bool(self.lots or self.lot_ranges or self.serials or self.serial_ranges)

    @property
    def narrowed(self) -> bool:
        """Whether dates narrow the selectors."""
        return any(limit is not None for limit in (self.made_from, self.made_to, self.received, self.shipped))

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.names and not self.selects:
            raise ValueError(
                "name at least one of lots, lot_ranges, serials, serial_ranges, product_codes, families, brands,"
                " supplier_lots, manufacturing_sites, documents"
            )
        if self.narrowed and not self.selects:
            raise ValueError(
                "dates narrow product, family, brand, supplier lot, site or document; lots are taken as named"
            )
        if self.made_from is not None and self.made_to is not None and self.made_from > self.made_to:
            raise ValueError("made_from must not be after made_to")
        return self


class UnknownScope(ValueError):  # noqa: N818 - a term of the API: the scope names something unknown
    """The criteria name something that is not on record, or nothing on record fits them all.

    `unknown` lists each as `{"field": ..., "value": ...}`, in the order it was given.
    """

    def __init__(self, unknown: Iterable[dict[str, Any]]) -> None:
        self.unknown = tuple(unknown)
        super().__init__("; ".join(f"{item['field']}: {item['value']}" for item in self.unknown))


class ScopeSummary(BaseModel):
    """What the trace of one scope version found, as counts."""

    model_config = _Closed

    lots: int
    consignees: int
    sites: int
    """Customer locations that received the product."""
    quantity: Decimal
    """Units of use shipped to customers, each unit once however often it was passed on."""
    returned: Decimal
    """Units of use that came back from customers to our own or logistics custody."""
    gaps: dict[str, int]
    """Count by kind."""
    countries: tuple[str, ...]
    """ISO 3166-1 alpha-2 codes of the consignees, sorted."""
    added_consignees: int = 0
    """Consignees this run added: zero when nothing new is on record."""
    changes: int = 0
    """Lots, quantities, serials and gaps this run added, changed or closed."""
    run: int | None = None
    """Number of the frozen result this trace made; None: what was frozen last still holds."""
    run_sha256: str | None = None


__all__ = [
    "LotRange",
    "LotRef",
    "ScopeCriteria",
    "ScopeSummary",
    "SerialRange",
    "SerialRef",
    "UnknownScope",
    "Window",
]
