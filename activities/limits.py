"""Writes down what the engine for time computes: every deadline whose clock runs, each once and never later.

The policy's instant comes from `domain.timeline`; the real one follows at the recall's pace. A limit that cannot be
computed (a Chinese year whose State Council notice is not loaded yet) never stops a recall: it becomes a task for
regulatory affairs to work out by hand, and is owed until that is done or the table is loaded.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.policies import PolicyStore
from db.repositories import audit, by_hand, clock_facts, obligations, recalls, recalls_read
from domain.limits import Unit
from domain.obligations import recurring, series_name, series_of
from domain.pace import real_due
from domain.policy_parts import Obligation
from domain.timeline import NOTIFY, by_raise, duties, next_of_series
from domain.timeline_facts import Duty, Facts, Standing
from models.recall import Deadline, Recall

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
    """Limits whose task was opened or closed now, because no calendar covered them."""
    _known: dict[tuple[str, str], Deadline] = field(default_factory=dict)
    _waiting: set[str] = field(default_factory=set)
    _new: list[dict[str, Any]] = field(default_factory=list)
    _earlier: list[dict[str, Any]] = field(default_factory=list)

    async def put(self) -> None:
        """Record every deadline whose clock runs: the notice limit, and what is owed to authorities and the public."""
        facts = await clock_facts.facts_of(self.session, self.recall)
        complaints = await obligations.complaints(self.session, self.recall.number)
        ids = {sequence: row.id for sequence, row in complaints.items()}
        rows = await recalls_read.deadlines(self.session, self.recall.number)
        self._known.update({(row.jurisdiction, row.name): row for row in rows})
        self._waiting.update(await by_hand.open_keys(self.session, self.recall.number))
        owed = duties(facts, self.store.calendar)
        for duty in owed:
            await self._put(duty, ids.get(duty.complaint or 0))
        for duty in owed:
            if duty.obligation is not None and duty.obligation.every is not None:
                await self._continue_series(duty, facts)
        await self._note()

    async def _continue_series(self, first: Duty, facts: Facts) -> None:
        """The next report of a recurring one, once the last was submitted or its time has come."""
        standings = [each for each in facts.levels if each.policy.id == first.jurisdiction and each.until is None]
        rules = recurring(first.policy, [each.level for each in standings])
        item = rules.get(first.obligation.id) if first.obligation else None
        for _ in range(_MOST if item else 0):
            last = await obligations.last_of_series(self.session, self.recall.number, first.jurisdiction, first.name)
            # A series that a person stopped has ended.
            if last is None or item is None or last.stopped_at is not None:
                return
            number = series_of(last.name)[1]
            if last.met_at is None and last.due_at > self.now:
                before = self._known.get((first.jurisdiction, series_name(first.name, number - 1)))
                if number > 1 and before is not None:
                    await self._raise(item, standings, before, last)
                return
            duty = next_of_series(item, first, number + 1, last.policy_due_at, self.store.calendar)
            self._known[last.jurisdiction, last.name] = last
            if not await self._put(duty, None):
                return

    async def _raise(self, item: Obligation, standings: list[Standing], before: Deadline, last: Deadline) -> None:
        """A severity raised between two reports makes the open one due an interval after the decision."""
        for standing in standings:
            raised = standing.decision
            if raised is None or not before.policy_due_at < raised.at < last.policy_due_at:
                continue
            rule = recurring(standing.policy, [standing.level]).get(item.id)
            if rule is not None:
                self._known[last.jurisdiction, last.name] = last
                await self._put(by_raise(rule, standing, last.name, self.store.calendar), None)

    async def _put(self, duty: Duty, complaint: int | None) -> bool:
        """Write one deadline; False when it has no instant, or none that can be computed."""
        before = self._known.get((duty.jurisdiction, duty.name))
        if duty.uncomputed is not None and await by_hand.offer(self.session, self.recall, duty, self.now):
            self.by_hand.append(duty.name)
        if duty.due is None:
            return False
        if duty.uncomputed is None and by_hand.key_of(duty.jurisdiction, duty.name) in self._waiting:
            await by_hand.computed(self.session, self.recall.number, duty, self.now)
            self.by_hand.append(duty.name)
        row = self._row(duty, complaint)
        settled = before is not None and (before.met_at is not None or before.stopped_at is not None)
        if not settled and (before is None or row.due_at < before.due_at):
            said = _said(duty, row)
            if before is None:
                self._new.append(said)
            else:
                self._earlier.append(said | {"was": before.due_at, "policy_was": before.policy_due_at})
            await recalls.put_deadline(self.session, row)
        return True

    def _row(self, duty: Duty, complaint: int | None) -> Deadline:
        assert duty.due is not None  # noqa: S101 - the caller looked
        origin, figure, due = self.recall.created_at, duty.figure, duty.due.due
        owes = figure if isinstance(figure, Obligation) else None
        return Deadline(
            recall_number=self.recall.number,
            name=duty.name,
            jurisdiction=duty.jurisdiction,
            clock=duty.clock.name,
            limit_text=str(figure.due if figure.due.unit == Unit.BEFORE_START else duty.limit),
            basis=figure.basis.value,
            source=(figure.source or "house rule")[:200],
            policy_due_at=due,
            # Overdue before the recall began: no pace can move it, the real instant is the policy's.
            due_at=due if due <= origin else real_due(origin, origin, due, self.recall.pace),
            title=owes.title[:300] if owes else None,
            role=owes.role.value if owes else None,
            recipient=owes.recipient[:200] if owes and owes.recipient else None,
            complaint_id=complaint,
        )

    async def _note(self) -> None:
        """What was computed anew, and what became earlier and why, is on record."""
        if self._new or self._earlier:
            await audit.append(
                self.session,
                self.recall.number,
                actor=audit.SYSTEM,
                role=audit.SYSTEM,
                action="deadlines.computed",
                at=self.now,
                data={"new": list(self._new), "earlier": list(self._earlier)},
            )


def _said(duty: Duty, row: Deadline) -> dict[str, Any]:
    """A deadline as the audit names it."""
    return {
        "name": row.name,
        "jurisdiction": row.jurisdiction,
        "due_at": row.due_at,
        "policy_due_at": row.policy_due_at,
        "policy": f"{duty.policy.id}@{duty.policy.version}",
        "why": duty.why,
    }


__all__ = ["NOTIFY", "DeadlineWriter"]
