"""Goods documents over HTTP: which a keeper has open, and stopping them.

A row that cannot be read is left out; where it may name a lot that was asked about the answer says so, because nobody
stops a document that is not known.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, Self

from pydantic import ValidationError

from adapters.inventory.assigned import Notes
from adapters.inventory.base import Directory, InventoryError
from adapters.inventory.http_client import KeeperClient, Refused, one_line
from adapters.inventory.http_lots import AskedLots
from adapters.inventory.http_names import Units, in_groups
from adapters.inventory.http_pages import Pages
from adapters.inventory.http_wire import BadRow, BlockState, DocumentRow, LineRow, lot_of, whole
from domain.goods_documents import distinct
from domain.inventory import Document, DocumentAnswer, DocumentLine, Documents, LotName, UnreadDocument
from domain.keepers import Skipped

LOTS_ASKED: Final = 500
"""Lots in one question."""
_NOT_FOUND: Final = 404
_OVER: Final = frozenset({"cancelled", "done"})
"""States of a document that moves nothing any more."""
_PLACE: Final = "the place is not on record"


class HttpDocuments:
    """Documents of one keeper."""

    def __init__(self, name: str, client: KeeperClient, directory: Directory, pages: Pages, skipped: Notes) -> None:
        self._name = name
        self._client = client
        self._directory = directory
        self._pages = pages
        self._skipped = skipped

    async def documents(self, lot_ids: Sequence[int]) -> Documents:
        """See `InventoryAdapter.documents`."""
        asked = await self._directory.lot_names(sorted(set(lot_ids)))
        found: list[Document] = []
        unread: list[UnreadDocument] = []
        for group in in_groups(sorted(asked), LOTS_ASKED):
            names = [asked[each] for each in group]
            query = {
                "lots": [lot_of(name) for name in names],
                "products": sorted({name.product_code for name in names}),
            }
            given, bad = await self._pages.all("/documents/query", query, "documents", DocumentRow)
            found += await self._read(given, bad, asked, unread)
        return Documents(distinct(found), dict.fromkeys(unread))

    async def _read(
        self,
        given: Sequence[DocumentRow],
        bad: Sequence[BadRow],
        asked: Mapping[int, LotName],
        unread: list[UnreadDocument],
    ) -> list[Document]:
        """The documents, in our words; what cannot be read and may name a lot asked about is added to `unread`."""
        codes = {row.place for row in given} | {row.other_place for row in given if row.other_place is not None}
        places = await self._directory.place_ids(sorted(codes))
        broken = [(row, _lines(row.given)) for row in bad]
        every = [line for row in given for line in row.lines] + [line for _, lines in broken for line in lines]
        reader = await _Reader.of(self._directory, asked, every)
        notes, found = list[Skipped](), list[Document]()
        for row, lines in broken:
            if not _over(row.given) and reader.doubt(lines) is not None:
                number = _number(row.given)
                subject = "" if row.given is None else f"document {number or 'without a number'}: "
                unread.append(UnreadDocument(number, subject + row.fault))
        for each in given:
            doubt = reader.doubt(each.lines)
            if each.place in places:
                found.append(await reader.document(each, places, notes))
                doubt = None if reader.named(each.lines) else doubt
            else:
                notes.append(Skipped("document", f"{each.number} at {one_line(each.place)}", _PLACE))
                doubt = doubt and f"place: {one_line(each.place)!r} is not on record"
            if doubt is not None and each.state.value not in _OVER:
                unread.append(UnreadDocument(each.number, f"document {one_line(each.number)}: {doubt}"))
        if notes:
            await self._skipped(notes)
        return found

    async def block(self, key: str, claimant: str, document: Document, *, cancel: bool = False) -> DocumentAnswer:
        """See `InventoryAdapter.block`."""
        body = {
            "key": key,
            "claimant": claimant,
            "number": document.number,
            "kind": document.kind.value,
            "cancel": cancel,
        }
        reply = await self._client.post("/documents/block", body)
        state = whole(self._name, reply.body, BlockState)
        if state.number != document.number:
            raise InventoryError(f"{self._name}: its answer speaks of another document")
        return self._answer(key, state)

    async def unblock(self, key: str) -> DocumentAnswer | None:
        """See `InventoryAdapter.unblock`."""
        try:
            reply = await self._client.post("/documents/unblock", {"key": key})
        except Refused as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return self._answer(key, whole(self._name, reply.body, BlockState))

    def _answer(self, key: str, state: BlockState) -> DocumentAnswer:
        if state.key != key:
            raise InventoryError(f"{self._name}: its answer speaks of another block")
        return DocumentAnswer(state.number, state.state, state.reference)


class _Reader:
    """The lines of one answer, whose lots and products were looked up together."""

    def __init__(self, directory: Directory, asked: Mapping[int, LotName], lots: AskedLots, known: set[str]) -> None:
        self._asked = asked
        self._products = {name.product_code for name in asked.values()}
        self._lots = lots
        self._known = known
        self._units = Units(directory)

    @classmethod
    async def of(cls, directory: Directory, asked: Mapping[int, LotName], lines: Sequence[LineRow]) -> Self:
        """Look up what the lines name."""
        named = (line.lot_name for line in lines)
        lots = await AskedLots.of(directory, asked, (name for name in named if name is not None))
        return cls(directory, asked, lots, await directory.known_products(sorted({line.product for line in lines})))

    def named(self, lines: Sequence[LineRow]) -> bool:
        """Whether a line names a lot asked about, may name one, or names the product of one alone."""
        for line in lines:
            of = self._lots.find(line.lot_name) if line.lot_name is not None else None
            if (line.product in self._products) if of is None or not of.fits else of.asked:
                return True
        return False

    def doubt(self, lines: Sequence[LineRow]) -> str | None:
        """Why these lines may be about a lot asked about; None: each of them is of something else on record."""
        if not lines:
            return "lines: none that can be read"
        if self.named(lines):
            return "lines: they name a lot asked about, or its product"
        strange = next((line.product for line in lines if line.product not in self._known), None)
        return None if strange is None else f"lines: product {one_line(strange)!r} is not on record"

    async def document(self, row: DocumentRow, places: Mapping[str, int], notes: list[Skipped]) -> Document:
        """The document in our words; what is to be noted of it is added to `notes`."""
        lines = []
        for line in row.lines:
            quantity = await self._units.of_use(line.product, line.quantity)
            if quantity is None:
                why = f"no package {one_line(line.quantity.unit)!r} of the product; the line counts as 0"
                notes.append(Skipped("document", row.number, why))
            read, why_not_sure = self._line(line, quantity or Decimal(0))
            lines.append(read)
            if why_not_sure is not None:
                notes.append(Skipped("document", row.number, why_not_sure))
        other = places.get(row.other_place) if row.other_place is not None else None
        return Document(row.number, row.kind, row.state, places[row.place], other, tuple(lines))

    def _line(self, line: LineRow, quantity: Decimal) -> tuple[DocumentLine, str | None]:
        """A line with our lot, and what is to be noted of it.

        A number that nothing on record has may be how the keeper writes any of the lots asked about of that product.
        """
        name = line.lot_name
        if name is None:
            return DocumentLine(line.product, None, quantity), None
        of = self._lots.find(name)
        if not of.fits:
            may_be = tuple(sorted(lot for lot, ours in self._asked.items() if ours.product_code == line.product))
            unknown = f"lot {one_line(name.number)!r} is not on record" + ("; it may be one in scope" if may_be else "")
            return DocumentLine(line.product, None, quantity, may_be), unknown
        if len(of.asked) > 1:
            return DocumentLine(line.product, None, quantity, of.asked), f"lot {one_line(name.number)!r}: {of.note}"
        note = f"lot {one_line(name.number)!r}: {of.note}" if of.note is not None else None
        # Of several none of which was asked about, it does not matter which it is.
        return DocumentLine(line.product, (of.asked or of.fits)[0], quantity), note


def _lines(given: object) -> list[LineRow]:
    """The lines of a row that is no document; none where one of them cannot be read."""
    lines = given.get("lines") if isinstance(given, dict) else None
    try:
        return [LineRow.model_validate(each) for each in lines] if isinstance(lines, list) else []
    except ValidationError:
        return []


def _number(given: object) -> str | None:
    """The number of a row that is no document, as far as it can be read."""
    number = given.get("number") if isinstance(given, dict) else None
    return one_line(number, 80) or None if isinstance(number, str) else None


def _over(given: object) -> bool:
    """Whether a row that is no document says that it moves nothing any more."""
    state = given.get("state") if isinstance(given, dict) else None
    return isinstance(state, str) and state in _OVER


__all__ = ["HttpDocuments"]
