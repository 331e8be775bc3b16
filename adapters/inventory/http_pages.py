"""Every row of a question to a keeper over HTTP, page by page."""

from collections.abc import Mapping
from typing import Any

from adapters.inventory.assigned import Notes
from adapters.inventory.http_client import KeeperClient
from adapters.inventory.http_wire import BadRow, Row, page_of, rows
from domain.keepers import Skipped


class Pages:
    """Questions to one keeper whose answers come in pages."""

    def __init__(self, name: str, client: KeeperClient, skipped: Notes) -> None:
        self._name = name
        self._client = client
        self._skipped = skipped

    async def all(
        self, path: str, asked: Mapping[str, Any], member: str, kind: type[Row]
    ) -> tuple[list[Row], list[BadRow]]:
        """The rows of all pages, and those that are none, which are noted."""
        found: list[Row] = []
        faults: list[BadRow] = []
        seen: list[str] = []
        if not any(asked.values()):
            return found, faults
        while True:
            body = dict(asked) | ({"page": seen[-1]} if seen else {})
            answer = (await self._client.post(path, body, changes=False)).body
            good, bad = rows(self._name, answer, member, kind)
            found += good
            faults += bad
            token = page_of(answer, self._name, seen)
            if token is None:
                break
            seen.append(token)
        if faults:
            await self._skipped([Skipped(member.removesuffix("s"), path, each.fault) for each in faults])
        return found, faults


__all__ = ["Pages"]
