"""One engine for time: from recorded facts and the policies' limits to every thing that is owed, and when.

It is pure: levels in force per product line, clock starts and harm go in, duties with their due instant and the reason
come out. A running recall writes them down (`activities.limits`), a dry run prints them. Counting follows
regulations.md §9: each clock on a duty is computed fully and the earliest wins.

Raised severity: under the new level a limit from awareness runs from the new facts, one from the decision from the new
decision; a limit from any other clock (21 CFR 806.10: the initiation) runs from where it began and may be overdue at
once. What an earlier level asked for stays owed, so an open limit never becomes later.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain.levels import MarketAction
from domain.limits import Clock, Limit, Unit
from domain.obligations import Owed, RunningClock, owed
from domain.policy_parts import Obligation, Trigger
from domain.timeline_count import Calendars, applies, compute, local_day
from domain.timeline_facts import Duty, Facts, GateOutcome, Standing
from domain.timeline_series import by_raise, next_of_series, series

NOTIFY: Final = "notify"
"""Name of the limit for the first notice; lots added in scope version 3 have `notify:3`."""
GATE_WAIVED: Final = "gate_waived"
UNREPORTED: Final = frozenset({MarketAction.MARKET_WITHDRAWAL, MarketAction.STOCK_RECOVERY, MarketAction.NONE})
"""Actions that are no recall in law: nothing about the action is reported (21 CFR 806.2, 806.10(a))."""
_OF_THE_HARM: Final = frozenset({Clock.AWARENESS, Clock.HARM_AWARENESS})


def duties(facts: Facts, calendars: Calendars, *, until: datetime | None = None) -> list[Duty]:
    """Everything owed under `facts`, the earliest first and what has no instant last.

    Args:
        facts: levels, clocks, harm and gates as recorded.
        calendars: the working days of a policy.
        until: recurring reports are listed up to this instant; None: only the first of each.
    """
    found: dict[tuple[str, str], list[Duty]] = {}
    for standing in facts.levels:
        for duty in _of_level(standing, facts, calendars):
            found.setdefault((duty.jurisdiction, duty.name), []).append(duty)
    firsts = [_earliest(each) for each in found.values()]
    if until is not None:
        firsts += [each for first in tuple(firsts) for each in _series(first, facts, calendars, until)]
    return sorted(firsts, key=_in_time)


def _in_time(duty: Duty) -> tuple[bool, float, str, str]:
    due = duty.due_at
    return (due is None, due.timestamp() if due else 0.0, duty.jurisdiction, duty.name)


def _earliest(same: Sequence[Duty]) -> Duty:
    """Several clocks on one duty: the earliest wins, the others are kept beside it."""
    by_time = sorted(same, key=_in_time)
    first = by_time[0]
    seen: list[Duty] = []
    for each in by_time[1:]:
        if all((each.clock, each.limit) != (other.clock, other.limit) for other in (first, *seen)):
            seen.append(each)
    uncomputed = next((each.uncomputed for each in by_time if each.uncomputed), None)
    return replace(first, later=tuple(seen), uncomputed=uncomputed)


def _of_level(standing: Standing, facts: Facts, calendars: Calendars) -> Iterator[Duty]:
    policy, rules = standing.policy, standing.policy.level(standing.level)
    for clock in _clocks(standing, facts.clocks, rules.notify.runs_from):
        name = NOTIFY if clock.scope_version == 1 else f"{NOTIFY}:{clock.scope_version}"
        yield compute(policy, name, rules.notify, clock, calendars, standing=standing)
    items = (*policy.obligations, *rules.obligations)
    for item in items:
        if not is_owed_for(standing.action, item):
            continue
        for each in _owed(item, _clocks(standing, facts.clocks, item.runs_from, recurs=item.every is not None)):
            if not applies(item, items, local_day(policy, each.clock.at)):
                continue
            harm = facts.harm.get(each.fact or 0) if item.trigger == Trigger.ON_HARM else None
            if harm is None or not item.outcomes or harm in item.outcomes:
                complaint = each.fact if item.trigger == Trigger.ON_HARM else None
                yield compute(policy, each.name, item, each.clock, calendars, standing=standing, complaint=complaint)
        gate = facts.gates.get((policy.id, item.id))
        if item.due.unit == Unit.BEFORE_START and gate is not None and gate.outcome == "waived":
            # Waived for urgency is not done: the report is owed at once, after the start (MDR Art. 87(8)).
            clock = RunningClock(GATE_WAIVED, 1, gate.at)
            yield compute(policy, item.id, item, clock, calendars, standing=standing, limit=Limit(Unit.IMMEDIATELY))


def is_owed_for(action: MarketAction | None, item: Obligation) -> bool:
    """Whether a market action leaves a report owed: one that is no recall reports incidents and harm only."""
    return action not in UNREPORTED or item.trigger == Trigger.ON_HARM or item.runs_from in _OF_THE_HARM


def _clocks(
    standing: Standing, clocks: Iterable[RunningClock], base: Clock | None, *, recurs: bool = False
) -> list[RunningClock]:
    """The clocks of one kind that run under a level; those a raised severity starts anew are replaced."""
    anew = standing.new_facts if base == Clock.AWARENESS else None
    if base == Clock.DECISION or recurs:
        anew = standing.decision
    found = []
    for clock in clocks:
        if clock.base != base or clock.jurisdiction not in (None, standing.policy.id):
            continue
        if standing.until is not None and clock.at >= standing.until:
            continue  # it began when this level was not in force any more
        if standing.since and clock.superseded_at and clock.superseded_at <= standing.since:
            continue  # corrected before this level was decided
        if anew is not None and clock.at < (standing.since or anew.at):
            started = replace(anew, scope_version=clock.scope_version, stands_for=clock.base)
        else:
            started = clock
        if started not in found:
            found.append(started)
    return found


def _owed(item: Obligation, clocks: Sequence[RunningClock]) -> Iterator[Owed]:
    """As `domain.obligations.owed`; a decision on lots added later owes its reports anew, for those lots."""
    added = [clock for clock in clocks if item.runs_from == Clock.DECISION and clock.scope_version > 1]
    yield from owed(item, [clock for clock in clocks if clock not in added])
    if item.trigger == Trigger.ALWAYS:
        for clock in added:
            for each in owed(item, [clock]):
                yield replace(each, name=f"{item.id}:{clock.scope_version}")


def _series(first: Duty, facts: Facts, calendars: Calendars, until: datetime) -> Iterator[Duty]:
    rule = first.obligation
    if rule is not None and rule.every is not None and rule.trigger != Trigger.IF_ASKED:
        standings = [each for each in facts.levels if each.policy.id == first.policy.id]
        yield from series(first, rule.id, standings, calendars, until)


__all__ = [
    "GATE_WAIVED",
    "NOTIFY",
    "UNREPORTED",
    "Calendars",
    "Duty",
    "Facts",
    "GateOutcome",
    "Standing",
    "by_raise",
    "duties",
    "is_owed_for",
    "next_of_series",
]
