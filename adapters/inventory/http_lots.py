"""Which of our lots a keeper's answer speaks of, where it names them with another site, without one, or not at all.

To hold too much is repaired by a release, to hold too little by nobody: a name that fits several of the lots in
question counts as each of them, and people see it noted.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from adapters.inventory.base import Directory
from domain.inventory import LotName

OTHER_SITE: Final = "taken for our lot of that number, whose site has another name"
SEVERAL: Final = "its name fits several of our lots; it counts as each of them that is asked about"


@dataclass(frozen=True, slots=True)
class Found:
    """Our lots that a name fits."""

    fits: tuple[int, ...]
    """All on record; none where nothing has that product and number."""
    asked: tuple[int, ...]
    """Those that were asked about; more than one where the name does not tell them apart."""
    note: str | None = None
    """Why people should look, where the name alone does not settle it."""


class AskedLots:
    """The names of one answer, looked up together."""

    def __init__(
        self, asked: Collection[int], exact: Mapping[LotName, Collection[int]], plain: Mapping[LotName, Collection[int]]
    ) -> None:
        self._asked = set(asked)
        self._exact = exact
        self._plain = plain

    @classmethod
    async def of(cls, directory: Directory, asked: Collection[int], names: Iterable[LotName]) -> Self:
        """Look up the names of an answer about these lots."""
        given = list(dict.fromkeys(names))
        exact = await directory.lots_fitting(given) if given else {}
        strange = list(dict.fromkeys(_plain(name) for name in given if name not in exact))
        return cls(asked, exact, await directory.lots_fitting(strange) if strange else {})

    def find(self, name: LotName) -> Found:
        """The lots of a name of the answer."""
        exact = name in self._exact
        fits = self._exact[name] if exact else self._plain.get(_plain(name), ())
        asked = tuple(sorted(self._asked & set(fits)))
        note = None if not asked or (exact and len(fits) == 1) else OTHER_SITE if len(fits) == 1 else SEVERAL
        return Found(tuple(fits), asked, note)


def _plain(name: LotName) -> LotName:
    return replace(name, site_code=None)


__all__ = ["OTHER_SITE", "SEVERAL", "AskedLots", "Found"]
