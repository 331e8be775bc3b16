"""The sending protocol of design §6 as a pipeline: claim ahead, send side by side, record in groups.

A group of deliveries is marked `submitting` and committed before any of them is handed to the provider; the next
group is marked while this one is being sent; outcomes are committed by the group. Whatever the process dies of, a
delivery is then `pending`, recorded, or found in `submitting` after its lease and looked for before it is sent again.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from activities.clock import ActivityClock, seconds
from activities.compose import ComposeError, Composer, Draft
from activities.delivery_outcomes import Outcomes, SendingLimits
from activities.pacing import Pace, units_of
from activities.recording import Recorders
from adapters.messaging.base import ErrorKind, MessagingAdapter, OutgoingMessage, SendError
from adapters.messaging.turns import STILL_WANTED, TurnLapsed
from db.engine import SessionFactory
from db.repositories import deliveries
from db.repositories.deliveries import Claimed, Outcome, Standing
from domain.channels import Channel
from models.messages import BatchResult, SendBatch

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    """A claimed delivery and until when (`clock.seconds`) its lease surely holds."""

    row: Claimed
    draft: Draft
    lease_ends: float
    called_off: bool = False
    """Its reader has answered, has left or is in its quiet hours: it goes back unsent."""

    def stands(self, found: Standing | None, lease_ends: float) -> None:
        """What the renewal of its lease found; None: it is another's, or was cancelled."""
        if found is None:
            self.lease_ends = 0.0
            return
        self.lease_ends = lease_ends
        if self.row.was_submitting:
            # It may have been sent, so it is asked for in any case.
            self.row = replace(self.row, wanted=found.wanted)
        else:
            self.called_off = not (found.wanted and found.timely)


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
        pace: Pace,
        recorders: Recorders,
        heartbeat: Callable[[dict[str, int]], None],
    ) -> None:
        self._request = request
        self._sessions = sessions
        self._adapter = adapter
        self._composer = composer
        self._clock = clock
        self._limits = limits
        self._pace = pace
        self._make = Outcomes(limits, clock)
        self._heartbeat = heartbeat
        self._held: dict[UUID, _Held] = {}
        self._todo: asyncio.Queue[_Held | None] = asyncio.Queue(maxsize=limits.claim_group)
        self._recorder = recorders.one(request, clock, self._recorded)
        self._counts: Counter[str] = Counter()
        self._stopping = False
        self._stop_reason: str | None = None
        self._fault: SQLAlchemyError | None = None

    def stop(self) -> None:
        """Send nothing more; what is claimed and not sent goes back to `pending`."""
        self._stopping = True
        self._pace.withdraw(self)

    async def run(self) -> BatchResult:
        """Claim, send and record until the limit is reached or nothing is due."""
        keeper = asyncio.create_task(self._keep_leases())
        end = asyncio.get_running_loop().call_later(self._limits.longest.total_seconds(), self.stop)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._claim())
                group.create_task(self._send_all())
                group.create_task(self._recorder.run())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        finally:
            keeper.cancel()
            end.cancel()
            # Its transaction is over when this returns: else it would hold the leases' rows until somebody lets it run.
            await asyncio.gather(keeper, return_exceptions=True)
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
                size = self._pace.claim_size(self._limits.claim_group)
                group = await self._claim_group(min(size, left))
                if not group:
                    break
                left -= len(group)
                for held in group:
                    await self._todo.put(held)
        except SQLAlchemyError as error:
            # What is claimed already is still sent and recorded; the batch fails afterwards and is repeated.
            self._fault = error
        # Only where somebody still takes them: when the batch fails, the senders are gone, and waiting for room in the
        # queue would never end.
        for _ in range(self._limits.concurrency):
            await self._todo.put(None)

    async def _claim_group(self, size: int) -> list[_Held]:
        now, begun = self._clock.now(), seconds()
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
        # What was planned while its reader left goes back at once, and is given up there.
        group = [_Held(row, drafts[row.id], ends, not (row.wanted or row.was_submitting)) for row in rows]
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
            self._recorder.finish()

    async def _sender(self) -> None:
        while (held := await self._todo.get()) is not None:
            await self._recorder.room()
            outcome = await self._one(held)
            if outcome is None:
                self._held.pop(held.row.id, None)
                continue
            self._recorder.add(outcome)

    async def _one(self, held: _Held) -> Outcome | None:
        """What became of one delivery; None when it is no longer ours to speak of."""
        row = held.row
        if self._stopping or held.called_off:
            return self._make.put_back(row)
        if row.address is None:
            return self._make.failed(row, ErrorKind.PERMANENT_CONTACT.value, f"{row.channel}:no-address")
        try:
            message = held.draft()
        except ComposeError as error:
            _LOG.error("delivery %s cannot be composed: %s", row.id, error)
            return self._make.failed(row, "content", str(error))
        return await self._offer(held, message)

    async def _offer(self, held: _Held, message: OutgoingMessage) -> Outcome | None:
        """Hand it over at the channel's pace; what is not taken because we are too fast is offered again."""
        row = held.row
        units = units_of(Channel(row.channel), message)
        for tries_left in reversed(range(self._limits.throttled_tries)):
            if not await self._turn(row, units):
                break
            found = await self._try(held, message)
            if not isinstance(found, SendError):
                return found
            await self._pace.too_fast(found.retry_after)
            if not tries_left:
                return self._make.throttled(row, found)
        return self._make.put_back(row)

    async def _try(self, held: _Held, message: OutgoingMessage) -> Outcome | SendError | None:
        """One call; the error itself when the provider did not take it because we are too fast."""
        row = held.row
        asked = STILL_WANTED.set(lambda: not self._stopping and self._ours(held))
        try:
            if not self._ours(held):
                raise TurnLapsed
            return await self._hand_over(row, message)
        except TurnLapsed:
            left = held.lease_ends - seconds()
            return None if left <= 0 and not held.called_off else self._make.put_back(row)
        except SendError as error:
            return error if error.throttled and not error.maybe_sent else self._refused(row, error)
        except Exception as error:  # noqa: BLE001
            # A fault of the adapter itself: nobody knows whether it was sent, and the others must go on. Only its
            # type is logged, because its text may quote the address.
            _LOG.error("delivery %s: %s in the %s adapter", row.id, type(error).__name__, row.channel)
            return self._make.unsure(row, f"{row.channel}:unknown:fault")
        finally:
            STILL_WANTED.reset(asked)

    def _ours(self, held: _Held) -> bool:
        """Whether it is still to be handed over; else another sender may take it any moment, and it could go twice."""
        return not held.called_off and held.lease_ends - seconds() >= self._limits.call_time.total_seconds()

    async def _turn(self, row: Claimed, units: int) -> bool:
        """Wait for the channel's pace; False when the batch was stopped meanwhile."""
        if self._pace.at_once(units):
            return True
        if self._stopping:
            return False
        return await self._pace.turn(row.priority, units, self) and not self._stopping

    async def _hand_over(self, row: Claimed, message: OutgoingMessage) -> Outcome:
        if row.was_submitting:
            # The body is unique to the delivery, so the window may be wide; clocks may differ.
            since = min(row.created_at, datetime.now(UTC)) - timedelta(days=1)
            try:
                found = await self._adapter.find_sent(message, since)
            except SendError as error:
                if error.kind is ErrorKind.PERMANENT_CAMPAIGN:
                    self._stop_campaign(error)
                return self._make.unanswered(row, error)
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
            self._stop_campaign(error)
        return self._make.refused(row, error)

    def _stop_campaign(self, error: SendError) -> None:
        self._stop_reason = self._stop_reason or f"{error.code}: {error.detail}"
        self.stop()

    def _recorded(self, group: Sequence[Outcome]) -> None:
        self._counts.update(outcome.result for outcome in group)
        for outcome in group:
            self._held.pop(outcome.id, None)

    # ------------------------------------------------------------------ leases

    async def _keep_leases(self) -> None:
        while True:
            self._heartbeat(dict(self._counts))
            await asyncio.sleep(self._limits.renew_every.total_seconds())
            held = list(self._held.values())
            if not held:
                continue
            now, begun = self._clock.now(), seconds()
            claims = [(each.row.id, each.row.attempt) for each in held]
            try:
                async with self._sessions.begin() as session:
                    ours = await deliveries.renew(session, claims, now=now, lease_until=now + self._limits.lease)
            except SQLAlchemyError as error:
                _LOG.warning("leases cannot be renewed yet: %s", type(error).__name__)
                continue
            for each in held:
                each.stands(ours.get(each.row.id), begun + self._limits.lease.total_seconds())
            if any(found.halted for found in ours.values()):
                # Paused, aborted or over: what is claimed and not yet handed over goes back.
                self.stop()
