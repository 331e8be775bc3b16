"""Effectiveness checks: how many consignees are checked, which ones, and when a check and a level are passed.

21 CFR 7.42(b)(3): level A checks all consignees at the strategy's depth, B more than 10 and less than 100 percent (the
policy's figure), C 10, D 2, E none. The sample is the first so many in the order of SHA-256(`{seed}/{consignee id}`),
so anybody can draw it again from the recorded seed and candidates. Received, understood and acted are three facts; a
check passes with all three true and with found quantities that bear the statement out. Who does not respond never
passes. A failed round widens to the next stricter level, from A to all that remain.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from domain.policy_parts import EffectivenessLevel

STRICTER: Final = {
    EffectivenessLevel.E: EffectivenessLevel.D,
    EffectivenessLevel.D: EffectivenessLevel.C,
    EffectivenessLevel.C: EffectivenessLevel.B,
    EffectivenessLevel.B: EffectivenessLevel.A,
    EffectivenessLevel.A: EffectivenessLevel.A,
}
"""Level that a failed round widens to."""

_FIXED: Final = {
    EffectivenessLevel.A: 100,
    EffectivenessLevel.C: 10,
    EffectivenessLevel.D: 2,
    EffectivenessLevel.E: 0,
}

INTERMEDIATE: Final = frozenset({"distributor", "warehouse", "logistics"})
"""Partner kinds that pass product on rather than use it."""


def percent_of(level: EffectivenessLevel, policy_b: Iterable[int] = ()) -> int:
    """Percent of consignees a level checks; B is the largest figure the recall's policies give for it.

    Policies that know no level B leave no figure between C and A; then everybody is checked.
    """
    return _FIXED[level] if level in _FIXED else max(policy_b, default=100)


def required(population: int, percent: int) -> int:
    """Consignees to check: rounded up, and at least one where the share is more than nothing."""
    return -(-population * percent // 100)


def at_depth(depth: str, kind: str, tier: int, passes_on: bool) -> bool:
    """Whether a consignee is at the strategy's depth (21 CFR 7.42(b)(1)).

    wholesale: distributors, warehouses, carriers, and whoever we shipped to directly. retail, user_facility and
    patient: the sites that use or hand out the product (hospitals, pharmacies); at patient depth the hospital answers
    for its patients with counts. A middleman that passed nothing on is the end of the chain as known, so it counts
    there as well: otherwise a recall known to distributors only would have nobody to check.

    Args:
        depth: of the signed strategy.
        kind: the partner's kind.
        tier: 1 = reached by our own shipments.
        passes_on: whether further consignees are known behind it.
    """
    if depth == "wholesale":
        return tier == 1 or kind in INTERMEDIATE
    return kind not in INTERMEDIATE or not passes_on


def rank(seed: str, consignee_id: int) -> str:
    """What consignees are sorted by in a draw: hexadecimal SHA-256 of `{seed}/{consignee id}`."""
    return hashlib.sha256(f"{seed}/{consignee_id}".encode()).hexdigest()


def candidates_hash(consignee_ids: Iterable[int]) -> str:
    """SHA-256 over the candidates of a draw, ascending and comma-separated: the audit's proof of whom it was from."""
    return hashlib.sha256(",".join(map(str, sorted(consignee_ids))).encode()).hexdigest()


def draw(
    seed: str,
    candidates: Collection[int],
    percent: int,
    *,
    passed: Collection[int] = (),
    again: Collection[int] = (),
) -> tuple[int, ...]:
    """The sample of one round, ascending by rank.

    Args:
        seed: recorded with the round.
        candidates: consignees at the strategy's depth.
        percent: share of the candidates that must have been checked in the end.
        passed: candidates whose earlier check still stands; they count towards the share.
        again: candidates that failed; they are always checked again.
    """
    pool = set(candidates)
    repeated = pool & set(again)
    standing = (pool & set(passed)) - repeated
    missing = max(required(len(pool), percent) - len(standing) - len(repeated), 0)
    fresh = sorted(pool - repeated - standing, key=lambda each: rank(seed, each))[:missing]
    return tuple(sorted((*repeated, *fresh), key=lambda each: rank(seed, each)))


@dataclass(frozen=True, slots=True)
class FoundLot:
    """What a check found of one lot against what the consignee should have, units of use."""

    lot: str
    found: Decimal
    expected: Decimal
    """Stated as on hand, less what has come back to us or was disposed of since."""
    explanation: str | None = None
    """Why less was found, with the paper that shows it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a check passed, and why not."""

    passed: bool
    why: str | None = None


NO_RESPONSE: Final = Verdict(passed=False, why="no response")


def judge(*, received: bool, understood: bool, acted: bool, lots: Sequence[FoundLot]) -> Verdict:
    """The verdict on a recorded check.

    More found than expected never passes: the statement was not true. Less found passes with an explanation only,
    because units that are gone without one may have been used after the notice.
    """
    said = {"received": received, "understood": understood, "acted": acted}
    faults = [f"not {fact}" for fact, so in said.items() if not so]
    for each in lots:
        figures = f"lot {each.lot}: {_n(each.found)} found, {_n(each.expected)} expected"
        if each.found > each.expected:
            faults.append(figures)
        elif each.found < each.expected and not each.explanation:
            faults.append(f"{figures}, not explained")
    return Verdict(passed=not faults, why="; ".join(faults)[:500] or None)


def is_met(candidates: Collection[int], percent: int, passed: Collection[int], failed: Collection[int]) -> bool:
    """Whether the level is met: enough candidates have passed, and none that failed is left without passing since."""
    pool = set(candidates)
    return not pool & set(failed) and len(pool & set(passed)) >= required(len(pool), percent)


def _n(quantity: Decimal) -> str:
    text = format(quantity, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


__all__ = [
    "INTERMEDIATE",
    "NO_RESPONSE",
    "STRICTER",
    "FoundLot",
    "Verdict",
    "at_depth",
    "candidates_hash",
    "draw",
    "is_met",
    "judge",
    "percent_of",
    "rank",
    "required",
]
