"""Cases of consignees: opened with a reason, ended by an answer, a document or a person; never without an audit event.

A case asks for its workflow by an empty `workflow_started_at`; whoever writes one needs not reach Temporal, the
campaign's next look starts what is missing (`start_cases`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit
from db.repositories.cases_sql import CLOSE_CASES, CLOSE_TASKS, CONTACT_REASONS, CONTACT_TASKS, UNSTARTED
from domain.workflow_ids import case_id
from models.case import CaseReason

QUERY_TASKS: Final = ("query", "settle_query")
"""Prefixes of the tasks about a statement that cannot be."""
ALL_TASKS: Final = (*CONTACT_TASKS, *QUERY_TASKS, "help", "patients")
"""Prefixes of every task that belongs to a case."""


class UnknownConsignee(LookupError):  # noqa: N818 - a term of the API
    """No such consignee under this recall."""


@dataclass(frozen=True, slots=True)
class By:
    """Who changes a case, and when."""

    actor: str
    role: str
    at: datetime
    signature: str | None = None
    """Id of the electronic signature, where the change is a signed one."""


@dataclass(frozen=True, slots=True)
class Unstarted:
    """A consignee whose case workflow has to be started or told."""

    consignee_id: int
    cases: tuple[int, ...]


def owner_of(number: str, consignee_id: int) -> str:
    """Id of the workflow that looks after the consignee's cases and runs the timers of their tasks."""
    return case_id(number, str(consignee_id))


async def lock_consignee(session: AsyncSession, number: str, consignee_id: int) -> dict[str, Any]:
    """The consignee and its partner, locked: whatever changes its state, cases or tasks does so one after another.

    Behind its recall, which every answer, case and task of it refers to, and which is kept from being locked
    (`recalls.share`): whoever holds that goes on to its consignees.

    Raises:
        UnknownConsignee: the recall has no such consignee.
    """
    found = await run(
        session,
        "SELECT c.id, c.state, c.action_done_at, c.campaign_sequence, c.chase, c.first_notified_at, c.partner_id,"
        " partner.name, partner.kind"
        " FROM recall JOIN consignee c ON c.recall_number = recall.number JOIN partner ON partner.id = c.partner_id"
        # Taken in the order in which they are named.
        " WHERE c.id = :consignee AND recall.number = :number FOR KEY SHARE OF recall FOR UPDATE OF c",
        {"consignee": consignee_id, "number": number},
    )
    row = found.mappings().one_or_none()
    if row is None:
        raise UnknownConsignee(f"recall {number} has no consignee {consignee_id}")
    return dict(row)


async def open_case(
    session: AsyncSession, number: str, consignee_id: int, reason: CaseReason, by: By, *, subject: str | None = None
) -> bool:
    """Open a case unless the same one is open; audited; returns whether it is new."""
    inserted = await run(
        session,
        "INSERT INTO consignee_case (recall_number, consignee_id, reason, subject, state, opened_at)"
        " VALUES (:number, :consignee, :reason, :subject, 'open', :at) ON CONFLICT DO NOTHING RETURNING id",
        {"number": number, "consignee": consignee_id, "reason": reason.value, "subject": subject, "at": by.at},
    )
    case = inserted.scalar_one_or_none()
    if case is None:
        return False
    data = {"case": case, "consignee": consignee_id, "reason": reason.value, "subject": subject}
    await _note(session, number, "case.opened", by, data)
    return True


async def close_cases(
    session: AsyncSession,
    number: str,
    consignee_id: int,
    reasons: Collection[str],
    by: By,
    *,
    outcome: str,
    subject: str | None = None,
) -> int:
    """Close the consignee's open cases of these reasons (of one subject, if given); returns how many were open."""
    closed = await run(
        session,
        CLOSE_CASES,
        {
            "number": number,
            "consignee": consignee_id,
            "reasons": sorted(reasons),
            "subject": subject,
            "outcome": outcome[:300],
            "by": by.actor,
            "at": by.at,
        },
    )
    rows = closed.mappings().all()
    if rows:
        ids = sorted(row["id"] for row in rows)
        listed = sorted({row["reason"] for row in rows})
        data = {"consignee": consignee_id, "cases": ids, "reasons": listed, "outcome": outcome[:300]}
        await _note(session, number, "case.closed", by, data)
    return len(rows)


async def close_tasks(
    session: AsyncSession,
    number: str,
    consignee_id: int,
    prefixes: Sequence[str],
    by: By,
    *,
    outcome: str,
    cancelled: bool = False,
) -> int:
    """End the consignee's open tasks whose keys begin with one of `prefixes`; part of a change audited as a whole."""
    result: Any = await run(
        session,
        CLOSE_TASKS,
        {
            "number": number,
            "consignee": consignee_id,
            "prefixes": list(prefixes),
            "state": "cancelled" if cancelled else "done",
            "outcome": outcome[:300],
            "by": by.actor,
            "at": by.at,
        },
    )
    return int(result.rowcount)


async def end_contact_tasks(session: AsyncSession, number: str, consignee_id: int, by: By, *, outcome: str) -> int:
    """Only the tasks of `end_contact`, for transactions that audit something first.

    Whoever turns late tasks locks the task and then the audit chain; everybody ends tasks in the same order.
    """
    return await close_tasks(session, number, consignee_id, CONTACT_TASKS, by, outcome=outcome)


async def end_contact(session: AsyncSession, number: str, consignee_id: int, by: By, *, outcome: str) -> int:
    """The consignee has been heard of, or is documented: nobody has to call, visit or report it any more."""
    await end_contact_tasks(session, number, consignee_id, by, outcome=outcome)
    return await close_cases(session, number, consignee_id, CONTACT_REASONS, by, outcome=outcome)


async def open_reasons(session: AsyncSession, number: str, consignee_id: int) -> list[dict[str, Any]]:
    """The consignee's open cases, oldest first."""
    found = await run(
        session,
        "SELECT id, reason, subject, opened_at FROM consignee_case"
        " WHERE recall_number = :number AND consignee_id = :consignee AND state = 'open' ORDER BY opened_at, id",
        {"number": number, "consignee": consignee_id},
    )
    return [dict(row) for row in found.mappings()]


async def unstarted(session: AsyncSession, number: str, after: int, limit: int) -> list[Unstarted]:
    """Consignees with cases that their workflow was not told of, in order of their ids."""
    found = await run(session, UNSTARTED, {"number": number, "after": after, "limit": limit})
    return [Unstarted(row["consignee_id"], tuple(row["cases"])) for row in found.mappings()]


async def mark_started(session: AsyncSession, cases: Sequence[int], at: datetime) -> None:
    """The workflow knows of these cases."""
    await run(
        session,
        "UPDATE consignee_case SET workflow_started_at = :at"
        " WHERE id = ANY (CAST(:cases AS bigint[])) AND workflow_started_at IS NULL",
        {"cases": list(cases), "at": at},
    )


async def consignees_with_open_cases(session: AsyncSession, number: str, limit: int) -> list[int]:
    """The first consignees that have an open case, by their ids."""
    found = await run(
        session,
        "SELECT DISTINCT consignee_id FROM consignee_case WHERE recall_number = :number AND state = 'open'"
        " ORDER BY 1 LIMIT :limit",
        {"number": number, "limit": limit},
    )
    return list(found.scalars())


async def abandon(session: AsyncSession, number: str, consignee_id: int, by: By) -> int:
    """Close whatever is open for the consignee because its recall has ended; returns how many cases were open."""
    outcome = "the recall has ended"
    await lock_consignee(session, number, consignee_id)
    await close_tasks(session, number, consignee_id, ALL_TASKS, by, outcome=outcome, cancelled=True)
    return await close_cases(session, number, consignee_id, [each.value for each in CaseReason], by, outcome=outcome)


async def _note(session: AsyncSession, number: str, action: str, by: By, data: dict[str, Any]) -> None:
    await audit.append(session, number, actor=by.actor, role=by.role, action=action, at=by.at, data=data)


__all__ = [
    "ALL_TASKS",
    "QUERY_TASKS",
    "By",
    "UnknownConsignee",
    "Unstarted",
    "abandon",
    "close_cases",
    "close_tasks",
    "consignees_with_open_cases",
    "end_contact",
    "end_contact_tasks",
    "lock_consignee",
    "mark_started",
    "open_case",
    "open_reasons",
    "owner_of",
    "unstarted",
]
