"""Walks by seed: which steps are taken with which numbers is drawn once, and the same seed draws the same walk.

A walk that fails is shortened: steps are left out as long as what remains still fails, and the shortest one is shown
as a list that `replay` takes. How much is tried is counted in steps, never in seconds: a loaded machine finds the same.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol

Step = tuple[str, dict[str, Any]]
REPLAYED_STEPS = 1_500
"""Steps taken again, in all, to shorten a walk that failed."""
_WEIGHT = "_walk_weight"
_DRAWS = "_walk_draws"


class Walker(Protocol):
    """What is walked on: a fresh world per walk."""

    def begin(self, rng: Random) -> None: ...

    def holds(self) -> None: ...

    def close(self) -> None: ...


def action(weight: int = 1, /, **draws: Sequence[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a method as a step; each argument is drawn from its sequence."""

    def mark(method: Callable[..., None]) -> Callable[..., None]:
        setattr(method, _WEIGHT, weight)
        setattr(method, _DRAWS, draws)
        return method

    return mark


def draw(kind: type[Any], rng: Random, length: int) -> list[Step]:
    """The steps of a walk."""
    found = {name: getattr(kind, name) for name in dir(kind) if hasattr(getattr(kind, name), _WEIGHT)}
    names = sorted(found)
    weights = [getattr(found[name], _WEIGHT) for name in names]
    # Drawn to be repeated, not to be secret.
    chosen = rng.choices(names, weights, k=length)
    return [(name, {arg: rng.choice(seq) for arg, seq in getattr(found[name], _DRAWS).items()}) for name in chosen]


def replay(make: Callable[[], Walker], seed: int, steps: Sequence[Step]) -> None:
    """Begin as `seed` says and take these steps; everything is checked after each."""
    walker = make()
    try:
        walker.begin(Random(seed))  # noqa: S311 - drawn to be repeated, not to be secret
        walker.holds()
        for name, numbers in steps:
            getattr(walker, name)(**numbers)
            walker.holds()
    finally:
        walker.close()


def walk(make: Callable[[], Walker], kind: type[Any], seed: int, length: int) -> None:
    """One walk; a failure is shortened before it is raised.

    Raises:
        AssertionError: an invariant does not hold; the message has the seed and the shortest steps found.
    """
    steps = draw(kind, Random(f"steps {seed}"), length)  # noqa: S311
    try:
        replay(make, seed, steps)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is what is looked for
        shortest, last = _shorten(make, seed, steps, error)
        listed = ",\n    ".join(repr(step) for step in shortest)
        raise AssertionError(f"seed {seed}, steps [\n    {listed}\n]\n{type(last).__name__}: {last}") from last


def _shorten(
    make: Callable[[], Walker], seed: int, steps: list[Step], error: Exception
) -> tuple[list[Step], Exception]:
    """Leave out ever smaller runs of steps while the walk fails in the same way, until `REPLAYED_STEPS` are used up."""
    size, left = max(len(steps) // 2, 1), REPLAYED_STEPS
    while True:
        at, shorter = 0, False
        while at < len(steps) and left > 0:
            rest = steps[:at] + steps[at + size :]
            left -= len(rest)
            again = _failure(make, seed, rest)
            if again is not None and type(again) is type(error):
                steps, error, shorter = rest, again, True
            else:
                at += size
        if (size == 1 and not shorter) or left <= 0:
            return steps, error
        size = max(size // 2, 1)


def _failure(make: Callable[[], Walker], seed: int, steps: Sequence[Step]) -> Exception | None:
    try:
        replay(make, seed, steps)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is what is looked for
        return error
    return None


__all__ = ["Step", "Walker", "action", "draw", "replay", "walk"]
