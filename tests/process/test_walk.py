"""The walks themselves: the same seed walks the same way, and a failure is shortened within a bound of steps."""

from random import Random
from typing import ClassVar

import pytest

from tests.process.walk import REPLAYED_STEPS, action, draw, walk

pytestmark = pytest.mark.unit


class Toy:
    """Fails once it has been to the left and to the right; counts every step that was ever taken."""

    taken: ClassVar[int] = 0

    def begin(self, rng: Random) -> None:
        self.been: set[str] = set()

    def holds(self) -> None:
        assert not {"left", "right"} <= self.been, "left and right"

    def close(self) -> None:
        self.been.clear()

    def _go(self, way: str) -> None:
        Toy.taken += 1
        self.been.add(way)

    @action(1, by=range(3))
    def left(self, by: int) -> None:
        self._go("left")

    @action(1)
    def right(self) -> None:
        self._go("right")

    @action(20)
    def stand(self) -> None:
        self._go("stand")


def test_a_failure_is_shortened_to_the_steps_that_make_it() -> None:
    with pytest.raises(AssertionError, match="seed 7") as caught:
        walk(Toy, Toy, 7, 60)
    told = str(caught.value)
    assert "'left'" in told
    assert "'right'" in told
    assert "'stand'" not in told


def test_what_is_tried_to_shorten_a_walk_is_bounded_by_steps() -> None:
    Toy.taken = 0
    with pytest.raises(AssertionError):
        walk(Toy, Toy, 7, 2000)
    assert Toy.taken <= 2000 + REPLAYED_STEPS + 2000, "the walk, the bound, and the one replay that goes over it"


def test_the_same_seed_draws_the_same_walk() -> None:
    assert draw(Toy, Random("1"), 50) == draw(Toy, Random("1"), 50)  # noqa: S311
    assert draw(Toy, Random("1"), 50) != draw(Toy, Random("2"), 50)  # noqa: S311
