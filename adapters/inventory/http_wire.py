"""What goes over the wire to a keeper's HTTP interface (`docs/inventory-api.yaml`), as values.

Quantities are decimal text with a named unit. A row that is not what the contract says is told apart from a document
that is not: the row is left out and noted, the document is no answer.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adapters.inventory.base import InventoryError
from domain.inventory import DocumentKind, DocumentState, LotName, PositionState

UNIT_OF_USE: Final = "unit-of-use"
"""Name of the product's unit of use, whatever the product calls it."""


def _decimal(given: object) -> Decimal:
    if not isinstance(given, str) or len(given) > 30 or not given.isascii():
        raise ValueError("expected a decimal number as text")
    try:
        found = Decimal(given)
    except InvalidOperation:
        raise ValueError("expected a decimal number as text") from None
    if not found.is_finite() or found < 0 or found >= 10**14 or found != round(found, 6):
        raise ValueError("expected 0 to 99999999999999.999999 with at most six decimals")
    return found


Code = Annotated[str, Field(min_length=1, max_length=160)]
Key = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=2000)]
Amount = Annotated[Decimal, BeforeValidator(_decimal)]

HALVED: Final = frozenset({400, 409, 413, 422})
"""Refusals that may be meant for one of many; each half is asked for itself."""


class Wire(BaseModel):
    """Unknown members are ignored: a keeper may say more than the contract asks for."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Lot(Wire):
    """A lot by product, lot number and, where the keeper knows it, manufacturing site."""

    product: Code
    number: Annotated[str, Field(min_length=1, max_length=80)]
    site: Code | None = None

    @property
    def name(self) -> LotName:
        """As our record's directory knows it."""
        return LotName(self.product, self.number, self.site)


class Quantity(Wire):
    """An amount in a named unit."""

    amount: Amount
    unit: Annotated[str, Field(min_length=1, max_length=40)]


class StockRow(Wire):
    """A quantity of a lot at a place."""

    lot: Lot
    place: Code
    state: PositionState
    quantity: Quantity
    document: Annotated[str, Field(max_length=80)] | None = None


class HoldState(Wire):
    """How a hold stands at the keeper."""

    key: Key
    status: Literal["pending", "held", "refused", "released", "unknown"]
    reference: Annotated[str, Field(max_length=120)] | None = None
    lot: Lot | None = None
    place: Code | None = None
    asked: Quantity | None = None
    held: Quantity | None = None
    by: Annotated[str, Field(max_length=80)] | None = None
    reason: Text | None = None


class LineRow(Wire):
    """A line of a document; without a lot number the keeper allocates lots later."""

    product: Code
    number: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    site: Code | None = None
    quantity: Quantity

    @property
    def lot_name(self) -> LotName | None:
        """As our record's directory knows the lot; None where lots are allocated later."""
        return LotName(self.product, self.number, self.site) if self.number is not None else None


class DocumentRow(Wire):
    """A document that moves, reserves or brings goods."""

    number: Annotated[str, Field(min_length=1, max_length=80)]
    kind: DocumentKind
    state: DocumentState
    place: Code
    other_place: Code | None = None
    lines: Annotated[list[LineRow], Field(max_length=10_000)]


class BlockState(Wire):
    """How a document stands after it was blocked, cancelled or freed."""

    key: Key
    number: Annotated[str, Field(min_length=1, max_length=80)]
    state: DocumentState
    reference: Annotated[str, Field(max_length=120)] | None = None


class DisposalState(Wire):
    """What became of a disposal."""

    key: Key
    status: Literal["booked", "pending"]
    reference: Annotated[str, Field(max_length=120)] | None = None
    quantity: Quantity | None = None


class ShipmentState(Wire):
    """How the order of a replacement stands."""

    key: Key
    status: Literal["pending", "open", "blocked", "cancelled", "done"]
    number: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    reference: Annotated[str, Field(max_length=120)] | None = None


class RefusedLot(Wire):
    """A lot whose status the keeper does not take."""

    lot: Lot
    reason: Text


class ChangeRow(Wire):
    """Something that may concern a recall."""

    lot: Lot
    place: Code | None = None
    what: Literal["stock", "document", "hold", "disposal"]


Row = TypeVar("Row", bound=Wire)


class BadRow(NamedTuple):
    """A row that is not what the contract says."""

    given: Any
    """As it came; None where the fault is that of the answer as a whole."""
    fault: str


def rows(keeper: str, body: Mapping[str, Any], member: str, kind: type[Row]) -> tuple[list[Row], list[BadRow]]:
    """The rows of an answer, and those that are none.

    Raises:
        InventoryError: the answer has no such list.
    """
    given = body.get(member)
    if not isinstance(given, list):
        raise InventoryError(f"{keeper}: its answer has no list {member!r}")
    good: list[Row] = []
    bad: list[BadRow] = []
    for each in given:
        try:
            good.append(kind.model_validate(each))
        except ValidationError as error:
            bad.append(BadRow(each, fault(error)))
    return good, bad


def whole(keeper: str, body: Mapping[str, Any], kind: type[Row]) -> Row:
    """An answer that is one document.

    Raises:
        InventoryError: it is not what the contract says.
    """
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise InventoryError(f"{keeper}: its answer is not what the contract says: {fault(error)}") from None


def fault(error: ValidationError) -> str:
    """The first fault, by member; no value of the answer is repeated."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "row"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def amount(quantity: Decimal) -> dict[str, str]:
    """Units of use as the wire carries them."""
    return {"amount": f"{quantity.normalize():f}", "unit": UNIT_OF_USE}


def lot_of(name: LotName) -> dict[str, str]:
    """A lot as the wire carries it."""
    site = {"site": name.site_code} if name.site_code is not None else {}
    return {"product": name.product_code, "number": name.number} | site


def page_of(body: Mapping[str, Any], keeper: str, seen: Sequence[str]) -> str | None:
    """The token of the next page; None at the end.

    Raises:
        InventoryError: the keeper names a page a second time, and would do so for ever.
    """
    token = body.get("next")
    if token is None or token == "":
        return None
    if not isinstance(token, str) or len(token) > 500 or token in seen:
        raise InventoryError(f"{keeper}: the pages of its answer do not end")
    return token


__all__ = [
    "HALVED",
    "UNIT_OF_USE",
    "BadRow",
    "BlockState",
    "ChangeRow",
    "DisposalState",
    "DocumentRow",
    "HoldState",
    "LineRow",
    "Lot",
    "Quantity",
    "RefusedLot",
    "Row",
    "ShipmentState",
    "StockRow",
    "Wire",
    "amount",
    "fault",
    "lot_of",
    "page_of",
    "rows",
    "whole",
]
