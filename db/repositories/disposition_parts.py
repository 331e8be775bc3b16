"""Carrying out approved dispositions, in parts, each with who did it and what proves it.

The units are counted again at that moment, under the locks of `ledger`: more than is there cannot be disposed of, even
by two requests at once. What leaves a place leaves every recall's hold on it; what goes to another place or lot of
ours takes the holds along. Several parts under one document are carried out together, all or none.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db import bulk
from db.plain_sql import run
from db.repositories import (
    audit,
    disposition_checks,
    disposition_moves,
    disposition_rework,
    evidence,
    inspections,
    ledger,
    returns,
    supervision,
)
from db.repositories.disposal_refusals import invalid, refuse_drill
from db.repositories.disposition_jobs import Carried, Common, Job, Moved, ResultLotFacts
from db.repositories.disposition_who import Who
from db.repositories.dispositions import locked_all, locked_recall
from db.repositories.nonconformity_holds import ask_about, open_for_holds
from db.repositories.returns import Docked
from domain.disposition import RULES, DispositionKind, Fault, ResultLot
from models.disposition import Disposition, DispositionPart

_LOCK_CONSIGNEES = "SELECT FROM consignee WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR UPDATE"
_BOOKS_NOTHING = frozenset({DispositionKind.release, DispositionKind.field_correction})
Outcome = tuple[Disposition, DispositionPart]


async def execute(session: AsyncSession, number: str, sequence: int, carried: Carried, who: Who) -> Outcome:
    """Carry out a part; the same request again returns the part it wrote.

    Raises:
        DisposalRefused: not approved, more than is left or there, or a field is missing or wrong.
        EvidenceUnusable: a file cannot be cited.
    """
    other = carried.replacement_lot_id
    if carried.result_lot is not None:
        other = await disposition_rework.known_lot(session, number, sequence, carried.result_lot)
    found = await _locked(session, number, [sequence], other)
    return (await _carry_out(session, number, [Job(found[sequence], carried)], who))[0]


async def execute_all(
    session: AsyncSession, number: str, parts: Sequence[tuple[int, Decimal | None]], common: Common, who: Who
) -> list[Outcome]:
    """Carry out parts of several dispositions of one kind under one document and one set of files, all or none.

    Args:
        parts: number of each disposition, once, and the quantity; None: all that is left of it.
        common: what they share.

    Raises:
        DisposalRefused: as `execute`, naming the disposition; kinds differ, or the kind names a lot with each part.
        EvidenceUnusable: a file cannot be cited.
    """
    found = await _locked(session, number, [sequence for sequence, _ in parts])
    jobs = []
    for index, (sequence, quantity) in enumerate(parts):
        each = found[sequence]
        left = each.quantity - each.done
        carried = Carried(**asdict(common), quantity=left if quantity is None else quantity)
        jobs.append(Job(each, carried, index))
    _one_kind(jobs)
    return await _carry_out(session, number, jobs, who)


async def _locked(
    session: AsyncSession, number: str, sequences: Sequence[int], other_lot: int | None = None
) -> dict[int, Disposition]:
    """The dispositions, after everything that carrying them out changes is locked in the order of `ledger`."""
    query = select(Disposition.lot_id).where(
        col(Disposition.recall_number) == number, bulk.among(col(Disposition.sequence), sequences)
    )
    lots = {*(await session.exec(query)).all(), *([other_lot] if other_lot else [])}
    await ledger.lock(session, [number], sorted(lots))
    await locked_recall(session, number)
    found = await locked_all(session, number, sequences)
    consignees = {each.consignee_id for each in found.values() if each.consignee_id is not None}
    if consignees:
        await run(session, _LOCK_CONSIGNEES, {"ids": sorted(consignees)})
    return found


def _one_kind(jobs: Sequence[Job]) -> None:
    first = jobs[0].found
    if RULES[DispositionKind(first.kind)].result is not ResultLot.NONE:
        raise invalid(Fault("parts/0/sequence", f"not {first.kind}: it names a lot with each part; use its own call"))
    faults = [
        Fault(f"parts/{job.index}/sequence", f"a disposition of the kind {first.kind}, not {job.found.kind}")
        for job in jobs
        if job.found.kind != first.kind
    ]
    if faults:
        raise invalid(*faults)


async def _carry_out(session: AsyncSession, number: str, jobs: Sequence[Job], who: Who) -> list[Outcome]:
    before = await _parts_of_request(session, jobs, who.request)
    todo = [job for job in jobs if job.found.id not in before]
    if any(DispositionKind(job.found.kind) not in _BOOKS_NOTHING for job in todo):
        refuse_drill(await locked_recall(session, number), "no goods are moved, counted in or destroyed under it")
    for job in todo:
        with job.named():
            disposition_checks.approved(job.found)
            disposition_checks.complete(job.found, job.carried, who)
    await inspections.require(session, number, [job.found for job in todo])
    await supervision.require(session, number, todo, who.at)
    turns = await returns.parts_done(session, [job.found for job in todo])
    todo = [replace(job, part=turns.get(job.found.id, 0) + 1) for job in todo]
    done: list[tuple[Job, Moved]] = []
    for wave in _waves(todo):
        check = await disposition_checks.count(session, number, [job.found for job in wave])
        for job in wave:
            with job.named():
                check(job.found, job.carried.quantity)
        done += zip(wave, await disposition_moves.move(session, wave, who), strict=True)
    await _ask_quality(session, done, who)
    written = await _write(session, number, done, who)
    return [(job.found, before.get(job.found.id) or written[job.found.id]) for job in jobs]


async def _ask_quality(session: AsyncSession, done: Sequence[tuple[Job, Moved]], who: Who) -> None:
    """Units that lie under an ended claim at their new place or as their new lot are a nonconformity's."""
    made = {moved.result_lot_id for job, moved in done if job.found.kind == DispositionKind.rework.value}
    sent = {job.found.lot_id for job, _ in done if job.found.kind == DispositionKind.return_to_factory.value}
    back: defaultdict[str, set[int]] = defaultdict(set)
    for job, moved in done:
        for holder in moved.counted_in.nonconforming if moved.counted_in else ():
            back[holder].add(job.found.lot_id)
    lots = {each for each in made if each is not None}
    await ask_about(session, lots | sent, who.at, lots)
    for holder in sorted(back):
        await open_for_holds(session, holder, who.at, back[holder])


async def _parts_of_request(
    session: AsyncSession, jobs: Sequence[Job], request: str
) -> dict[int | None, DispositionPart]:
    query = select(DispositionPart).where(
        bulk.among(col(DispositionPart.disposition_id), [job.found.id for job in jobs]),
        col(DispositionPart.request) == request,
    )
    return {part.disposition_id: part for part in (await session.exec(query)).all()}


def _waves(jobs: Sequence[Job]) -> list[list[Job]]:
    """Parts that may be counted and moved together: of several that draw on one position, each sees the one before."""
    waves: list[list[Job]] = []
    seen: Counter[tuple[int, int | None, int | None]] = Counter()
    for job in jobs:
        position = (job.found.lot_id, job.found.location_id, job.found.consignee_id)
        if seen[position] == len(waves):
            waves.append([])
        waves[seen[position]].append(job)
        seen[position] += 1
    return waves


async def _write(
    session: AsyncSession, number: str, done: Sequence[tuple[Job, Moved]], who: Who
) -> dict[int | None, DispositionPart]:
    if not done:
        return {}
    parts = [
        returns.part_of(
            job.found,
            job.part,
            job.carried.quantity,
            who,
            job.carried.document_no,
            witness=job.carried.witness,
            authority_witness=job.carried.authority_witness,
            result_lot_id=moved.result_lot_id,
            movement_id=moved.movement_id,
        )
        for job, moved in done
    ]
    await bulk.update_all(session, [job.found for job, _ in done], ("done", "state"))
    await bulk.insert_all(session, parts, key="disposition_id")
    docked = [
        Docked(moved.counted, moved.counted_in, part.id, job.request(who))
        for (job, moved), part in zip(done, parts, strict=True)
        if moved.counted is not None and moved.counted_in is not None
    ]
    if docked:
        await returns.write(session, number, docked, who)
    subjects = [f"disposition:{job.found.id}" for job, _ in done]
    files = done[0][0].carried.evidence_ids
    await evidence.link_all(session, number, files, subjects, by=who.principal, at=who.at, role=who.role)
    await _note(session, number, done, parts, who)
    return {part.disposition_id: part for part in parts}


async def _note(
    session: AsyncSession, number: str, done: Sequence[tuple[Job, Moved]], parts: Sequence[DispositionPart], who: Who
) -> None:
    own: list[audit.Entry] = []
    others: defaultdict[str, list[audit.Entry]] = defaultdict(list)
    for (job, moved), part in zip(done, parts, strict=True):
        facts = _facts(job.found, part, moved)
        own.append(audit.Entry(who.principal, who.role, "disposition.executed", who.at, data=facts))
        for other, quantity in moved.others.items():
            taken = {
                "by_recall": number,
                "lot": job.found.lot_id,
                "location": job.found.location_id,
                "kind": job.found.kind,
                "quantity": quantity,
                "result_lot": part.result_lot_id,
            }
            others[other].append(audit.Entry(who.principal, who.role, "hold.taken_along", who.at, data=taken))
    await audit.append_all(session, number, own)
    for other in sorted(others):
        await audit.append_all(session, other, others[other])


def _facts(found: Disposition, part: DispositionPart, moved: Moved) -> dict[str, Any]:
    data = {
        "disposition": found.sequence,
        "part": part.sequence,
        "kind": found.kind,
        "lot": found.lot_id,
        "location": found.location_id,
        "consignee": found.consignee_id,
        "quantity": part.quantity,
        "done": found.done,
        "document_no": part.document_no,
        # The chain outlives the file: the names of who watched stand in the part only.
        "witness": f"disposition_part:{part.id}" if part.witness else None,
        "authority_witness": f"disposition_part:{part.id}" if part.authority_witness else None,
        "result_lot": part.result_lot_id,
        "movement": part.movement_id,
    }
    return data | ({"not_found_there": moved.missing} if moved.missing else {})


def possible_evidence(kind: DispositionKind) -> str:
    """What a part of this kind must bring, in words for a task."""
    rule = RULES[kind]
    asked: Sequence[str] = [rule.document or "evidence", *(["a witness"] if rule.witness else [])]
    return " and ".join(asked)


__all__ = ["Carried", "Common", "Outcome", "ResultLotFacts", "execute", "execute_all", "possible_evidence"]
