"""The record of a recall as documents see it: one frozen value, read in one transaction, that assembly works on.

Quantities are units of use; instants are real; dates are those of the jurisdiction's zone. What nobody recorded is
None, never a default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from domain.hazard import HazardEvaluation
from domain.mass_balance import LotBalance


@dataclass(frozen=True, slots=True, kw_only=True)
class Firm:
    """The recalling firm as configured."""

    name: str
    country: str
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    fda_registration: str | None = None
    """Seven digits (21 CFR 806.10(c)(1))."""
    eu_srn: str | None = None
    """Single registration number of the manufacturer (MDR Art. 31)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What the document is for: the obligation or gate, its rule, and the clock it runs from."""

    subject: str
    """`{jurisdiction}:{name}`."""
    name: str
    obligation: str
    """The rule's id: the name without numbers of facts or of a series."""
    title: str
    title_zh: str
    source: str
    recipient: str | None = None
    deadline_id: int | None = None
    due_at: datetime | None = None
    clock: str | None = None
    clock_at: datetime | None = None
    complaint: int | None = None
    scope_version: int | None = None
    """Of an extension: the version that grew the scope."""
    number: int = 1
    """Of a series: which report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The class of one product line in the document's jurisdiction, as decided; the authority's own beside it."""

    line: str
    level: str
    term: str
    term_zh: str
    recall_class: str
    market_action: str
    decided_by: str
    decided_at: datetime
    reasons: tuple[str, ...]
    authority_class: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The newest signed health-hazard evaluation of one product line."""

    line: str
    form: HazardEvaluation
    assessor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One affected product."""

    code: str
    name: str
    brand: str | None
    family: str | None
    gtin: str | None
    udi_di: str | None
    unit: str
    device_class: str | None
    implantable: bool
    life_supporting: bool
    sterile: bool
    expected_life_years: int | None
    makers: tuple[str, ...]
    made_by_us: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """One lot in scope that reached consignees."""

    product_code: str
    product: str
    number: str
    site: str | None
    made_on: date | None
    expires_on: date | None
    made: Decimal | None
    shipped: Decimal
    added_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What one consignee received of one lot, with the day and quantity of each shipment on record."""

    consignee_id: int
    code: str
    name: str
    kind: str
    country: str | None
    phone: str | None
    tier: int
    product_code: str
    lot: str
    quantity: Decimal
    stated: bool
    """Known from another consignee's reply, not from our shipments."""
    shipments: tuple[tuple[date, Decimal], ...]
    added_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """One complaint."""

    sequence: int
    severity: str
    awareness_at: datetime
    patients: int | None
    description: str
    product_line: str | None
    lot: str | None
    reporter: str | None
    reported: Mapping[str, str] = field(default_factory=dict)
    """Jurisdiction -> reference of the report made on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Communication:
    """One body of a notice."""

    notice_version: int
    kind: str
    step: str
    channel: str
    language: str
    approved_at: datetime | None
    sha256: str
    subject: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far notices and answers are (21 CFR 7.53(b))."""

    consignees: int = 0
    notified: int = 0
    first_notified_at: datetime | None = None
    last_notified_at: datetime | None = None
    by_channel: Mapping[str, int] = field(default_factory=dict)
    responded: int = 0
    documented: int = 0
    on_hand: Decimal = Decimal(0)
    """As stated in the first answer of each consignee."""
    silent: tuple[tuple[str, str, str | None], ...] = ()
    """(code, name, country) of those notified that have not responded."""
    countries: tuple[tuple[str | None, int, Decimal], ...] = ()
    """(country, consignees, units shipped there)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Effectiveness checks of the newest round and over all rounds (21 CFR 7.42(b)(3), 7.53(b)(5))."""

    level: str
    percent: int
    population: int
    sample: int
    passed: int
    failed: int
    no_response: int
    pending: int
    outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capa:
    """One CAPA of the recall."""

    sequence: int
    title: str
    state: str
    cause: str | None
    cause_category: str | None
    actions: tuple[str, ...]
    effective: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposed:
    """Units decided on and carried out, by kind."""

    kind: str
    decided: Decimal
    done: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier submission of this recall."""

    subject: str
    kind: str
    version: int
    reference: str | None
    submitted_at: datetime
    report_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordView:
    """Everything a document may say about one recall, for one obligation."""

    number: str
    drill: bool
    phase: str
    title: str
    texts_language: str
    reason: Mapping[str, str]
    hazard: Mapping[str, str]
    """Language -> text."""
    trigger_source: str
    trigger_reference: str | None
    awareness_at: datetime
    geographic_scope: str | None
    scope_version: int
    jurisdiction: str
    authority: str
    authority_zh: str
    policy: str
    """`id@version sha256`."""
    zone: str
    today: date
    firm: Firm
    owed: Owed
    clocks: Mapping[str, datetime]
    lines: tuple[Line, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    products: tuple[Product, ...] = ()
    lots: tuple[Lot, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    harms: tuple[Harm, ...] = ()
    communications: tuple[Communication, ...] = ()
    strategy: Mapping[str, Any] | None = None
    progress: Progress = field(default_factory=Progress)
    checks: Checks | None = None
    balance: tuple[LotBalance, ...] = ()
    capas: tuple[Capa, ...] = ()
    disposed: tuple[Disposed, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    """Oldest first."""
    daily_sequence: int = 1
    """Number of the next 806 report of the firm on `today` (21 CFR 806.10(c)(1))."""
    extension_reasons: Mapping[int, str] = field(default_factory=dict)
    """Scope version -> why it grew the scope."""
    justifications: tuple[str, ...] = ()
    """Signed statements why something is not reportable, with who signed and when (21 CFR 806.20(b)(4))."""
    answers: tuple[str, ...] = ()
    """Authorities' words on record: instant, answer, reference."""


__all__ = [
    "Capa",
    "Checks",
    "Communication",
    "Delivery",
    "Disposed",
    "Earlier",
    "Evaluation",
    "Firm",
    "Harm",
    "Line",
    "Lot",
    "Owed",
    "Product",
    "Progress",
    "RecordView",
]
