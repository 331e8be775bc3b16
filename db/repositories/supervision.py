"""Destructions under the authority's eyes: what was told, appointed or waived, and what is missing before one counts.

A policy says where it wants to watch (`destruction` of the profile). Units lying elsewhere are destroyed as usual; a
place whose country nobody recorded counts as one where the rule holds. What was told or appointed serves the
destructions proposed by then; one that is planned later is told and appointed anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, evidence, recalls
from db.repositories.disposal_refusals import DisposalRefused, invalid
from db.repositories.disposition_jobs import Job
from db.repositories.disposition_who import Who
from db.repositories.hold_records import lock_recalls
from db.rows import uuid_of
from domain.disposition import DispositionKind, Fault
from domain.policy import Policy
from domain.policy_disposition import WAYS_TO_SUPERVISE, DestructionRule, SupervisionStep
from models.disposal_proof import DestructionSupervision

_COUNTRIES: Final = """
SELECT 'location' AS what, l.id, p.country FROM location l JOIN partner p ON p.id = l.partner_id
WHERE l.id = ANY(CAST(:locations AS bigint[]))
UNION ALL
SELECT 'consignee', c.id, p.country FROM consignee c JOIN partner p ON p.id = c.partner_id
WHERE c.id = ANY(CAST(:consignees AS bigint[]))
"""


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody states about a step with the authority."""

    jurisdiction: str
    step: SupervisionStep
    at: datetime
    office: str
    reference: str
    note: str | None
    evidence_ids: tuple[str, ...]


async def record(session: AsyncSession, number: str, stated: Step, who: Who) -> DestructionSupervision:
    """Put a step on record with the file that proves it; the same request again returns the first.

    Raises:
        DisposalRefused: no pinned policy of this jurisdiction asks for it, it cannot be waived, or a file is missing.
        EvidenceUnusable: a file cannot be cited.
    """
    await lock_recalls(session, [number])
    known = select(DestructionSupervision).where(col(DestructionSupervision.request) == who.request)
    if (before := (await session.exec(known)).one_or_none()) is not None:
        return before
    rules = {policy.id: rule for policy, rule in await _rules(session, number)}
    if stated.jurisdiction not in rules:
        named = ", ".join(rules) or "none of this recall"
        raise invalid(Fault("jurisdiction", f"a policy that wants to watch destructions: {named}"))
    if stated.step is SupervisionStep.waiver and not rules[stated.jurisdiction].waivable:
        raise invalid(Fault("step", f"told or appointment: {stated.jurisdiction} knows no waiver"))
    if stated.step is not SupervisionStep.appointment and stated.at > who.at:
        raise invalid(Fault("at", "an instant that has passed"))
    if not stated.evidence_ids:
        raise invalid(Fault("evidence_ids", "the letter, or the record of it"))
    row = DestructionSupervision(
        recall_number=number,
        jurisdiction=stated.jurisdiction,
        step=stated.step.value,
        at=stated.at,
        office=stated.office,
        reference=stated.reference,
        note=stated.note,
        signature_id=uuid_of(who.signature),
        request=who.request,
        recorded_by=who.principal,
        recorded_at=who.at,
    )
    session.add(row)
    await session.flush()
    await evidence.link(
        session, number, stated.evidence_ids, f"supervision:{row.id}", by=who.principal, at=who.at, role=who.role
    )
    data = {"supervision": row.id, "jurisdiction": row.jurisdiction, "step": row.step, "at": row.at}
    await audit.append(
        session,
        number,
        actor=who.principal,
        role=who.role,
        action="destruction.supervision",
        at=who.at,
        data=data | {"reference": row.reference},
        signature=who.signature,
    )
    return row


async def listed(session: AsyncSession, number: str) -> Sequence[DestructionSupervision]:
    """Every step on record, oldest first."""
    query = select(DestructionSupervision).where(col(DestructionSupervision.recall_number) == number)
    return (await session.exec(query.order_by(col(DestructionSupervision.id)))).all()


async def require(session: AsyncSession, number: str, jobs: Sequence[Job], now: datetime) -> None:
    """That destructions where a policy wants to watch were told and appointed, and name who watched; or are waived.

    Raises:
        DisposalRefused: something is missing; says all of it, and of which authority.
    """
    destroying = [job for job in jobs if job.found.kind == DispositionKind.destroy.value]
    if any(job.carried.authority_witness for job in jobs) and len(destroying) < len(jobs):
        raise invalid(Fault("authority_witness", "only destruction has a witness"))
    watched = await _rules(session, number) if destroying else []
    if not watched:
        return
    steps = await listed(session, number)
    countries = await _countries(session, destroying)
    for job in destroying:
        with job.named():
            for policy, rule in watched:
                country = countries[job.found.location_id, job.found.consignee_id]
                if country is None or country in rule.countries:
                    _watched(policy, job, steps, now)


def _watched(policy: Policy, job: Job, steps: Sequence[DestructionSupervision], now: datetime) -> None:
    mine = [step for step in steps if step.jurisdiction == policy.id]
    if any(step.step == SupervisionStep.waiver.value for step in mine):
        return
    serving = [step for step in mine if step.recorded_at >= job.found.proposed_at]
    missing = []
    if not any(step.step == SupervisionStep.told.value for step in serving):
        missing.append(f"the plan told to the authority ({WAYS_TO_SUPERVISE}, step told)")
    if not any(step.step == SupervisionStep.appointment.value and step.at <= now for step in serving):
        missing.append(f"an appointment that has come ({WAYS_TO_SUPERVISE}, step appointment)")
    witness = (job.carried.authority_witness or "").strip()
    if not witness:
        missing.append("authority_witness: name and office of who watched for the authority")
    elif witness.casefold() == (job.carried.witness or "").strip().casefold():
        missing.append("authority_witness: another person than our own witness")
    if missing:
        told = f"{policy.title}: destruction takes place under the authority's eyes; missing: {'; '.join(missing)}."
        raise DisposalRefused("conflict", told, [Fault("authority_witness", each) for each in missing])


async def _rules(session: AsyncSession, number: str) -> list[tuple[Policy, DestructionRule]]:
    return [(policy, policy.destruction) for policy in await recalls.pinned(session, number) if policy.destruction]


async def _countries(session: AsyncSession, jobs: Sequence[Job]) -> dict[tuple[int | None, int | None], str | None]:
    binds = {
        "locations": sorted({job.found.location_id for job in jobs if job.found.location_id is not None}),
        "consignees": sorted({job.found.consignee_id for job in jobs if job.found.consignee_id is not None}),
    }
    found: dict[tuple[int | None, int | None], str | None] = {}
    for row in await run(session, _COUNTRIES, binds):
        found[(row.id, None) if row.what == "location" else (None, row.id)] = row.country
    return found


__all__ = ["Step", "listed", "record", "require"]
