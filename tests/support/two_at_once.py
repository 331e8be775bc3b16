"""How the tests are shared out when several processes run them (`make test`, pytest-xdist).

Each process has servers of its own, so a file is never split: its fixtures would start twice. The tests that run whole
stacks and kill their parts are one piece for the same reason, and come first: they wait more than they work, so the
other processes' tests fill the time, and no long piece is left for the end. So are the tests of Tryton, whose server
takes long to make.
"""

from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

_STACKS: Final = ("tests/e2e/", "tests/chaos/", "tests/demo/test_readme.py")
_TRYTON: Final = "tests/inventory/tryton/"


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Whole files in their order, and the tests of whole stacks, or of Tryton, as if they were one file."""

    def __init__(self, config: pytest.Config, log: object) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        if path.startswith(_STACKS):
            return _STACKS[0]
        return _TRYTON if path.startswith(_TRYTON) else path


def stacks_first(items: list[pytest.Item]) -> None:
    """Put the tests of whole stacks before all others, which keep their order."""
    items.sort(key=lambda item: not item.nodeid.startswith(_STACKS))


__all__ = ["ByFile", "stacks_first"]
