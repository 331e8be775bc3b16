"""Obligations for reading: deadlines with the rules they rest on, and rules that gave rise to none so far."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import assessment, obligations, recalls
from domain.obligations import RunningClock, base_name
from domain.policy import Policy
from domain.policy_parts import Obligation
from models.evidence import EvidenceLink
from models.recall import Deadline


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


async def listed(session: AsyncSession, number: str) -> list[Listed]:
    """Every deadline somebody owes, the next one first, then what the rules in force may still ask for."""
    policies = {policy.id: policy for policy in await recalls.pinned(session, number)}
    clocks = {clock.name: clock for clock in reversed(await obligations.running_clocks(session, number))}
    complaints = {row.id: sequence for sequence, row in (await obligations.complaints(session, number)).items()}
    evidence = await _evidence(session, number)
    rows = await obligations.of_recall(session, number)
    found = [
        Listed(
            policy=policies[row.jurisdiction],
            rule=_rule(policies[row.jurisdiction], row),
            deadline=row,
            clock_started_at=_started(clocks, row),
            complaint=complaints.get(row.complaint_id),
            evidence=evidence[obligations.subject(row.id or 0)],
        )
        for row in rows
    ]
    known = {(row.jurisdiction, base_name(row.name)) for row in rows}
    return found + await _without_deadline(session, number, policies, known)


async def _without_deadline(
    session: AsyncSession, number: str, policies: dict[str, Policy], known: set[tuple[str, str]]
) -> list[Listed]:
    gates = await obligations.settled_by_gates(session, number)
    found: dict[tuple[str, str], Listed] = {}
    for jurisdiction, level in await assessment.decided_levels(session, number):
        policy = policies[jurisdiction]
        for rule in policy.obligations_for(level):
            key = (policy.id, rule.id)
            if key not in known and key not in found:
                found[key] = Listed(policy=policy, rule=rule, by_gate=key in gates)
    return list(found.values())


def _rule(policy: Policy, row: Deadline) -> Obligation:
    """The rule of a deadline; of several levels the one whose limit and source the deadline names."""
    rules: list[Obligation] = [item for item in obligations.every_obligation(policy) if item.id == base_name(row.name)]
    return next((item for item in rules if item.source == row.source and item.title == row.title), rules[0])


def _started(clocks: dict[str, RunningClock], row: Deadline) -> datetime | None:
    clock = clocks.get(row.clock)
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
