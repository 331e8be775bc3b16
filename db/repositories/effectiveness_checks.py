"""Recording one effectiveness check, and reading rounds and checks back.

What was found is compared lot by lot with what the consignee should still have: stated as on hand, less what has come
back to us or was disposed of since. Every lot of its statement is counted; zero is an answer, missing is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, evidence, mass_balance, tasks
from db.repositories.effectiveness import TASK
from domain import effectiveness as rules
from domain.mass_balance import plain
from models.effectiveness import EffectivenessCheck, EffectivenessRound
from models.master import Partner
from models.recall import Consignee

_STATED: Final = frozenset({"answered"})


class CheckUnknown(LookupError):  # noqa: N818 - a term of the API
    """The recall has no such check."""


class CheckNotOpen(Exception):  # noqa: N818 - a term of the API
    """The check was recorded already; its state is the message."""


class NotAnswered(Exception):  # noqa: N818 - a term of the API
    """The consignee has to answer (again) before its statement can be checked."""


class FoundFaults(ValueError):  # noqa: N818 - what is wrong, field by field
    """Quantities found that do not fit the consignee's lots; `faults` names field and expectation."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{where}: {what}" for where, what in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Counted:
    """What was found of one lot."""

    lot_id: int
    quantity: Decimal
    explanation: str | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found; `facts` None: nobody responded."""

    facts: tuple[bool, bool, bool] | None
    """received, understood, acted."""
    counted: tuple[Counted, ...] = ()
    method: str | None = None
    person: str | None = None
    evidence_ids: tuple[str, ...] = ()


async def record(
    session: AsyncSession,
    number: str,
    check_id: int,
    findings: Findings,
    *,
    actor: str,
    role: str,
    request: str,
    now: datetime,
) -> EffectivenessCheck:
    """Record a pending check and close its task; the caller commits, then nudges the recall.

    The same `request` again finds its check as recorded.

    Raises:
        CheckUnknown, CheckNotOpen, NotAnswered, FoundFaults: nothing was written.
        db.repositories.evidence.EvidenceUnusable: a file cannot be cited.
    """
    check, drawn, consignee = await _locked(session, number, check_id)
    if check.state != "pending":
        if check.request == request:
            return check
        raise CheckNotOpen(check.state)
    lots = await _lots(session, number, consignee, findings) if findings.facts else []
    verdict = _verdict(findings, [lot for _, lot in lots])
    check.state = "done" if findings.facts else "no_response"
    check.received, check.understood, check.acted = findings.facts or (None, None, None)
    check.found = [_line(lot_id, lot) for lot_id, lot in lots] if findings.facts else None
    check.method, check.person = findings.method, findings.person
    check.passed, check.why = verdict.passed, verdict.why
    check.checked_by, check.checked_at, check.request = actor, now, request
    session.add(check)
    await session.flush()
    await evidence.link(session, number, findings.evidence_ids, f"check:{check_id}", by=actor, at=now, role=role)
    key = f"{TASK}:{drawn.sequence}:{consignee.id}"
    outcome = "passed" if verdict.passed else f"failed: {verdict.why}"
    await tasks.close(session, number, key, outcome=outcome, done_by=actor, now=now)
    await _note(session, number, check, drawn.sequence, actor=actor, role=role, at=now)
    return check


async def _locked(
    session: AsyncSession, number: str, check_id: int
) -> tuple[EffectivenessCheck, EffectivenessRound, Consignee]:
    query: Any = (
        select(EffectivenessCheck, EffectivenessRound, Consignee)
        .join(EffectivenessRound, col(EffectivenessRound.id) == col(EffectivenessCheck.round_id))
        .join(Consignee, col(Consignee.id) == col(EffectivenessCheck.consignee_id))
        .where(col(EffectivenessCheck.id) == check_id, col(EffectivenessRound.recall_number) == number)
        .with_for_update(of=EffectivenessCheck)
        .execution_options(populate_existing=True)
    )
    row = (await session.exec(query)).first()
    if row is None:
        raise CheckUnknown(check_id)
    return row[0], row[1], row[2]


async def _lots(
    session: AsyncSession, number: str, consignee: Consignee, findings: Findings
) -> list[tuple[int, rules.FoundLot]]:
    """What was found of each lot of the statement, beside what should be there."""
    if consignee.state not in _STATED:
        raise NotAnswered(consignee.state)
    assert consignee.id is not None  # noqa: S101 - read from the database
    rows = await mass_balance.pending(session, number, [consignee.id])
    expected = {row.lot_id: row for row in rows if row.consignee_id == consignee.id}
    found = {each.lot_id: each for each in findings.counted}
    faults = [
        (f"found/{place}/lot_id", "expected a lot of this consignee's statement, each once")
        for place, each in enumerate(findings.counted)
        if each.lot_id not in expected or found[each.lot_id] is not each
    ]
    faults += [
        ("found", f"expected the quantity found of lot {row.lot_number} (id {lot})")
        for lot, row in expected.items()
        if lot not in found
    ]
    if faults:
        raise FoundFaults(faults)
    return [
        (lot, rules.FoundLot(row.lot_number, found[lot].quantity, row.pending, found[lot].explanation))
        for lot, row in expected.items()
    ]


def _verdict(findings: Findings, lots: list[rules.FoundLot]) -> rules.Verdict:
    if findings.facts is None:
        return rules.NO_RESPONSE
    received, understood, acted = findings.facts
    return rules.judge(received=received, understood=understood, acted=acted, lots=lots)


def _line(lot_id: int, lot: rules.FoundLot) -> dict[str, Any]:
    return {
        "lot_id": lot_id,
        "lot": lot.lot,
        "found": plain(lot.found),
        "expected": plain(lot.expected),
        "explanation": lot.explanation,
    }


async def _note(
    session: AsyncSession, number: str, check: EffectivenessCheck, sequence: int, *, actor: str, role: str, at: datetime
) -> None:
    # Neither the person spoken to nor free text: those stay in the record.
    data = {
        "check": check.id,
        "round": sequence,
        "consignee": check.consignee_id,
        "state": check.state,
        "method": check.method,
        "received": check.received,
        "understood": check.understood,
        "acted": check.acted,
        "found": [{name: line[name] for name in ("lot_id", "found", "expected")} for line in check.found or []],
        "passed": check.passed,
    }
    await audit.append(session, number, actor=actor, role=role, action="effectiveness.checked", at=at, data=data)


async def rounds(session: AsyncSession, number: str) -> Sequence[EffectivenessRound]:
    """Every round in order."""
    query = select(EffectivenessRound).where(col(EffectivenessRound.recall_number) == number)
    return (await session.exec(query.order_by(col(EffectivenessRound.sequence)))).all()


async def pending_by_round(session: AsyncSession, number: str) -> dict[int, int]:
    """Checks nobody has recorded yet, by round."""
    query: Any = (
        select(EffectivenessRound.sequence, func.count())
        .join(EffectivenessCheck, col(EffectivenessCheck.round_id) == col(EffectivenessRound.id))
        .where(col(EffectivenessRound.recall_number) == number, col(EffectivenessCheck.state) == "pending")
        .group_by(col(EffectivenessRound.sequence))
    )
    return dict((await session.exec(query)).all())


async def checks(
    session: AsyncSession,
    number: str,
    *,
    sequence: int | None,
    state: str | None,
    after: int | None,
    limit: int,
) -> Sequence[tuple[EffectivenessCheck, int, str]]:
    """(check, round, partner code) by check id."""
    query: Any = (
        select(EffectivenessCheck, EffectivenessRound.sequence, Partner.code)
        .join(EffectivenessRound, col(EffectivenessRound.id) == col(EffectivenessCheck.round_id))
        .join(Consignee, col(Consignee.id) == col(EffectivenessCheck.consignee_id))
        .join(Partner, col(Partner.id) == col(Consignee.partner_id))
        .where(col(EffectivenessRound.recall_number) == number)
    )
    if sequence is not None:
        query = query.where(col(EffectivenessRound.sequence) == sequence)
    if state is not None:
        query = query.where(col(EffectivenessCheck.state) == state)
    if after is not None:
        query = query.where(col(EffectivenessCheck.id) > after)
    rows: Sequence[tuple[EffectivenessCheck, int, str]] = (
        await session.exec(query.order_by(col(EffectivenessCheck.id)).limit(limit))
    ).all()
    return rows


__all__ = [
    "CheckNotOpen",
    "CheckUnknown",
    "Counted",
    "Findings",
    "FoundFaults",
    "NotAnswered",
    "checks",
    "pending_by_round",
    "record",
    "rounds",
]
