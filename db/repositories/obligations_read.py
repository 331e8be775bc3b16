"""Obligations for reading: deadlines with the rules they rest on, and rules that gave rise to none so far."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import assessment, by_hand, obligations, recalls
from db.repositories.clock_facts import policy_time
from domain.deadlines import compute_due
from domain.levels import MarketAction
from domain.limits import Unit
from domain.obligations import RunningClock, base_name, every_obligation
from domain.policy import Policy
from domain.policy_figures import Roll
from domain.policy_parts import Obligation
from domain.timeline import is_owed_for
from models.evidence import EvidenceLink
from models.recall import Deadline, Recall


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list: a deadline with its rule, or a rule without a deadline."""

    policy: Policy
    rule: Obligation
    deadline: Deadline | None = None
    clock_started_at: datetime | None = None
    complaint: int | None = None
    evidence: list[UUID] = field(default_factory=list)
    by_gate: bool = False
    not_owed: bool = False
    """The market action leaves nothing to report (21 CFR 806.2, 806.10(a))."""
    waits: str | None = None
    """Name of a duty whose due instant is to be worked out by hand."""
    unrolled: datetime | None = None
    """Policy instant without the roll to a working day: the internal date to work towards."""


async def listed(session: AsyncSession, number: str) -> list[Listed]:
    """Every deadline somebody owes, the next one first, then what the rules in force may still ask for."""
    policies = {policy.id: policy for policy in await recalls.pinned(session, number)}
    running = await obligations.running_clocks(session, number)
    clocks = {(clock.name, clock.scope_version): clock for clock in running}
    clocks |= {(clock.name, 0): clock for clock in reversed(running)}
    complaints = {row.id: sequence for sequence, row in (await obligations.complaints(session, number)).items()}
    evidence = await _evidence(session, number)
    rows = await obligations.of_recall(session, number)
    recall = await recalls.get(session, number)
    found = [
        Listed(
            policy=policies[row.jurisdiction],
            rule=_rule(policies[row.jurisdiction], row),
            deadline=row,
            clock_started_at=_started(clocks, row),
            complaint=complaints.get(row.complaint_id),
            evidence=evidence[obligations.subject(row.id or 0)],
            unrolled=_unrolled(policies[row.jurisdiction], row, recall, _started(clocks, row)),
        )
        for row in rows
    ]
    for law, name in await by_hand.waiting(session, number):
        rule = next(each for each in every_obligation(policies[law]) if each.id == base_name(name))
        found.append(Listed(policy=policies[law], rule=rule, waits=name))
    known = {(each.policy.id, each.rule.id) for each in found}
    return found + await _without_deadline(session, number, policies, known)


def _unrolled(policy: Policy, row: Deadline, recall: Recall, started: datetime | None) -> datetime | None:
    rule = _rule(policy, row)
    if rule.roll == Roll.NONE or rule.due.unit != Unit.CALENDAR_DAY or started is None:
        return None
    due = compute_due(policy_time(recall, started), rule.due, None, policy.zone.zone)
    return due.due if due else None


async def _without_deadline(
    session: AsyncSession, number: str, policies: dict[str, Policy], known: set[tuple[str, str]]
) -> list[Listed]:
    gates = await obligations.settled_by_gates(session, number)
    found: dict[tuple[str, str], Listed] = {}
    for row in await assessment.classes_in_force(session, number):
        policy = policies[row.jurisdiction]
        for rule in policy.obligations_for(row.level):
            key, owes = (policy.id, rule.id), is_owed_for(MarketAction(row.market_action), rule)
            if key not in known and (key not in found or (owes and found[key].not_owed)):
                found[key] = Listed(policy=policy, rule=rule, by_gate=key in gates, not_owed=not owes)
    return list(found.values())


def _rule(policy: Policy, row: Deadline) -> Obligation:
    """The rule of a deadline; of several levels the one whose limit and source the deadline names."""
    rules: list[Obligation] = [item for item in every_obligation(policy) if item.id == base_name(row.name)]
    return next((item for item in rules if item.source == row.source and item.title == row.title), rules[0])


def _started(clocks: dict[tuple[str, int], RunningClock], row: Deadline) -> datetime | None:
    """When the deadline's clock started; one for lots added later names their scope version."""
    version = row.name.partition("#")[0].partition(":")[2]
    clock = clocks.get((row.clock, int(version) if version.isdigit() else 0)) or clocks.get((row.clock, 0))
    return clock.at if clock else None


async def _evidence(session: AsyncSession, number: str) -> defaultdict[str, list[UUID]]:
    query = select(EvidenceLink).where(
        col(EvidenceLink.recall_number) == number, func.starts_with(EvidenceLink.subject, "obligation:")
    )
    found: defaultdict[str, list[UUID]] = defaultdict(list)
    for link in (await session.exec(query.order_by(col(EvidenceLink.linked_at)))).all():
        found[link.subject].append(link.evidence_id)
    return found


__all__ = ["Listed", "listed"]
