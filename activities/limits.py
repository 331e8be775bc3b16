"""Turns the pinned policies' limits into deadline records: the policy's instant, and the real one at the pace.

A limit that cannot be computed (a Chinese year whose State Council notice is not loaded yet) never stops a recall:
it becomes a task for regulatory affairs to work out by hand, and an audit event that says why.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.policies import PolicyStore
from db.repositories import audit, recalls, tasks
from domain.deadlines import compute_due
from domain.limits import Unit
from domain.pace import policy_instant, real_due
from domain.policy import Policy
from domain.policy_parts import DueFigure, Trigger
from domain.roles import Role
from domain.working_days import CalendarError
from models.messages import OpenTask
from models.recall import Deadline, Recall

NOTIFY = "notify"


@dataclass(frozen=True)
class DeadlineWriter:
    """Writes the deadlines of one recall within one transaction."""

    session: AsyncSession
    store: PolicyStore
    recall: Recall
    now: datetime

    async def put(self, levels: Iterable[tuple[Policy, str]]) -> None:
        """Record every deadline whose clock runs: the notice limit, and what is always owed to the authority."""
        running = await recalls.clocks(self.session, self.recall.number)
        for policy, level in levels:
            figures: list[tuple[str, DueFigure]] = [(NOTIFY, policy.level(level).notify)]
            figures += [(item.id, item) for item in policy.obligations_for(level) if item.trigger == Trigger.ALWAYS]
            for name, figure in figures:
                clock = figure.runs_from
                if clock is not None and clock.value in running and figure.due.unit != Unit.NONE:
                    await self._put(policy, name, figure, running[clock.value])

    async def _put(self, policy: Policy, name: str, figure: DueFigure, clock_at: datetime) -> None:
        origin, pace = self.recall.created_at, self.recall.pace
        # Awareness lies before the recall exists and so before its pace; policy time is real time there.
        start = clock_at if clock_at <= origin else policy_instant(clock_at, origin, pace)
        try:
            calendar = self.store.calendar(policy, start.date())
            due = compute_due(start, figure.due, calendar, policy.zone.zone, figure.roll)
        except CalendarError as error:
            await self._by_hand(policy, name, str(error))
            return
        if due is None:
            return
        # Overdue before the recall began: no pace can move it, the real instant is the policy's.
        real = due.due if due.due <= origin else real_due(origin, origin, due.due, pace)
        await recalls.put_deadline(
            self.session,
            Deadline(
                recall_number=self.recall.number,
                name=name,
                jurisdiction=policy.id,
                clock=str(figure.runs_from),
                limit_text=str(figure.due),
                basis=figure.basis.value,
                source=figure.source or "house rule",
                policy_due_at=due.due,
                due_at=real,
            ),
        )

    async def _by_hand(self, policy: Policy, name: str, why: str) -> None:
        task = OpenTask(
            number=self.recall.number,
            key=f"deadline:{policy.id}:{name}",
            step="deadline",
            what=f"Work out by hand when {name} is due under {policy.id}: {why}"[:300],
            role=Role.REGULATORY.value,
            now=self.now,
        )
        if await tasks.open_task(self.session, self.recall, task):
            await audit.append(
                self.session,
                self.recall.number,
                actor="system",
                role="system",
                action="deadline.not_computed",
                at=self.now,
                reason=why,
                data={"name": name, "policy": f"{policy.id}@{policy.version}"},
            )
