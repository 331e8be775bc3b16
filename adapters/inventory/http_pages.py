"""Every row of a question to a keeper over HTTP, page by page."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.inventory.assigned import Notes
from adapters.inventory.http_client import KeeperClient
from adapters.inventory.http_wire import BadRow, Row, page_of, rows
from domain.keepers import Skipped

LOOKS: Final = 3
"""How often the pages of one question are read before they are taken for what they are: not of one moment."""
MOVED: Final = "its rows changed from page to page, however often they were read"


class Pages:
    """Questions to one keeper whose answers come in pages."""

    def __init__(self, name: str, client: KeeperClient, skipped: Notes) -> None:
        self._name = name
        self._client = client
        self._skipped = skipped

    async def all(
        self, path: str, asked: Mapping[str, Any], member: str, kind: type[Row]
    ) -> tuple[list[Row], list[BadRow]]:
        """The rows of all pages, and those that are none, which are noted.

        What moves between two pages would be counted twice or not at all: several pages count when they carry one
        `as_of`, or say what the look before said. Where they never do, that is one more row that could not be read.
        """
        found: list[Row] = []
        bad: list[BadRow] = []
        for look in range(LOOKS if any(asked.values()) else 0):
            before = found, bad
            found, bad, one_state = await self._look(path, asked, member, kind)
            if one_state or (look and before == (found, bad)):
                break
            if look + 1 == LOOKS:
                bad = [*bad, BadRow(None, MOVED)]
        if bad:
            await self._skipped([Skipped(member.removesuffix("s"), path, each.fault) for each in bad])
        return found, bad

    async def _look(
        self, path: str, asked: Mapping[str, Any], member: str, kind: type[Row]
    ) -> tuple[list[Row], list[BadRow], bool]:
        """The rows of all pages, and whether the pages show one state of the stock."""
        found: list[Row] = []
        faults: list[BadRow] = []
        seen: list[str] = []
        states: list[object] = []
        while True:
            body = dict(asked) | ({"page": seen[-1]} if seen else {})
            answer = (await self._client.post(path, body, changes=False)).body
            good, bad = rows(self._name, answer, member, kind)
            found += good
            faults += bad
            states.append(answer.get("as_of"))
            token = page_of(answer, self._name, seen)
            if token is None:
                stamped = isinstance(states[0], str) and states[0] != "" and all(each == states[0] for each in states)
                return found, faults, stamped or len(states) == 1
            seen.append(token)


__all__ = ["LOOKS", "MOVED", "Pages"]
