"""What a recall does about a goods document: stop it, or only watch it.

A document that names a lot of the scope is stopped: nothing is picked, shipped or received on it. Two are watched
instead. One that names only the product gets its lot later, and a held lot cannot be allocated, so stopping it would
stop unaffected goods; one that names a lot we cannot tell from one in scope is stopped. A return brings goods back
into our hands, where they are held on arrival; a return that is stopped keeps suspect goods outside.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from domain.inventory import Document, DocumentKind, DocumentLine, DocumentState

NOT_STOPPED: Final = frozenset({DocumentKind.RETURN})
"""Kinds that bring goods into our custody on the way back."""


def document_key(recall_number: str, document_id: int, turn: int = 0) -> str:
    """The idempotency key of a stop at its keeper; one that ended and is asked for again has a new one."""
    return f"{recall_number}:document:{document_id}" + (f":{turn}" if turn else "")


def named_lots(document: Document, scope: Collection[int]) -> list[int]:
    """Lots of the scope that the document names, or may name, sorted."""
    named = {line.lot_id for line in document.lines if line.lot_id is not None}
    return sorted(named.union(*(line.may_be for line in document.lines)) & set(scope))


def stops(kind: str, lots: Collection[int]) -> bool:
    """Whether a document that names these lots of the scope is stopped, or only watched."""
    return bool(lots) and kind not in NOT_STOPPED


def lines_of(document: Document) -> list[dict[str, Any]]:
    """The lines as they are kept and shown."""
    return [
        {"product": each.product_code, "lot": each.lot_id, "quantity": f"{each.quantity.normalize():f}"}
        | ({"unclear": True} if each.may_be else {})
        for each in document.lines
    ]


def document_from(
    number: str,
    kind: str,
    location_id: int,
    other_location_id: int | None,
    lines: Collection[dict[str, Any]],
    source: str = "",
) -> Document:
    """The document as its keeper is asked about it."""
    return Document(
        number=number,
        kind=DocumentKind(kind),
        state=DocumentState.OPEN,
        location_id=location_id,
        other_location_id=other_location_id,
        lines=tuple(DocumentLine(each["product"], each["lot"], Decimal(each["quantity"])) for each in lines),
        source=source,
    )


def document_keys(recall_number: str, document_id: int, turn: int) -> list[str]:
    """Every key the document was ever stopped under, oldest first."""
    return [document_key(recall_number, document_id, each) for each in range(turn + 1)]


def distinct(documents: Iterable[Document]) -> list[Document]:
    """Each document once, with all lines named for it: a keeper may list one in several rows or pages."""
    found: dict[tuple[str, str, str, int], Document] = {}
    for each in documents:
        key = each.source, each.kind.value, each.number, each.location_id
        before = found.setdefault(key, each)
        if before is not each:
            is_open = DocumentState.OPEN in (before.state, each.state)
            lines = tuple(dict.fromkeys((*before.lines, *each.lines)))
            found[key] = replace(before, lines=lines, state=DocumentState.OPEN if is_open else before.state)
    return list(found.values())


__all__ = [
    "NOT_STOPPED",
    "distinct",
    "document_from",
    "document_key",
    "document_keys",
    "lines_of",
    "named_lots",
    "stops",
]
