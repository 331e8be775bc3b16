"""What somebody says was carried out, the job that makes of it, and what doing it changed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from db.repositories.ledger import Place
from db.repositories.returns import Counted, CountedIn
from domain.disposition import Fault
from models.disposition import Disposition


@dataclass(frozen=True, slots=True)
class ResultLotFacts:
    """The lot that came out of a rework."""

    number: str
    product_code: str | None = None
    """Where repackaging made another trade item; else the product stays."""
    expires_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What several parts may share: the document, the witness, the files, where the units went."""

    evidence_ids: tuple[str, ...]
    document_no: str | None = None
    witness: str | None = None
    authority_witness: str | None = None
    """Who of the authority watched a destruction."""
    location_id: int | None = None
    """Our dock where returned or exchanged units were counted in."""
    destination_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried(Common):
    """What somebody says was carried out; quantity in units of use."""

    quantity: Decimal
    result_lot: ResultLotFacts | None = None
    replacement_lot_id: int | None = None
    replacement_from_id: int | None = None
    """Place of ours the replacement was taken from."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What carrying a part out changed."""

    movement_id: int | None = None
    result_lot_id: int | None = None
    others: Mapping[str, Decimal] = field(default_factory=dict)
    """What the holds of other recalls lost at the place, in units of use."""
    missing: Decimal = Decimal(0)
    """Units this recall's hold lost because they were not found there any more."""
    counted: Counted | None = None
    counted_in: CountedIn | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A part to be carried out."""

    found: Disposition
    carried: Carried
    index: int | None = None
    """Its place among the parts of a request; None: the request is about this one only."""
    part: int = 1
    """The number it will have among the parts of its disposition."""

    @property
    def reference(self) -> str:
        """Names the part among our bookings."""
        return f"{self.found.recall_number}:disposition:{self.found.sequence}:{self.part}"

    @property
    def place(self) -> Place:
        """Lot and place of ours."""
        assert self.found.location_id is not None  # noqa: S101 - kinds for our places only get here with one
        return self.found.lot_id, self.found.location_id

    def request(self, who: Who) -> str:
        """Who asked for it, unique among the parts of the request."""
        return who.request if self.index is None else f"{who.request}:{self.found.sequence}"

    @contextmanager
    def named(self) -> Iterator[None]:
        """Around whatever may refuse it: of several, the refusal names which."""
        try:
            yield
        except DisposalRefused as error:
            if self.index is None:
                raise
            faults = error.faults or (Fault(f"parts/{self.index}", error.detail),)
            raise DisposalRefused(error.kind, f"Disposition {self.found.sequence}: {error.detail}", faults) from error


__all__ = ["Carried", "Common", "Job", "Moved", "ResultLotFacts"]
