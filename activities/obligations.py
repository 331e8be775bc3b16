"""What is owed to authorities and the public: deadlines whose clocks run, and a task for each that is open.

A recurring report has one open task, for the earliest one owed, and the task says how many are: at an interval of a day
a week of silence would else be a pile of seven tasks. Each report stays owed until it is submitted or stopped.
"""

from collections import defaultdict
from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.limits import DeadlineWriter
from activities.policies import PolicyStore
from db.engine import SessionFactory
from db.repositories import audit, branch_facts, extension_notices, obligations, recalls, submissions, tasks
from domain.firm import Firm
from domain.obligations import base_name, series_of
from domain.policy_parts import HumanStep
from domain.roles import Role
from domain.workflow_ids import obligations_id
from models.messages import ObligationsFigures, ObligationsTurn, RecallRef
from models.recall import Deadline, Recall
from models.task import Task


class ObligationActivities:
    """Records of obligations; each may run again after a crash and then changes nothing."""

    def __init__(self, sessions: SessionFactory, policies: PolicyStore, firm: Firm | None = None) -> None:
        self._sessions = sessions
        self._policies = policies
        self._firm = firm or Firm()

    @activity.defn
    async def write_deadlines(self, ref: RecallRef) -> None:
        """Record every deadline whose clock runs by now; one on record only ever becomes earlier."""
        async with self._sessions.begin() as session:
            await self._write(session, ref)

    @activity.defn
    async def obligations_turn(self, turn: ObligationsTurn) -> ObligationsFigures:
        """Bring deadlines and their tasks up to date, and count what is open (see `obligations.Counts`)."""
        async with self._sessions.begin() as session:
            recall, by_hand = await self._write(session, RecallRef(number=turn.number, now=turn.now))
            if turn.ending:
                await obligations.end_series(session, turn.number, reason="the recall has ended", now=turn.now)
            changed = await self._sync_tasks(session, recall, turn) or by_hand
            found = await obligations.counts(session, turn.number, turn.now)
            ahead = found.next_due
            return ObligationsFigures(
                open=found.open,
                overdue=found.overdue,
                next_due_at=ahead.due_at if ahead else None,
                next_name=f"{ahead.name} ({ahead.jurisdiction})" if ahead else None,
                tasks_changed=changed,
                facts_moved=await branch_facts.have_moved(session, recall, self._firm),
                under_way=len(await submissions.under_way(session, turn.number)),
            )

    async def _write(self, session: AsyncSession, ref: RecallRef) -> tuple[Recall, bool]:
        """The recall, and whether a limit became a task to be worked out by hand."""
        recall = await recalls.get(session, ref.number, lock=True)
        # Tasks are locked before the audit chain, as by whoever completes one: the other way round they wait crosswise.
        await obligations.open_tasks(session, ref.number)
        writer = DeadlineWriter(session, self._policies, recall, ref.now)
        await writer.put()
        await extension_notices.meet(session, ref.number, ref.now)
        return recall, bool(writer.by_hand)

    async def _sync_tasks(self, session: AsyncSession, recall: Recall, turn: ObligationsTurn) -> bool:
        """A task for every open obligation, none for a settled one; True when anything changed."""
        gates = await obligations.settled_by_gates(session, recall.number)
        watched = await obligations.open_tasks(session, recall.number)
        changed = False
        rows = await obligations.of_recall(session, recall.number)
        carried = _series(rows)
        for row in rows:
            key = obligations.task_key(row)
            if row.met_at is not None or row.stopped_at is not None:
                if key in watched:
                    outcome, who = "met" if row.met_at is not None else "not owed", row.met_by or audit.SYSTEM
                    await tasks.close(session, recall.number, key, outcome=outcome, done_by=who, now=turn.now)
                    changed = True
                continue
            gate = (row.jurisdiction, base_name(row.name))
            if gate in gates and gates[gate] is None:
                continue
            owed = carried[row.jurisdiction, series_of(row.name)[0]]
            open_task = watched.get(key)
            if row is not owed[0]:
                # One task carries the series; a later report gets its own when it is the first one owed.
                continue
            due = sum(each.due_at <= turn.now for each in owed)
            if open_task is None:
                changed |= await self._offer(session, recall, row, turn, due)
                continue
            await _say_how_many(session, open_task, row, due, turn)
            if open_task.due_at is None or open_task.due_at > row.due_at:
                await self._pull(session, recall, open_task, row, turn)
                changed = True
        return changed

    async def _offer(
        self, session: AsyncSession, recall: Recall, row: Deadline, turn: ObligationsTurn, due: int
    ) -> bool:
        return await tasks.offer(
            session,
            recall,
            key=obligations.task_key(row),
            step=HumanStep.OBLIGATION,
            what=_what(row, due),
            owner=obligations_id(recall.number),
            now=turn.now,
            role=Role(row.role) if row.role else None,
            due_at=row.due_at,
            evidence_required=True,
        )

    async def _pull(
        self, session: AsyncSession, recall: Recall, task: Task, row: Deadline, turn: ObligationsTurn
    ) -> None:
        """New facts made the deadline earlier; its task follows and is reminded of anew."""
        policies = await recalls.pinned(session, recall.number)
        role = Role(row.role) if row.role else None
        found = tasks.times_for(policies, recall, HumanStep.OBLIGATION, turn.now, role=role, due_at=row.due_at)
        task.remind_at, task.due_at, task.escalate_at = (
            found.times.remind_at,
            found.times.due_at,
            found.times.escalate_at,
        )
        task.policy_due_at = row.policy_due_at
        session.add(task)
        await audit.append(
            session,
            recall.number,
            actor=audit.SYSTEM,
            role=audit.SYSTEM,
            action="task.due_earlier",
            at=turn.now,
            data={"key": task.key, "due_at": task.due_at},
        )


def _series(rows: Sequence[Deadline]) -> dict[tuple[str, str], list[Deadline]]:
    """Open reports by jurisdiction and series, the earliest first; what is owed once is a series of one."""
    found: dict[tuple[str, str], list[Deadline]] = defaultdict(list)
    for row in rows:
        if row.met_at is None and row.stopped_at is None:
            found[row.jurisdiction, series_of(row.name)[0]].append(row)
    return {key: sorted(each, key=lambda row: (row.due_at, series_of(row.name)[1])) for key, each in found.items()}


def _what(row: Deadline, due: int) -> str:
    several = f"; {due} reports of this series are owed by now" if due > 1 else ""
    return f"Submit: {row.title or row.name} ({row.jurisdiction}){several}"[:300]


async def _say_how_many(session: AsyncSession, task: Task, row: Deadline, due: int, turn: ObligationsTurn) -> None:
    """A further report of the series came due: its task says so."""
    what = _what(row, due)
    if task.what == what:
        return
    task.what = what
    session.add(task)
    await audit.append(
        session,
        row.recall_number,
        actor=audit.SYSTEM,
        role=audit.SYSTEM,
        action="task.series_grew",
        at=turn.now,
        data={"key": task.key, "owed": due},
    )
