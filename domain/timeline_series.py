"""Recurring reports: each counted from the due time of the one before, so that a late report moves none of the rest.

While no level changes this is the same as counting from the clock (21 CFR 7.53(b)). A raised severity shortens the
interval from its decision on: what could not have been owed before it is not overdue at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain.obligations import nth_limit, recurring, series_name
from domain.policy_parts import Obligation
from domain.timeline_count import Calendars, compute, local_day
from domain.timeline_facts import Duty, Standing

MOST: Final = 1000
"""Reports of one series computed at once."""


def series(
    first: Duty, item_id: str, standings: Sequence[Standing], calendars: Calendars, until: datetime
) -> Iterator[Duty]:
    """The reports after `first`, up to `until`, under the levels of one policy as they changed."""
    before, number = first.due_at, 2
    while before is not None and number <= MOST:
        duty = _next(first, item_id, standings, number, before, calendars)
        if duty is None or (duty.due_at is not None and duty.due_at > until):
            return
        yield duty
        before, number = duty.due_at, number + 1


def _next(
    first: Duty, item_id: str, standings: Sequence[Standing], number: int, before: datetime, calendars: Calendars
) -> Duty | None:
    item = _rule(standings, item_id, before)
    found = next_of_series(item, first, number, before, calendars) if item else None
    for standing in standings:
        raised = standing.decision
        if raised is None or raised.at <= before or (found and found.due_at and raised.at >= found.due_at):
            continue
        rule = _rule(standings, item_id, raised.at)
        if rule is not None:
            found = sooner(found, by_raise(rule, standing, series_name(first.name, number), calendars))
    return found


def _rule(standings: Sequence[Standing], item_id: str, at: datetime) -> Obligation | None:
    """The recurring report as the levels in force at an instant ask for it, the shortest interval first."""
    levels = [each.level for each in standings if _in_force(each, at)]
    if not levels:
        return None
    policy = standings[0].policy
    return recurring(policy, levels, local_day(policy, at)).get(item_id)


def _in_force(standing: Standing, at: datetime) -> bool:
    begun = standing.since is None or standing.since <= at
    return begun and (standing.until is None or at < standing.until)


def next_of_series(item: Obligation, first: Duty, number: int, before: datetime, calendars: Calendars) -> Duty:
    """The `number`-th report of a series, one interval after the due time of the one before it (`before`)."""
    assert item.every is not None  # noqa: S101 - only recurring reports come here
    name, standing = series_name(first.name, number), Standing(first.policy, first.level, first.line)
    link = replace(first.clock, name="previous_due", at=before)
    chained = compute(first.policy, name, item, link, calendars, standing=standing, limit=item.every)
    limit = nth_limit(item.due, item.every, number)
    if limit is None:
        return chained
    counted = compute(first.policy, name, item, first.clock, calendars, standing=standing, limit=limit)
    # The same instant, said from the clock itself, unless the interval has changed in between.
    return counted if counted.due_at == chained.due_at else chained


def by_raise(item: Obligation, standing: Standing, name: str, calendars: Calendars) -> Duty:
    """A report of the series by a raised level: one interval after the decision that raised it."""
    assert item.every is not None  # noqa: S101
    assert standing.decision is not None  # noqa: S101
    return compute(standing.policy, name, item, standing.decision, calendars, standing=standing, limit=item.every)


def sooner(one: Duty | None, other: Duty) -> Duty:
    """The earlier of two; one without an instant gives way."""
    if one is None or one.due_at is None:
        return other
    return other if other.due_at is not None and other.due_at < one.due_at else one


__all__ = ["MOST", "by_raise", "next_of_series", "series", "sooner"]
