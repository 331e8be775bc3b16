"""Turns the pinned policies' limits into deadline records: the policy's instant, and the real one at the pace.

A limit that cannot be computed (a Chinese year whose State Council notice is not loaded yet) never stops a recall:
it becomes a task for regulatory affairs to work out by hand, and an audit event that says why.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.policies import PolicyStore
from db.repositories import audit, obligations, recalls, tasks
from domain.deadlines import compute_due
from domain.limits import Limit, Unit
from domain.obligations import Owed, RunningClock, nth_limit, owed, recurring, series_name, series_of
from domain.pace import policy_instant, real_due
from domain.policy import Policy
from domain.policy_parts import DueFigure, HumanStep, Obligation, Trigger
from domain.roles import Role
from domain.workflow_ids import obligations_id
from domain.working_days import CalendarError
from models.recall import Deadline, Recall

NOTIFY = "notify"
_MOST = 100
"""Reports of one series written at once; whoever calls again gets the rest."""


@dataclass(frozen=True)
class DeadlineWriter:
    """Writes the deadlines of one recall within one transaction; each once, and never later than it was."""

    session: AsyncSession
    store: PolicyStore
    recall: Recall
    now: datetime
    by_hand: list[str] = field(default_factory=list)
    """Limits that became a task now, because no calendar covers them."""

    async def put(self, levels: Iterable[tuple[Policy, str]]) -> None:
        """Record every deadline whose clock runs: the notice limit, and what is owed to authorities and the public."""
        pairs = list(levels)
        number = self.recall.number
        clocks = await obligations.running_clocks(self.session, number)
        complaints = await obligations.complaints(self.session, number)
        gates = await obligations.settled_by_gates(self.session, number)
        for policy, level in pairs:
            notify = policy.level(level).notify
            for clock in [each for each in clocks if each.name == notify.runs_from][:1]:
                await self._put(policy, NOTIFY, notify, clock)
            for item in policy.obligations_for(level):
                for each in owed(item, clocks):
                    harm = complaints.get(each.fact or 0) if item.trigger == Trigger.ON_HARM else None
                    if harm is None or not item.outcomes or harm.severity in item.outcomes:
                        await self._put(policy, each.name, item, each.clock, complaint=harm.id if harm else None)
                waiver = gates.get((policy.id, item.id))
                if item.due.unit == Unit.BEFORE_START and waiver is not None and waiver.outcome == "waived":
                    # Waived for urgency is not done: the report is owed at once, after the start.
                    clock = RunningClock("gate_waived", 1, waiver.signed_at)
                    await self._put(policy, item.id, item, clock, limit=Limit(Unit.IMMEDIATELY))
        for policy in {policy.id: policy for policy, _ in pairs}.values():
            await self._continue_series(policy, [level for each, level in pairs if each.id == policy.id], clocks)

    async def _continue_series(self, policy: Policy, levels: list[str], clocks: list[RunningClock]) -> None:
        """The next report of each recurring one, once the last was submitted or its time has come."""
        for item in recurring(policy, levels).values():
            for first in owed(item, clocks):
                for _ in range(_MOST):
                    if not await self._next_of(policy, item, first):
                        break

    async def _next_of(self, policy: Policy, item: Obligation, first: Owed) -> bool:
        last = await obligations.last_of_series(self.session, self.recall.number, policy.id, first.name)
        # A series that a person stopped has ended.
        if last is None or item.every is None or last.stopped_at is not None:
            return False
        if last.met_at is None and last.due_at > self.now:
            return False
        number = series_of(last.name)[1] + 1
        name, limit = series_name(first.name, number), nth_limit(item.due, item.every, number)
        if limit is not None:
            return await self._put(policy, name, item, first.clock, limit=limit)
        before = RunningClock(first.clock.name, first.clock.scope_version, last.policy_due_at)
        return await self._put(policy, name, item, before, limit=item.every, policy_start=last.policy_due_at)

    async def _put(
        self,
        policy: Policy,
        name: str,
        figure: DueFigure,
        clock: RunningClock,
        *,
        complaint: int | None = None,
        limit: Limit | None = None,
        policy_start: datetime | None = None,
    ) -> bool:
        """Write one deadline; False when it has no instant, or none that can be computed."""
        origin, pace, allowed = self.recall.created_at, self.recall.pace, limit or figure.due
        # Awareness lies before the recall exists and so before its pace; policy time is real time there.
        start = policy_start or (clock.at if clock.at <= origin else policy_instant(clock.at, origin, pace))
        try:
            calendar = self.store.calendar(policy, start.date())
            due = compute_due(start, allowed, calendar, policy.zone.zone, figure.roll)
        except CalendarError as error:
            await self._by_hand(policy, name, str(error))
            return False
        if due is None:
            return False
        owes = figure if isinstance(figure, Obligation) else None
        await recalls.put_deadline(
            self.session,
            Deadline(
                recall_number=self.recall.number,
                name=name,
                jurisdiction=policy.id,
                clock=clock.name,
                limit_text=str(figure.due if figure.due.unit == Unit.BEFORE_START else allowed),
                basis=figure.basis.value,
                source=(figure.source or "house rule")[:200],
                policy_due_at=due.due,
                # Overdue before the recall began: no pace can move it, the real instant is the policy's.
                due_at=due.due if due.due <= origin else real_due(origin, origin, due.due, pace),
                title=owes.title[:300] if owes else None,
                role=owes.role.value if owes else None,
                recipient=owes.recipient[:200] if owes and owes.recipient else None,
                complaint_id=complaint,
            ),
        )
        return True

    async def _by_hand(self, policy: Policy, name: str, why: str) -> None:
        opened = await tasks.offer(
            self.session,
            self.recall,
            key=f"deadline:{policy.id}:{name}"[:120],
            step=HumanStep.OBLIGATION,
            what=f"Work out by hand when {name} is due under {policy.id}: {why}",
            owner=obligations_id(self.recall.number),
            role=Role.REGULATORY,
            now=self.now,
        )
        if opened:
            self.by_hand.append(name)
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
