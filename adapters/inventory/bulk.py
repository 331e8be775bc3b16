"""Many holds in few calls, where a keeper takes them so: 10,000 positions must be asked for within minutes.

A keeper that knows `hold_many` is asked in bulk, any other one by one; whoever holds uses `hold_all` and need not
know which. Each position has an answer of its own, so one that is refused blocks no other.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from adapters.inventory.base import HoldReleased, InventoryError, StockKeeper
from domain.inventory import Confirmation, Position

AT_A_TIME: Final = 8
"""Single calls under way together at a keeper without bulk."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HoldAsked:
    """One hold to ask for: idempotency key and position."""

    key: str
    position: Position


@dataclass(frozen=True, slots=True)
class HoldAnswer:
    """What came of one asked hold."""

    key: str
    confirmation: Confirmation | None = None
    """None while the keeper has not answered, and when it failed."""
    error: str | None = None
    """Why it was not taken; None: it was."""
    released: bool = False
    """The keeper has let go of it, and takes the key no more."""
    refused: bool = False
    """The keeper itself says that nothing is locked under the key; other errors say nothing of it."""


@runtime_checkable
class BulkKeeper(Protocol):
    """A keeper that takes many holds in one call."""

    async def hold_many(self, claimant: str, asked: Sequence[HoldAsked]) -> list[HoldAnswer]:
        """`StockKeeper.hold` and `confirm` for each, in as few calls as the keeper allows; one answer per key.

        What fails is said in the answers; nothing is raised but for a fault of our own.
        """
        ...


async def hold_all(keeper: StockKeeper, claimant: str, asked: Sequence[HoldAsked]) -> list[HoldAnswer]:
    """Ask for every hold, in bulk where the keeper can; answers in the order asked."""
    if isinstance(keeper, BulkKeeper):
        answers = {each.key: each for each in await keeper.hold_many(claimant, asked)}
        return [answers.get(each.key, HoldAnswer(each.key, error="the keeper gave no answer")) for each in asked]
    return [answer async for answer in _one_by_one(keeper, claimant, asked)]


async def _one_by_one(keeper: StockKeeper, claimant: str, asked: Sequence[HoldAsked]) -> AsyncIterator[HoldAnswer]:
    for at in range(0, len(asked), AT_A_TIME):
        group = asked[at : at + AT_A_TIME]
        for answer in await asyncio.gather(*(hold_one(keeper, claimant, each) for each in group)):
            yield answer


async def hold_one(keeper: StockKeeper, claimant: str, asked: HoldAsked) -> HoldAnswer:
    """Ask for one hold and for its confirmation; whatever goes wrong is in the answer."""
    try:
        await keeper.hold(asked.key, claimant, asked.position)
        return HoldAnswer(asked.key, await keeper.confirm(asked.key))
    except InventoryError as error:
        why = str(error) or "the keeper of the stock refused"
        return HoldAnswer(asked.key, error=why, released=isinstance(error, HoldReleased))
    except Exception as error:  # noqa: BLE001 - a fault of one keeper must not leave other stock unlocked
        _LOG.warning("hold %s failed: %s", asked.key, type(error).__name__)
        return HoldAnswer(asked.key, error=f"{type(error).__name__}: {error}")


__all__ = ["BulkKeeper", "HoldAnswer", "HoldAsked", "hold_all", "hold_one"]
