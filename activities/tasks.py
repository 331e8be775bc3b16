"""Tasks as activities: opened and closed for a workflow, turned when their time has come, and staff told of it.

Each may run again after a crash and then changes nothing. Messages are written in the transaction of what they speak
of and sent afterwards, so a mail server that is away delays a message and never a hand-over.
"""

import logging
from collections.abc import Mapping
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.branches import Tell
from activities.compose import NoticeLinks
from activities.notice_test_message import test_message
from activities.staff_rendering import StaffRenderer
from adapters.messaging.base import ErrorKind, MessagingAdapter, OutgoingMessage, SendError
from adapters.messaging.message_ids import message_id_for
from db.engine import SessionFactory
from db.repositories import audit, files, notice_reviews, recalls, staff_messages, task_turns, tasks
from db.repositories.staff_messages import Pending
from domain.channels import Channel
from domain.expert_links import expert_url, make_expert_token
from domain.supplier_request import link_until, make_supplier_token, supplier_url
from domain.workflow_ids import recall_id
from models.messages import (
    CloseTask,
    OpenTask,
    OwnTasks,
    SendStaffMessages,
    StaffSent,
    TaskClocks,
    TaskOpened,
    TasksTurned,
    TurnTasks,
)
from models.staff import MessageKind, StaffMessageState

_LOG = logging.getLogger(__name__)
_AMBIGUOUS: Final = "ambiguous: "
_MOST: Final = 200
"""Messages of one activity; the next one goes on."""


class TaskActivities:
    """Everything about tasks that needs the database."""

    def __init__(self, sessions: SessionFactory, tell: Tell | None = None) -> None:
        """`tell`: a workflow, of a task of its own that ended with another one."""
        self._sessions = sessions
        self._tell = tell

    @activity.defn
    async def open_task(self, task: OpenTask) -> TaskOpened:
        """Open a task unless its key exists, for whoever is responsible."""
        async with self._sessions.begin() as session:
            recall = await recalls.get(session, task.number)
            await tasks.open_for(session, recall, task)
            return TaskOpened(channels=await staff_messages.waiting_channels(session, task.number))

    @activity.defn
    async def close_task(self, close: CloseTask) -> None:
        """Close a task whose aim was reached without anybody saying so.

        With the task to release a draft ends the one to read its passages.
        """
        draft, asked = notice_reviews.version_of(close.key), None
        async with self._sessions.begin() as session:
            if draft is None:
                await recalls.share(session, [close.number])
            else:
                await recalls.get(session, close.number, lock=True)
                await notice_reviews.drop(session, close.number, draft, close.outcome, close.now)
                asked = await notice_reviews.latest(session, close.number)
            done = await tasks.close(
                session, close.number, close.key, outcome=close.outcome, done_by=close.done_by, now=close.now
            )
            if done:
                await audit.append(
                    session,
                    close.number,
                    actor="system",
                    role="system",
                    action="task.closed",
                    at=close.now,
                    data={"key": close.key, "outcome": close.outcome},
                )
        if asked is not None and self._tell is not None:
            await self._tell(recall_id(close.number), asked)

    @activity.defn
    async def task_clock(self, own: OwnTasks) -> TaskClocks:
        """Open tasks of one workflow with the times at which they need it."""
        async with self._sessions() as session:
            return await task_turns.clocks(session, own.number, own.owner)

    @activity.defn
    async def turn_tasks(self, turn: TurnTasks) -> TasksTurned:
        """Remind, hand over or escalate each task as the record says at `now`."""
        async with self._sessions.begin() as session:
            file = await files.get(session, turn.number)
            return await task_turns.turn(session, file, turn.keys, turn.now)


class StaffMessageActivities:
    """Sends what waits for our own people; registered on the task queue of each channel."""

    def __init__(
        self,
        sessions: SessionFactory,
        adapters: Mapping[Channel, MessagingAdapter],
        renderer: StaffRenderer,
        mail_from: str,
        links: NoticeLinks | None = None,
    ) -> None:
        """`links`: what the signed links of outside experts are made of; without them no expert is written to."""
        self._sessions = sessions
        self._adapters = adapters
        self._renderer = renderer
        self._mail_from = mail_from
        self._links = links
        self._public_url = links.public_url if links else ""

    @activity.defn
    async def send_staff_messages(self, request: SendStaffMessages) -> StaffSent:
        """Send the recall's waiting messages of one channel, one transaction each.

        Raises:
            ApplicationError: `StaffMessagesWait` when some could not be sent now; they wait for the next attempt.
        """
        channel, after, counts = Channel(request.channel), 0, dict.fromkeys(StaffMessageState, 0)
        for _ in range(_MOST):
            async with self._sessions.begin() as session:
                pending = await staff_messages.claim_next(session, request.number, channel, after)
                if pending is None:
                    break
                after = pending.message.id or 0
                counts[await self._send(session, pending, channel, request)] += 1
        if waiting := counts[StaffMessageState.pending]:
            raise ApplicationError(f"{waiting} messages to staff wait", type="StaffMessagesWait")
        return StaffSent(
            sent=counts[StaffMessageState.sent],
            failed=counts[StaffMessageState.failed],
            blocked=counts[StaffMessageState.blocked],
        )

    async def _send(
        self, session: AsyncSession, pending: Pending, channel: Channel, request: SendStaffMessages
    ) -> StaffMessageState:
        message = pending.message
        session.add(message)
        if pending.recall.drill:
            message.state = StaffMessageState.blocked.value
            return StaffMessageState.blocked
        address = pending.person.email if channel is Channel.EMAIL else pending.person.phone
        adapter = self._adapters.get(channel)
        linked = pending.expert or pending.supplier or pending.message.notice_body_id
        if address is None or adapter is None or (linked and self._links is None):
            why = "no address" if address is None else "the channel is not configured"
            return await self._failed(session, pending, request, f"{channel.value}:{why}")
        try:
            sent = await self._once(adapter, await self._outgoing(session, pending, address, channel), pending)
        except SendError as error:
            if error.kind is ErrorKind.PERMANENT_CONTACT:
                return await self._failed(session, pending, request, error.code)
            message.error = f"{_AMBIGUOUS if error.maybe_sent else ''}{error.code}"[:300]
            return StaffMessageState.pending
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001
            # A fault of ours must not hold up the messages behind it, a page about harm among them. Its text may quote
            # an address.
            _LOG.error("message %s to staff: %s", message.id, type(error).__name__)
            message.error = f"{_AMBIGUOUS}{channel.value}:fault:{type(error).__name__}"[:300]
            return StaffMessageState.pending
        message.state, message.provider_id, message.error = StaffMessageState.sent.value, sent, None
        message.sent_at = request.now
        return StaffMessageState.sent

    async def _once(self, adapter: MessagingAdapter, outgoing: OutgoingMessage, pending: Pending) -> str:
        """Send, unless an earlier attempt may have and the provider knows that it did."""
        doubtful = (pending.message.error or "").startswith(_AMBIGUOUS) or activity.info().attempt > 1
        if doubtful:
            earlier = await adapter.find_sent(outgoing, pending.message.created_at)
            if earlier is not None:
                return earlier.provider_id[:200]
        return (await adapter.send(outgoing)).provider_id[:200]

    async def _outgoing(
        self, session: AsyncSession, pending: Pending, address: str, channel: Channel
    ) -> OutgoingMessage:
        if pending.message.notice_body_id is not None:
            return await test_message(session, pending, address, self._public_url, self._mail_from)
        return self._compose(pending, address, channel)

    def _compose(self, pending: Pending, address: str, channel: Channel) -> OutgoingMessage:
        text = self._renderer.render(MessageKind(pending.message.kind), channel, pending, self._link(pending))
        identity: UUID = uuid5(NAMESPACE_URL, f"staff-message:{pending.message.dedupe}:{pending.recall.number}")
        mail = channel is Channel.EMAIL
        return OutgoingMessage(
            delivery_id=identity,
            to=address,
            subject=text.subject if mail else None,
            text=text.body,
            html=None,
            message_id=message_id_for(identity, self._mail_from) if mail else None,
            language=text.language,
            priority=1,
            answer_counts=False,
        )

    def _link(self, pending: Pending) -> str | None:
        """The signed link of an expert or a supplier: it lives as long as the answer is awaited, the same each time.

        A supplier who is asked late, or again, gets one that outlives the asking.
        """
        review, request = pending.expert, pending.supplier
        if request is not None and self._links is not None:
            expires_at = link_until(request.verification_due_at, pending.message.created_at)
            return supplier_url(
                self._links.public_url, make_supplier_token(self._links.secret, request.number, expires_at)
            )
        if review is None or self._links is None or review.id is None:
            return None
        token = make_expert_token(self._links.secret, review_id=review.id, expires_at=review.due_at)
        return expert_url(self._links.public_url, token)

    async def _failed(
        self, session: AsyncSession, pending: Pending, request: SendStaffMessages, code: str
    ) -> StaffMessageState:
        pending.message.state, pending.message.error = StaffMessageState.failed.value, code[:300]
        await audit.append(
            session,
            request.number,
            actor="system",
            role="system",
            action="staff_message.failed",
            at=request.now,
            data={"message": pending.message.id, "principal": pending.message.principal, "code": code},
        )
        return StaffMessageState.failed


__all__ = ["StaffMessageActivities", "TaskActivities"]
