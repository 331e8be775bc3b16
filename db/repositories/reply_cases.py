"""What a reply does to the consignee's cases, in the reply's transaction: calls end, queries open and settle, patient
counts become due. The consignee's case workflow is nudged afterwards and finds it all in the record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import cases, recalls, tasks
from db.repositories.cases import By
from domain.patients import follow_up_needed
from domain.policy_parts import HumanStep
from domain.replies import Finding
from models.case import CaseReason


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply as far as cases are concerned."""

    number: str
    consignee_id: int
    partner: str
    """Name, for the texts of tasks; never leaves the record."""
    partner_kind: str
    reply_id: int
    channel: str
    kind: str
    before: str
    """State of the consignee before the reply."""
    after: str
    action_owed: bool
    """It has stated quantities, and something of them is still there."""
    findings: tuple[Finding, ...]
    by: By


@dataclass(frozen=True, slots=True)
class Touched:
    """What changed: whether a case was opened (the campaign starts its workflow) or closed (its workflow is nudged)."""

    opened: bool = False
    closed: bool = False


def _asked(heard: Heard) -> list[str]:
    return list(dict.fromkeys(finding.kind.value for finding in heard.findings if finding.opens_query))


def _ends_contact(heard: Heard) -> bool:
    if heard.kind == "needs_contact" or heard.after == "open":
        return False  # the place itself has said nothing
    if heard.before == "answered" and heard.after == "answered" and heard.action_owed:
        return False  # called about what is still there, and it still is
    return heard.before == "open" or (heard.kind == "statement" and (bool(_asked(heard)) or heard.after == "answered"))


async def end_tasks(session: AsyncSession, heard: Heard) -> None:
    """End the tasks the reply makes needless. Before anything is audited: a task is locked first everywhere."""
    number, consignee = heard.number, heard.consignee_id
    if _ends_contact(heard):
        await cases.end_contact_tasks(session, number, consignee, heard.by, outcome=f"answered by {heard.channel}")
    if heard.kind == "statement":
        outcome = _query_outcome(heard)
        await cases.close_tasks(session, number, consignee, cases.QUERY_TASKS, heard.by, outcome=outcome)


async def settle(session: AsyncSession, heard: Heard) -> Touched:
    """Close the cases the reply makes needless, open what it asks for; `end_tasks` came before."""
    if heard.kind == "needs_contact":
        return Touched(opened=await _call_back(session, heard))
    asked, closed, opened = _asked(heard), 0, False
    if _ends_contact(heard):
        outcome = f"answered by {heard.channel}"
        closed += await cases.end_contact(session, heard.number, heard.consignee_id, heard.by, outcome=outcome)
    if heard.kind == "statement":
        closed += await _end_queries(session, heard)
        if asked:
            opened |= await _query(session, heard, asked)
        opened |= await _patients(session, heard)
    return Touched(opened, closed > 0)


async def _call_back(session: AsyncSession, heard: Heard) -> bool:
    what = f"Call {heard.partner[:200]} back: it answered by {heard.channel} and needs a person"
    await _offer(session, heard, f"help:{heard.reply_id}", HumanStep.PHONE_CALL, what)
    return await cases.open_case(
        session, heard.number, heard.consignee_id, CaseReason.help, heard.by, subject=f"reply:{heard.reply_id}"
    )


async def read_the_rest(
    session: AsyncSession, number: str, consignee_id: int, reply_id: int, channel: str, by: By
) -> bool:
    """Have a person read what an answer says beside "received"; returns whether a case was opened."""
    name = (
        await run(
            session,
            "SELECT partner.name FROM consignee c JOIN partner ON partner.id = c.partner_id WHERE c.id = :consignee",
            {"consignee": consignee_id},
        )
    ).scalar_one()
    what = f"Read what {name[:180]} wrote by {channel} beside its answer (reply {reply_id}), and call back if needed"
    await offer(session, number, consignee_id, f"help:{reply_id}", HumanStep.PHONE_CALL, what, by.at)
    return await cases.open_case(session, number, consignee_id, CaseReason.help, by, subject=f"reply:{reply_id}")


async def ask_which_site(session: AsyncSession, heard: Heard, names: Sequence[str]) -> bool:
    """Have a person find out which sites a consignee passed product on to; returns whether a case was opened."""
    if not names:
        return False
    what = f"Ask {heard.partner[:100]} which sites it means, several have the address given: {', '.join(names)}"
    await _offer(session, heard, f"help:{heard.reply_id}", HumanStep.PHONE_CALL, what)
    subject = f"reply:{heard.reply_id}"
    return await cases.open_case(session, heard.number, heard.consignee_id, CaseReason.help, heard.by, subject=subject)


async def _end_queries(session: AsyncSession, heard: Heard) -> int:
    """The newest statement is the one that counts: earlier questions are settled, or asked anew about it."""
    outcome, number, consignee = _query_outcome(heard), heard.number, heard.consignee_id
    return await cases.close_cases(session, number, consignee, [CaseReason.statement], heard.by, outcome=outcome)


def _query_outcome(heard: Heard) -> str:
    return f"{'settled' if heard.after == 'answered' else 'superseded'} by a later statement"


async def _query(session: AsyncSession, heard: Heard, asked: Sequence[str]) -> bool:
    what = f"Ask {heard.partner[:200]} about its statement: {', '.join(asked)}"
    await _offer(session, heard, f"query:{heard.reply_id}", HumanStep.QUERY, what)
    return await cases.open_case(
        session, heard.number, heard.consignee_id, CaseReason.statement, heard.by, subject=f"reply:{heard.reply_id}"
    )


_USED: Final = """
SELECT coalesce(sum(line.used), 0) AS used,
       coalesce(bool_or(product.implantable AND line.used > 0), false) AS implantable_used,
       (SELECT s.body ->> 'depth' FROM sign_off s
        WHERE s.recall_number = :number AND starts_with(s.step, 'strategy:') ORDER BY s.id DESC LIMIT 1) AS depth,
       (SELECT recall_class FROM recall WHERE number = :number) AS recall_class
FROM reply_line line
JOIN lot ON lot.id = line.lot_id
JOIN product ON product.id = lot.product_id
WHERE line.reply_id = :reply
"""


async def _patients(session: AsyncSession, heard: Heard) -> bool:
    """A hospital that used what may still harm a patient owes counts of its patients."""
    found = (await run(session, _USED, {"number": heard.number, "reply": heard.reply_id})).mappings().one()
    needed = follow_up_needed(
        kind=heard.partner_kind,
        used=Decimal(found["used"]),
        implantable_used=found["implantable_used"],
        recall_class=found["recall_class"],
        depth=found["depth"],
    )
    if not needed or await _counts_are_final(session, heard.consignee_id):
        return False
    opened = await cases.open_case(session, heard.number, heard.consignee_id, CaseReason.patients, heard.by)
    if opened:
        await offer_patients(session, heard.number, heard.consignee_id, heard.partner, heard.by.at)
    return opened


async def offer_patients(session: AsyncSession, number: str, consignee_id: int, name: str, at: datetime) -> None:
    """Open the task to get the hospital's counts."""
    what = f"Get patient counts from {name[:180]}: exposed, contacted, monitored, replaced"
    key = await _fresh_key(session, number, f"patients:{consignee_id}")
    await offer(session, number, consignee_id, key, HumanStep.PATIENTS, what, at)


async def _counts_are_final(session: AsyncSession, consignee_id: int) -> bool:
    found = await run(
        session,
        "SELECT final FROM patient_follow_up WHERE consignee_id = :consignee ORDER BY id DESC LIMIT 1",
        {"consignee": consignee_id},
    )
    return bool(found.scalar_one_or_none())


async def _fresh_key(session: AsyncSession, number: str, key: str) -> str:
    """`key`, or with a count behind it when that one has been used: a second follow-up is a second task."""
    found = await run(
        session,
        "SELECT count(*) FROM task WHERE recall_number = :number AND (key = :key OR starts_with(key, :key || ':'))",
        {"number": number, "key": key},
    )
    used = int(found.scalar_one())
    return f"{key}:{used + 1}" if used else key


async def _offer(session: AsyncSession, heard: Heard, key: str, step: HumanStep, what: str) -> None:
    await offer(session, heard.number, heard.consignee_id, key, step, what, heard.by.at)


async def offer(
    session: AsyncSession, number: str, consignee_id: int, key: str, step: HumanStep, what: str, at: datetime
) -> bool:
    """Open a task about a consignee, run by its case workflow; False when the key exists."""
    recall = await recalls.get(session, number)
    owner = cases.owner_of(number, consignee_id)
    return await tasks.offer(
        session, recall, key=key, step=step, what=what[:300], owner=owner, now=at, consignee_id=consignee_id
    )


__all__ = ["Heard", "Touched", "ask_which_site", "end_tasks", "offer_patients", "read_the_rest", "settle"]
