"""A dry run of a case: its facts for branches, checked, and everything else handed to the run itself."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError

from domain.dry_run import Scene, dry_run, effective
from domain.dry_run_asks import DryRun
from domain.dry_run_case import CaseError, DryRunCase
from domain.dry_run_facts import facts_of, placed
from domain.levels import MarketAction, RecallClass, strictest
from domain.policy import Policy
from domain.policy_facts import PolicyFacts
from domain.policy_text import fault_line
from domain.timeline import Calendars

_LONGEST: Final = timedelta(days=3653)
"""Recurring reports are listed for ten years at most."""


def run_case(case: DryRunCase, policies: Mapping[str, Policy], calendars: Calendars) -> DryRun:
    """Who would be asked what and when in `case` under `policies` (by id, as written).

    Raises:
        CaseError: the case does not fit the policies; each fault is one line with its path.
    """
    if case.until is not None and case.until - case.clocks.awareness > _LONGEST:
        raise CaseError(["until: expected at most ten years after the clock awareness"])
    written = placed(case, policies)
    shared = facts_for_branches(case, written)
    facts = {name: shared.model_copy(update={"market_action": _action(case, name)}) for name in written}
    counting = effective(written, facts)
    now = {name: policy for name, (policy, _) in counting.items()}
    scene = Scene(
        policies=now,
        fired={name: fired for name, (_, fired) in counting.items()},
        facts=facts,
        timeline=facts_of(case, now),
        calendars=calendars,
        until=case.until,
    )
    try:
        return dry_run(scene, written)
    except OverflowError as error:
        raise CaseError(["clocks: an instant of the case leads past the year 9999"]) from error


def facts_for_branches(case: DryRunCase, policies: Mapping[str, Policy]) -> PolicyFacts:
    """The facts conditions look at: as the case gives them, and what follows from its decisions and reports of harm.

    Raises:
        CaseError: a fact is unknown or of another type.
    """
    worst = {each.severity for each in case.harm}
    follows: dict[str, Any] = {
        "recall_class": _class(case, policies),
        "harm_reported": bool(worst),
        "serious_harm_reported": bool(worst & {"serious", "death"}),
        "death_reported": "death" in worst,
        "product_lines": tuple(case.lines),
    }
    try:
        return PolicyFacts.model_validate(follows | case.facts)
    except ValidationError as error:
        raise CaseError([f"facts.{fault_line(item)}" for item in error.errors(include_url=False)]) from error


def _class(case: DryRunCase, policies: Mapping[str, Policy]) -> str:
    """The strictest class of the levels in force at the end of the case."""
    found: list[RecallClass] = []
    for decisions in case.lines.values():
        for name in case.jurisdictions:
            level = next((each.levels[name] for each in reversed(decisions) if name in each.levels), None)
            if level is not None and level in policies[name].levels:
                found += policies[name].levels[level].classes[:1]
    worst = strictest(found)
    return worst.value if worst else ""


def _action(case: DryRunCase, name: str) -> str:
    """The weightiest action of the lines in one jurisdiction, in the order `MarketAction` lists them."""
    last = [
        next((each.actions[name] for each in reversed(decisions) if name in each.actions), None)
        for decisions in case.lines.values()
    ]
    order = list(MarketAction)
    given = [each for each in last if each is not None]
    return min(given, key=order.index).value if given else ""


__all__ = ["facts_for_branches", "run_case"]
