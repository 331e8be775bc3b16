"""From a case (`domain.dry_run_case`) and the policies it names to the facts the engine for time computes with."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from domain.dry_run_case import CaseError, DryRunCase
from domain.levels import MarketAction
from domain.obligations import RunningClock
from domain.policy import Policy
from domain.policy_places import at_place
from domain.policy_text import PolicyError
from domain.timeline_facts import Facts, GateOutcome, Standing


def placed(case: DryRunCase, policies: Mapping[str, Policy]) -> dict[str, Policy]:
    """The policies of the case by id, with its own zone and member state where it names them.

    Raises:
        CaseError: a policy is missing, or a place does not fit its policy.
    """
    faults, found = [], {}
    for name in case.jurisdictions:
        if name not in policies:
            faults.append(f"jurisdictions: {name} is none of the policies given ({', '.join(sorted(policies))})")
            continue
        try:
            found[name] = at_place(policies[name], *_place(case, name))
        except PolicyError as error:
            faults += [f"places.{name}.{fault}" for fault in error.faults]
    if faults:
        raise CaseError(faults)
    return found


def _place(case: DryRunCase, name: str) -> tuple[str | None, str | None]:
    place = case.places.get(name)
    return (place.state, place.zone) if place else (None, None)


def facts_of(case: DryRunCase, policies: Mapping[str, Policy]) -> Facts:
    """What the case says, as the engine takes it.

    Args:
        case: the case.
        policies: the policies of its jurisdictions by id, as `placed` gives them (branches may have been applied).

    Raises:
        CaseError: a level or gate is none of its policy.
    """
    faults = list(_unknown(case, policies))
    if faults:
        raise CaseError(faults)
    return Facts(
        levels=tuple(_standings(case, policies)),
        clocks=tuple(sorted(_clocks(case), key=lambda clock: clock.at)),
        harm={number: each.severity for number, each in enumerate(case.harm, start=1)},
        gates=dict(_gates(case, policies)),
    )


def _unknown(case: DryRunCase, policies: Mapping[str, Policy]) -> Iterator[str]:
    for line, decisions in case.lines.items():
        for place, decision in enumerate(decisions):
            for name, level in decision.levels.items():
                levels = policies[name].levels
                if level not in levels:
                    known = ", ".join(levels)
                    yield f"lines.{line}[{place}].levels.{name}: no level {level!r}; expected one of {known}"
            for name, action in decision.actions.items():
                if action not in policies[name].actions:
                    known = ", ".join(policies[name].actions)
                    yield f"lines.{line}[{place}].actions.{name}: expected one of {known}, got {action.value!r}"
    for place, gate in enumerate(case.gates):
        gates = [each.id for each in policies[gate.jurisdiction].gates]
        if gate.gate not in gates:
            yield f"gates[{place}].gate: no gate {gate.gate!r}; expected one of {', '.join(gates) or 'none'}"


def _clocks(case: DryRunCase) -> Iterator[RunningClock]:
    starts = {
        "awareness": case.clocks.awareness,
        "decision": case.decided_at,
        "first_communication": case.clocks.first_communication,
    }
    corrections = {str(each.clock): each for each in case.corrections}
    for name, at in starts.items():
        correction = corrections.get(name)
        if at is not None:
            yield RunningClock(name, 1, at, correction.corrected if correction else None)
        if correction is not None:
            yield RunningClock(name, 1, correction.at)
    yield from _numbered("completion", case.clocks.completion)
    for number, harm in enumerate(case.harm, start=1):
        yield RunningClock(f"harm_awareness:{number}", 1, harm.awareness)
    for extension in case.extensions:
        yield RunningClock("decision", extension.scope_version, extension.decided)
        if extension.first_communication is not None:
            yield RunningClock("extension_communication", extension.scope_version, extension.first_communication)
    for name in case.jurisdictions:
        orders = [each.at for each in case.authority_orders if each.jurisdiction == name]
        yield from _numbered(f"authority_order@{name}", orders)


def _numbered(name: str, starts: list[datetime]) -> Iterator[RunningClock]:
    for number, at in enumerate(starts, start=1):
        yield RunningClock(name if number == 1 else f"{name}:{number}", 1, at)


def _gates(case: DryRunCase, policies: Mapping[str, Policy]) -> Iterator[tuple[tuple[str, str], GateOutcome]]:
    for given in case.gates:
        gate = next(each for each in policies[given.jurisdiction].gates if each.id == given.gate)
        for settled in gate.settles:
            yield (given.jurisdiction, settled), GateOutcome(given.outcome, given.at)


def _standings(case: DryRunCase, policies: Mapping[str, Policy]) -> Iterator[Standing]:
    raised = 1
    for line, decisions in case.lines.items():
        first = min(each.at for each in decisions)
        added = first > case.decided_at and any(each.decided <= first for each in case.extensions)
        for name in case.jurisdictions:
            mine = [each for each in decisions if name in each.levels]
            action: MarketAction | None = None
            for place, decision in enumerate(mine):
                action = decision.actions.get(name, action)
                before = mine[place - 1].levels[name] if place else None
                later = mine[place + 1].at if place + 1 < len(mine) else None
                standing = Standing(policies[name], decision.levels[name], line, action, decision.at, later)
                if before is None:
                    anew = decision.at > case.decided_at
                else:
                    anew = is_raised(policies[name], before, standing.level)
                if anew:
                    raised += 1
                    standing = replace(standing, decision=RunningClock(f"new_decision:{raised}", 1, decision.at))
                # Awareness of a line of the event as it began is one, however late a law's level for it is decided.
                if anew and (added or before is not None):
                    facts_at = decision.new_facts or decision.at
                    standing = replace(standing, new_facts=RunningClock(f"new_facts:{raised}", 1, facts_at))
                yield standing


def is_raised(policy: Policy, before: str, after: str) -> bool:
    """Whether a level of the policy is stricter than another; levels are listed strictest first."""
    order = list(policy.levels)
    return order.index(after) < order.index(before)


__all__ = ["facts_of", "is_raised", "placed"]
