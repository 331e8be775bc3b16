"""Keyset pages with opaque, signed cursors: stable while rows are being added.

A cursor holds the sort values of the last row seen and the name of the list it belongs to; it is signed,
so a client can neither forge one nor carry it to another list or to other filters.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query
from itsdangerous import BadSignature, URLSafeSerializer

from api.problems import Problem
from models.schemas_common import Page

Row = TypeVar("Row")
Item = TypeVar("Item")

Limit = Annotated[int, Query(ge=1, le=200, description="Rows per page.")]
Cursor = Annotated[
    str | None, Query(max_length=1000, description="`next_cursor` of the page before; empty for the first page.")
]


class Cursors:
    """Signs and reads the cursors of this installation."""

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeSerializer(secret, salt="recall.cursor")

    def write(self, listing: str, values: Sequence[Any]) -> str:
        """A cursor after the row with these sort values (JSON scalars)."""
        signed = self._serializer.dumps([listing, list(values)])
        return signed.decode() if isinstance(signed, bytes) else signed

    def read(self, listing: str, cursor: str | None) -> list[Any] | None:
        """The sort values to continue after, or None for the first page.

        Raises:
            Problem: 400 when the cursor was not issued for this listing.
        """
        if not cursor:
            return None
        try:
            owner, values = self._serializer.loads(cursor)
        except (BadSignature, ValueError, TypeError):
            raise Problem("bad_cursor", "Use `next_cursor` exactly as the page before gave it.") from None
        if owner != listing or not isinstance(values, list):
            raise Problem("bad_cursor", "This cursor belongs to another list or to other filters.")
        return values


def listing_name(base: str, **filters: Any) -> str:
    """A list together with its filters: a cursor must not survive a change of either."""
    given = json.dumps({key: str(value) for key, value in sorted(filters.items()) if value is not None})
    return f"{base}:{hashlib.sha256(given.encode()).hexdigest()[:16]}"


def page_of(
    rows: Sequence[Row],
    limit: int,
    to_item: Callable[[Row], Item],
    to_cursor: Callable[[Row], str],
) -> Page[Item]:
    """A page from `limit + 1` rows read: the extra one only says that there is more."""
    shown = rows[:limit]
    following = to_cursor(shown[-1]) if len(rows) > limit else None
    return Page[Item](items=[to_item(row) for row in shown], next_cursor=following)


__all__ = ["Cursor", "Cursors", "Limit", "listing_name", "page_of"]
