"""A CSV of costs as typed rows: which separator, which columns, which cells are wrong and what was expected there."""

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, ValidationError

from db.repositories.cost_import import CostRow
from domain.capa import CauseCategory
from domain.costs import CostKind
from models.schemas_common import Code, FieldProblem, In, Line
from models.schemas_costs import Currency, ShortCode
from models.schemas_disposition import Amount, DocumentNo, Id

MAX_BYTES: Final = 2 * 1024 * 1024
MAX_ROWS: Final = 5_000
_SEPARATORS: Final = (",", ";", "\t")


def _unquoted(value: object) -> object:
    return value[1:] if isinstance(value, str) and value[:2] in ("'=", "'+", "'-", "'@") else value


class CostLine(In):
    """One row; what an entry belongs to is named by code, `reference` is what the sender calls the entry."""

    reference: Annotated[Code, BeforeValidator(_unquoted)]
    kind: CostKind
    amount: Annotated[Decimal, Field(allow_inf_nan=False, max_digits=18, decimal_places=4)]
    currency: Currency
    incurred_on: date | None = None
    lot: Line | None = None
    consignee: Line | None = None
    location: Line | None = None
    disposition: Id | None = None
    cause: CauseCategory | None = None
    quantity: Amount | None = None
    document_no: DocumentNo | None = None
    company: Code | None = None
    jurisdiction: ShortCode | None = None
    note: Line | None = None


COLUMNS: Final = tuple(CostLine.model_fields)


class CostSheetRefused(In, frozen=True):
    """Why a file was not read."""

    errors: tuple[FieldProblem, ...]


def read_costs(content: bytes) -> list[CostRow] | CostSheetRefused:
    """The rows of a file, or every wrong cell by line and column; the titles are line 1."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _refused("file", f"UTF-8 text; byte {error.start + 1} is none")
    title = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=title.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        table = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        return _refused("file", f"CSV; line {reader.line_num}: {error}")
    if len(table) < 2:
        return _refused("file", f"a line of titles and at least one row; titles are {', '.join(COLUMNS)}")
    if len(table) > MAX_ROWS + 1:
        return _refused("file", f"at most {MAX_ROWS} rows; send it in parts")
    return _rows([cell.strip().lower() for cell in table[0][1]], table[1:])


def _rows(titles: list[str], table: list[tuple[int, list[str]]]) -> list[CostRow] | CostSheetRefused:
    unknown = [title for title in titles if title not in COLUMNS]
    if unknown or len(set(titles)) < len(titles):
        return _refused("rows/1", f"each title once, of {', '.join(COLUMNS)}; got {', '.join(titles)[:200]}")
    rows: list[CostRow] = []
    errors: list[FieldProblem] = []
    for line, cells in table:
        if len(cells) > len(titles):
            errors.append(FieldProblem(pointer=f"#/rows/{line}", detail=f"expected {len(titles)} cells"))
            continue
        given = {title: cell.strip() for title, cell in zip(titles, cells, strict=False) if cell.strip()}
        try:
            found = CostLine.model_validate(given)
        except ValidationError as error:
            errors += [
                FieldProblem(pointer="/".join(["#/rows", str(line), *map(str, each["loc"])]), detail=each["msg"])
                for each in error.errors(include_url=False, include_input=False, include_context=False)
            ]
            continue
        plain = {"kind": found.kind.value, "cause": found.cause.value if found.cause else None}
        rows.append(CostRow(line=line, **found.model_dump() | plain))
    return CostSheetRefused(errors=tuple(errors[:1000])) if errors else rows


def _refused(pointer: str, expected: str) -> CostSheetRefused:
    return CostSheetRefused(errors=(FieldProblem(pointer=f"#/{pointer}", detail=f"expected {expected}"),))


__all__ = ["COLUMNS", "MAX_BYTES", "MAX_ROWS", "CostSheetRefused", "read_costs"]
