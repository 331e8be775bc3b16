"""The sending protocol of design §6 as a pipeline: claim ahead, send side by side, record in groups.

A group of deliveries is marked `submitting` and committed before any of them is handed to the provider; the next
group is marked while this one is being sent; outcomes are committed by the group. Whatever the process dies of, a
delivery is then either still `pending`, recorded, or found in `submitting` after its lease: such a one is looked for
(callback, provider) before it is sent again.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from activities.clock import ActivityClock
from activities.compose import ComposeError, Composer, Draft
from activities.delivery_outcomes import Outcomes, SendingLimits
from adapters.messaging.base import ErrorKind, MessagingAdapter, OutgoingMessage, SendError
from db.engine import SessionFactory
from db.repositories import deliveries
from db.repositories.deliveries import Claimed, Outcome
from models.messages import BatchResult, SendBatch

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    """A claimed delivery and until when (monotonic seconds) its lease surely holds."""

    row: Claimed
    draft: Draft
    lease_ends: float


class BatchSender:
    """Sends one batch of one campaign by one channel; used once."""

    def __init__(
        self,
        request: SendBatch,
        *,
        sessions: SessionFactory,
        adapter: MessagingAdapter,
        composer: Composer,
        clock: ActivityClock,
        limits: SendingLimits,
        heartbeat: Callable[[dict[str, int]], None],
    ) -> None:
        self._request = request
        self._sessions = sessions
        self._adapter = adapter
        self._composer = composer
        self._clock = clock
        self._limits = limits
        self._make = Outcomes(limits, clock)
        self._heartbeat = heartbeat
        self._held: dict[UUID, _Held] = {}
        self._todo: asyncio.Queue[_Held | None] = asyncio.Queue(maxsize=limits.claim_group)
        self._outcomes: asyncio.Queue[Outcome | None] = asyncio.Queue()
        self._counts: Counter[str] = Counter()
        self._stopping = False
        self._stop_reason: str | None = None
        self._fault: SQLAlchemyError | None = None

    def stop(self) -> None:
        """Send nothing more; what is claimed and not sent goes back to `pending`."""
        self._stopping = True

    async def run(self) -> BatchResult:
        """Claim, send and record until the limit is reached or nothing is due."""
        keeper = asyncio.create_task(self._keep_leases())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._claim())
                group.create_task(self._send_all())
                group.create_task(self._record())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        finally:
            keeper.cancel()
        if self._fault is not None:
            raise self._fault
        counts = self._counts
        return BatchResult(
            claimed=counts["claimed"],
            submitted=counts["submitted"],
            failed=counts["failed"],
            deferred=counts["retry"] + counts["unsure"],
            ambiguous=counts["ambiguous"],
            cancelled=counts["cancelled"],
            resent=counts["resent"],
            campaign_stop=self._stop_reason,
        )

    # ------------------------------------------------------------------ claim

    async def _claim(self) -> None:
        left = self._request.limit
        try:
            while left > 0 and not self._stopping:
                group = await self._claim_group(min(self._limits.claim_group, left))
                if not group:
                    break
                left -= len(group)
                for held in group:
                    await self._todo.put(held)
        except SQLAlchemyError as error:
            # What is claimed already is still sent and recorded; the batch fails afterwards and is repeated.
            self._fault = error
        finally:
            for _ in range(self._limits.concurrency):
                await self._todo.put(None)

    async def _claim_group(self, size: int) -> list[_Held]:
        now, begun = self._clock.now(), asyncio.get_running_loop().time()
        async with self._sessions.begin() as session:
            rows = await deliveries.claim(
                session,
                campaign_id=self._request.campaign_id,
                channel=self._request.channel,
                now=now,
                lease_until=now + self._limits.lease,
                limit=size,
            )
            drafts = await self._composer.drafts(session, rows) if rows else {}
        ends = begun + self._limits.lease.total_seconds()
        group = [_Held(row, drafts[row.id], ends) for row in rows]
        self._held |= {held.row.id: held for held in group}
        self._counts["claimed"] += len(group)
        self._counts["ambiguous"] += sum(held.row.was_submitting for held in group)
        return group

    # ------------------------------------------------------------------ send

    async def _send_all(self) -> None:
        try:
            async with asyncio.TaskGroup() as senders:
                for _ in range(self._limits.concurrency):
                    senders.create_task(self._sender())
        finally:
            self._outcomes.put_nowait(None)

    async def _sender(self) -> None:
        while (held := await self._todo.get()) is not None:
            outcome = await self._one(held)
            if outcome is None:
                self._held.pop(held.row.id, None)
                continue
            self._outcomes.put_nowait(outcome)

    async def _one(self, held: _Held) -> Outcome | None:
        """What became of one delivery; None when it is no longer ours to speak of."""
        row = held.row
        if self._stopping:
            return self._make.put_back(row)
        left = held.lease_ends - asyncio.get_running_loop().time()
        if left < self._limits.call_time.total_seconds():
            # Another sender may take it any moment: sending it now could be twice.
            return None if left <= 0 else self._make.put_back(row)
        try:
            message = held.draft()
        except ComposeError as error:
            _LOG.error("delivery %s cannot be composed: %s", row.id, error)
            return self._make.failed(row, "content", str(error))
        try:
            return await self._hand_over(row, message)
        except SendError as error:
            return self._refused(row, error)
        except Exception as error:  # noqa: BLE001
            # A fault of the adapter itself: nobody knows whether it was sent, and the others must go on. Only its
            # type is logged, because its text may quote the address.
            _LOG.error("delivery %s: %s in the %s adapter", row.id, type(error).__name__, row.channel)
            return self._make.unsure(row, f"{row.channel}:unknown:fault")

    async def _hand_over(self, row: Claimed, message: OutgoingMessage) -> Outcome:
        if row.was_submitting:
            # The body is unique to the delivery, so the window may be wide; clocks may differ.
            since = min(row.created_at, datetime.now(UTC)) - timedelta(days=1)
            try:
                found = await self._adapter.find_sent(message, since)
            except SendError as error:
                return self._make.unsure(row, error.code)
            if found is not None:
                return self._make.submitted(row, found.provider_id)
            if not row.wanted:
                return self._make.cancelled(row)
            self._counts["resent"] += 1
        sent = await self._adapter.send(message)
        return self._make.submitted(row, sent.provider_id)

    def _refused(self, row: Claimed, error: SendError) -> Outcome:
        if error.kind is ErrorKind.PERMANENT_CAMPAIGN and not error.maybe_sent:
            if self._stop_reason is not None:
                # Under way when the first one was refused; it stands back alone.
                return self._make.put_back(row)
            self._stopping, self._stop_reason = True, f"{error.code}: {error.detail}"
        return self._make.refused(row, error)

    # ------------------------------------------------------------------ record

    async def _record(self) -> None:
        finished = False
        while not finished:
            first = await self._outcomes.get()
            if first is None:
                return
            group = [first]
            finished = await self._collect(group)
            await self._write(group)

    async def _collect(self, group: list[Outcome]) -> bool:
        """Fill a group until it is full or old; True when there will be no more."""
        try:
            async with asyncio.timeout(self._limits.record_every.total_seconds()):
                while len(group) < self._limits.record_group:
                    following = await self._outcomes.get()
                    if following is None:
                        return True
                    group.append(following)
        except TimeoutError:
            pass
        return False

    async def _write(self, group: list[Outcome]) -> None:
        """Commit a group; a database that is away for a moment must not turn a sent notice into a doubtful one."""
        request, pause = self._request, 0.1
        deadline = asyncio.get_running_loop().time() + self._limits.lease.total_seconds()
        while True:
            try:
                async with self._sessions.begin() as session:
                    await deliveries.record(
                        session,
                        group,
                        number=request.number,
                        campaign_id=request.campaign_id,
                        channel=request.channel,
                        now=self._clock.now(),
                    )
            except (OperationalError, InterfaceError, PoolTimeout) as error:
                if asyncio.get_running_loop().time() + pause > deadline:
                    raise
                _LOG.warning("a group of outcomes cannot be recorded yet: %s", type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
            else:
                break
        self._counts.update(outcome.result for outcome in group)
        for outcome in group:
            self._held.pop(outcome.id, None)

    # ------------------------------------------------------------------ leases

    async def _keep_leases(self) -> None:
        while True:
            self._heartbeat(dict(self._counts))
            await asyncio.sleep(self._limits.renew_every.total_seconds())
            held = [(each.row.id, each.row.attempt) for each in self._held.values()]
            if not held:
                continue
            now, begun = self._clock.now(), asyncio.get_running_loop().time()
            try:
                async with self._sessions.begin() as session:
                    ours = await deliveries.renew(session, held, now + self._limits.lease)
            except SQLAlchemyError as error:
                _LOG.warning("leases cannot be renewed yet: %s", type(error).__name__)
                continue
            for delivery_id, _ in held:
                if delivery_id in ours and delivery_id in self._held:
                    self._held[delivery_id].lease_ends = begun + self._limits.lease.total_seconds()
