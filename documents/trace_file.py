"""The answer of a trace as JSON and as CSV, in pieces, so that fifty thousand sites need no text of their size.

Quantities and instants are text and exact; a path is the lot numbers from a root to the lot.
"""

import csv
import io
import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any, Final

from domain.trace_result import TracedSite, TraceResult

CSV_COLUMNS: Final = (
    "location_code", "custody", "partner_code", "country", "shipped_to", "received", "in_transit", "returned_in",
    "shipped_out", "returned_out", "consumed", "destroyed", "adjusted", "on_hand", "is_counted", "last_at",
)  # fmt: skip
_ROWS_PER_PIECE: Final = 500
_Names = dict[int, tuple[str, str, str]]
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def as_document(result: TraceResult) -> dict[str, Any]:
    """The result as plain JSON values."""
    return {
        "direction": result.direction,
        "lots": list(_lots(result)),
        "sites": list(_sites(_names(result), result.sites)),
        "gaps": list(_gaps(result)),
        "gap_counts": result.gap_counts(),
    }


def json_pieces(result: TraceResult) -> Iterator[str]:
    """`as_document` as JSON text, piece by piece."""
    yield _json_head(result)
    yield from _joined(_json(_sites(_names(result), result.sites)))
    yield from _json_tail(result)


async def json_stream(result: TraceResult, sites: AsyncIterable[Sequence[TracedSite]]) -> AsyncIterator[str]:
    """The same of a result whose places come by and by."""
    numbers = _names(result)
    yield _json_head(result)
    first = True
    async for part in sites:
        if part:
            yield ("" if first else ", ") + ", ".join(_json(_sites(numbers, part)))
            first = False
    for piece in _json_tail(result):
        yield piece


def csv_pieces(result: TraceResult) -> Iterator[str]:
    """One line per lot and place: product, lot, where it was made, and the figures of `CSV_COLUMNS`."""
    numbers = _names(result)
    yield _table([("product", "lot", "made_at", *CSV_COLUMNS)])
    for start in range(0, len(result.sites), _ROWS_PER_PIECE):
        yield _csv_part(numbers, result.sites[start : start + _ROWS_PER_PIECE])


async def csv_stream(result: TraceResult, sites: AsyncIterable[Sequence[TracedSite]]) -> AsyncIterator[str]:
    """The same of a result whose places come by and by."""
    numbers = _names(result)
    yield _table([("product", "lot", "made_at", *CSV_COLUMNS)])
    async for part in sites:
        yield _csv_part(numbers, part)


def _names(result: TraceResult) -> _Names:
    """One number may be two lots of two manufacturing sites."""
    return {lot.lot_id: (lot.product_code, lot.number, lot.site_code or "") for lot in result.lots}


def _csv_part(numbers: _Names, sites: Iterable[TracedSite]) -> str:
    return _table([_cell(value) for value in (*numbers[site.lot_id], *csv_values(site))] for site in sites)


def _table(rows: Iterable[Iterable[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def _json_head(result: TraceResult) -> str:
    lots = ", ".join(_json(_lots(result)))
    return f'{{"direction": {json.dumps(result.direction)}, "lots": [{lots}], "sites": ['


def _json_tail(result: TraceResult) -> Iterator[str]:
    yield '], "gaps": ['
    yield from _joined(_json(_gaps(result)))
    yield f'], "gap_counts": {json.dumps(result.gap_counts())}}}\n'


def _json(rows: Iterable[Any]) -> Iterator[str]:
    return (json.dumps(row, ensure_ascii=False) for row in rows)


def csv_values(site: TracedSite) -> list[Any]:
    """The values of `CSV_COLUMNS`."""
    return [plain_value(getattr(site, column)) for column in CSV_COLUMNS]


def plain_value(value: Any) -> Any:
    """A quantity or an instant as text, anything else as it is."""
    if isinstance(value, Decimal):
        return format(value.normalize() if value else Decimal(0), "f")
    return value.isoformat() if isinstance(value, date) else value


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is marked as text; figures stay as they are."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        try:
            Decimal(value)
        except ArithmeticError:
            return f"'{value}"
    return value


def _lots(result: TraceResult) -> Iterator[dict[str, Any]]:
    numbers = {lot.lot_id: lot.number for lot in result.lots}
    for lot in result.lots:
        yield _plain(asdict(lot)) | {"path": [numbers[step] for step in result.path(lot.lot_id)]}


def _sites(numbers: _Names, sites: Iterable[TracedSite]) -> Iterator[dict[str, Any]]:
    for site in sites:
        yield _plain(site._asdict()) | {"lot": numbers[site.lot_id][1]}


def _gaps(result: TraceResult) -> Iterator[dict[str, Any]]:
    for gap in result.gaps:
        yield {"kind": gap.kind} | gap.detail


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: plain_value(value) for key, value in values.items()}


def _joined(texts: Iterable[str]) -> Iterator[str]:
    piece: list[str] = []
    first = True
    for text in texts:
        piece.append(text)
        if len(piece) == _ROWS_PER_PIECE:
            yield ("" if first else ", ") + ", ".join(piece)
            piece, first = [], False
    if piece:
        yield ("" if first else ", ") + ", ".join(piece)


__all__ = [
    "CSV_COLUMNS",
    "as_document",
    "csv_pieces",
    "csv_stream",
    "csv_values",
    "json_pieces",
    "json_stream",
    "plain_value",
]
