"""Paging people about harm that no recall looks after, from the one workflow that always runs."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.staff_rendering import StaffRenderer
from adapters.messaging.base import ErrorKind, MessagingAdapter, OutgoingMessage, SendError
from adapters.messaging.message_ids import message_id_for
from db.engine import SessionFactory
from db.repositories import harm_pages
from db.repositories.harm_pages import PendingPage
from domain.channels import Channel
from models.staff import StaffMessageState

_LOG = logging.getLogger("activities.harm_paging")
_AMBIGUOUS: Final = "ambiguous: "
_MOST: Final = 50
"""Pages of one look; the next one goes on."""


class HarmPager:
    """Writes the pages that are due and sends those that wait; one that cannot be sent now waits for the next look."""

    def __init__(
        self,
        sessions: SessionFactory,
        adapters: Mapping[Channel, MessagingAdapter],
        renderer: StaffRenderer,
        mail_from: str,
    ) -> None:
        self._sessions = sessions
        self._adapters = adapters
        self._renderer = renderer
        self._mail_from = mail_from

    async def look(self, now: datetime) -> None:
        """Once through everything that waits, one transaction each.

        Raises:
            SQLAlchemyError: the database is away.
        """
        async with self._sessions.begin() as session:
            _, nobody = await harm_pages.page_again(session, now)
        if nobody:
            _LOG.error("harm in %s messages waits, and there is nobody to page: set who is on call", nobody)
        after = 0
        away: set[Channel] = set()
        for _ in range(_MOST):
            activity.heartbeat()
            async with self._sessions.begin() as session:
                pending = await harm_pages.claim_next(session, after)
                if pending is None:
                    return
                after, channel = pending.page.id or 0, Channel(pending.page.channel)
                if channel in away:
                    continue
                await self._send(session, pending, channel, now)
                if pending.page.state == StaffMessageState.pending.value:
                    away.add(channel)

    async def _send(self, session: AsyncSession, pending: PendingPage, channel: Channel, now: datetime) -> None:
        row = pending.page
        address = pending.person.email if channel is Channel.EMAIL else pending.person.phone
        adapter = self._adapters.get(channel)
        if address is None or adapter is None:
            why = "no address" if address is None else "the channel is not configured"
            await harm_pages.note_failed(session, row, f"{channel.value}:{why}", now)
            return
        session.add(row)
        try:
            sent = await self._once(adapter, self._compose(pending, address, channel), pending)
        except SendError as error:
            if error.kind is ErrorKind.PERMANENT_CONTACT:
                await harm_pages.note_failed(session, row, error.code, now)
                return
            row.error = f"{_AMBIGUOUS if error.maybe_sent else ''}{error.code}"[:300]
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours must not hold up the pages behind it
            _LOG.error("page %s: %s", row.id, type(error).__name__)
            row.error = f"{_AMBIGUOUS}{channel.value}:fault:{type(error).__name__}"[:300]
        else:
            row.state, row.provider_id, row.error = StaffMessageState.sent.value, sent, None
            row.sent_at = now

    async def _once(self, adapter: MessagingAdapter, outgoing: OutgoingMessage, pending: PendingPage) -> str:
        """Send, unless an earlier attempt may have and the provider knows that it did."""
        if (pending.page.error or "").startswith(_AMBIGUOUS):
            earlier = await adapter.find_sent(outgoing, pending.page.created_at)
            if earlier is not None:
                return earlier.provider_id[:200]
        return (await adapter.send(outgoing)).provider_id[:200]

    def _compose(self, pending: PendingPage, address: str, channel: Channel) -> OutgoingMessage:
        row = pending.page
        text = self._renderer.render_harm(channel, pending.person, row.message_id, pending.aware_at)
        identity = uuid5(NAMESPACE_URL, f"harm-page:{row.id}:{row.created_at.isoformat()}")
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


__all__ = ["HarmPager"]
