"""HTTP contracts of nonconformities and of the codes that records carry."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, field_validator

from domain.nonconformity import NcDisposition, NcSeverity, NcSource, NcState
from models.quality import LinkKind
from models.schemas_common import Block, Code, In, Line, Out, Reason, Units
from models.schemas_recall import EARLIEST_AWARENESS, Jurisdiction, LanguageTag, PlaceIn, RecallTexts

EvidenceIds = Annotated[list[UUID], Field(default_factory=list, max_length=50)]
LotIds = Annotated[list[Annotated[int, Field(ge=1, le=2**53)]], Field(min_length=1, max_length=5000)]
ImdrfCode = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=12, pattern="^[A-Z0-9]*$")]
Codes = Annotated[list[ImdrfCode], Field(max_length=20)]
NcNumberText = Annotated[str, StringConstraints(pattern=r"^NC-[0-9]{4}-[0-9]{6}$")]
RecallNumberText = Annotated[str, StringConstraints(pattern=r"^R[CD]-[0-9]{4}-[0-9]{6}$")]


class NcLotIn(In):
    """A lot concerned."""

    product_code: Code
    number: Annotated[Code, Field(max_length=80)]
    quantity: Annotated[Decimal, Field(ge=0, le=Decimal("1e12"), decimal_places=6)] | None = None
    """Units of use; left out: the whole lot."""


class NonconformityIn(In):
    """What was found, where, when and by whom."""

    title: Line
    source: NcSource
    reference: Line | None = None
    """Number of the report, complaint or audit it comes from."""
    severity: NcSeverity
    description: Block
    detected_at: AwareDatetime
    """The first instant anybody of the firm knew; a recall started from it takes its awareness from here."""
    detected_by: Code | None = None
    """Principal who found it; the caller when left out."""
    product_code: Code | None = None
    site_code: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=160)] | None = None
    supplier_code: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=160)] | None = None
    lots: Annotated[list[NcLotIn], Field(max_length=5000)] = Field(default_factory=list)
    containment: Reason | None = None
    """What was done at once: segregated, marked, stopped."""
    codes: Codes = Field(default_factory=list)
    """IMDRF codes of annexes A (problem), B to D (investigation) and G (component)."""
    evidence_ids: EvidenceIds
    drill: bool = False

    @field_validator("detected_at")
    @classmethod
    def _is_of_this_age(cls, detected_at: datetime) -> datetime:
        if detected_at < EARLIEST_AWARENESS:
            raise ValueError("expected an instant since 1970")
        return detected_at

    @field_validator("source")
    @classmethod
    def _is_not_ours_alone(cls, source: NcSource) -> NcSource:
        if source is NcSource.RECALL_HOLD:
            raise ValueError("recall_hold is recorded by a recall's end alone")
        return source


class NcInvestigationIn(In):
    """What was looked into and found."""

    account: Annotated[Block, Field(max_length=8000)]
    severity: NcSeverity | None = None
    """As judged now; stays when left out."""
    codes: Codes | None = None
    """Replaces the codes; they stay when left out."""
    evidence_ids: EvidenceIds


class NcDecisionIn(In):
    """What becomes of the units of some lots."""

    lot_ids: LotIds
    disposition: NcDisposition
    justification: Reason
    evidence_ids: EvidenceIds


class NcConcessionIn(In):
    """The second signature under the use of lots that do not conform."""

    lot_ids: LotIds


class NcCloseIn(In):
    """What came of it."""

    conclusion: Reason


class NcReopenIn(In):
    """Why it is open again."""

    reason: Reason


class NcLinkIn(In):
    """A recall it belongs to."""

    recall_number: RecallNumberText
    reason: Reason


class NcRecallIn(In):
    """A recall started from the nonconformity; lots and awareness come from it."""

    title: Line
    hazard: Block
    """What it can do to a patient or user."""
    reason: Block | None = None
    """What is wrong with the product; the nonconformity's description when left out."""
    texts_language: LanguageTag = "en"
    translations: Annotated[dict[LanguageTag, RecallTexts], Field(max_length=30)] = Field(default_factory=dict)
    jurisdictions: Annotated[list[Jurisdiction], Field(min_length=1, max_length=20)]
    places: Annotated[dict[Jurisdiction, PlaceIn], Field(max_length=20)] = Field(default_factory=dict)
    owner: Line


class CodeOut(Out):
    """One term of the code list."""

    code: str
    annex: str
    parent: str | None
    term: str
    definition: str | None
    fda_code: str | None
    retired_at: datetime | None


class CodeListOut(Out):
    """A loaded version of the code list."""

    version: str
    valid_from: datetime
    file_name: str
    sha256: str
    terms: int
    loaded_by: str
    loaded_at: datetime


class NcItem(Out):
    """A nonconformity in a list."""

    number: str
    title: str
    source: NcSource
    severity: NcSeverity
    state: NcState
    detected_at: datetime
    recorded_at: datetime
    closed_at: datetime | None
    drill: bool


class NcLotOut(Out):
    """One lot concerned, and what was decided about it."""

    lot_id: int
    number: str
    product_code: str
    quantity: Units | None
    disposition: NcDisposition | None
    justification: str | None
    decided_by: str | None
    decided_at: datetime | None
    second_by: str | None
    second_at: datetime | None
    taken_back_at: datetime | None
    """The recall took it into its scope again."""
    held: Units
    """Units that still lie under a nonconformity hold of a linked recall."""


class NcLinkOut(Out):
    """A recall it belongs to."""

    recall_number: str
    kind: LinkKind
    reason: str | None
    linked_by: str
    linked_at: datetime


class NcOut(NcItem):
    """A nonconformity with everything about it."""

    reference: str | None
    description: str
    product_code: str | None
    site_code: str | None
    supplier_code: str | None
    detected_by: str
    recorded_by: str
    containment: str | None
    investigation: str | None
    investigated_by: str | None
    investigated_at: datetime | None
    conclusion: str | None
    closed_by: str | None
    reopened: int
    codes: list[CodeOut]
    lots: list[NcLotOut]
    recalls: list[NcLinkOut]
    evidence_ids: dict[str, list[UUID]]
    """Files by what they prove: recorded, investigation, decision."""
    open: list[str]
    """What keeps it from being closed."""


class AuditEventShort(Out):
    """One event of a file's chain."""

    seq: int
    at: datetime
    actor: str
    role: str
    action: str
    reason: str | None


class NcChainOut(Out):
    """The audit chain of a file, and whether every link fits."""

    events: list[AuditEventShort]
    first_broken: int | None
    state: Literal["intact", "broken"]


__all__ = [
    "AuditEventShort",
    "CodeListOut",
    "CodeOut",
    "Codes",
    "NcChainOut",
    "NcCloseIn",
    "NcConcessionIn",
    "NcDecisionIn",
    "NcInvestigationIn",
    "NcItem",
    "NcLinkIn",
    "NcLinkOut",
    "NcLotOut",
    "NcNumberText",
    "NcOut",
    "NcRecallIn",
    "NcReopenIn",
    "NonconformityIn",
]
