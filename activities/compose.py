"""Turns claimed deliveries into messages: the approved body with this recipient's own values filled in.

A message is the same on every attempt, down to its link: that is what lets the provider be asked whether it has
it already, and makes a resent e-mail recognisable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from adapters.messaging.base import OutgoingMessage
from adapters.messaging.message_ids import message_id_for
from db.repositories import notice_facts, notices, recalls
from db.repositories.consignee_lots import ConsigneeLotRow, every_lot_of
from db.repositories.deliveries import Claimed
from db.repositories.merging import Carried
from documents.notice_files import Enclosures
from domain.channels import Channel
from domain.links import (
    SITES_PATH,
    TWILIO_CALL_STATUS_PATH,
    TWILIO_SCRIPT_PATH,
    TWILIO_STATUS_PATH,
    make_link_token,
    recipient_url,
    signed_callback_url,
)
from domain.notice_body import ApprovedBody, fill
from domain.notice_content import RecipientValues
from domain.notice_kinds import NoticeKind
from domain.pace import PolicyClock
from domain.recipient_values import for_several_sites, names_apart, recipient_values

LINK_LIFE: Final = timedelta(days=366)
"""How long a recipient can answer and correct by the link; recalls stay open for months."""


CALLBACK_PATHS: Final[Mapping[str, str]] = {
    Channel.SMS: TWILIO_STATUS_PATH,
    Channel.VOICE: TWILIO_CALL_STATUS_PATH,
}
"""Where the provider of a channel reports what became of a message; the others report in their own answer or not."""
SCRIPT_PATHS: Final[Mapping[str, str]] = {Channel.VOICE: TWILIO_SCRIPT_PATH}
"""Where the provider fetches what is to be said, on channels that do."""


_Key = tuple[str, str, str]
"""Kind, channel, language."""


class ComposeError(Exception):
    """A message that cannot be made of what was approved; the text is safe for the record."""


Draft = Callable[[], OutgoingMessage]
"""Makes the message when its turn has come; raises `ComposeError`."""


class Composer(Protocol):
    """Where the sender gets its messages from."""

    async def drafts(self, session: AsyncSession, rows: Sequence[Claimed]) -> dict[UUID, Draft]:
        """Load what the messages of a claimed group need; rendering is left to each draft."""


@dataclass(frozen=True, slots=True)
class NoticeLinks:
    """What links and Message-IDs are made of."""

    public_url: str
    secret: str
    mail_from: str


@dataclass(frozen=True, slots=True)
class _Own:
    """What the record says of one recipient."""

    lots: Sequence[ConsigneeLotRow]
    serials: Mapping[int, tuple[str, ...]]
    """By lot."""
    distributor: bool


class NoticeComposer:
    """`Composer` of one campaign."""

    def __init__(self, number: str, campaign_id: int, links: NoticeLinks) -> None:
        self._number = number
        self._campaign_id = campaign_id
        self._links = links
        self._bodies: dict[_Key, ApprovedBody] = {}
        self._read: set[_Key] = set()
        """Bodies that were looked for, whether there are such or not."""
        self._enclosures = Enclosures(())
        self._since: int | None = None
        """Scope version of the notice that this one amends; lots of later versions are new to the recipient."""
        self._clock: PolicyClock | None = None

    async def drafts(self, session: AsyncSession, rows: Sequence[Claimed]) -> dict[UUID, Draft]:
        """See `Composer`; the bodies are read and checked against their hash once per batch."""
        if self._clock is None:
            await self._load(session)
        await self._read_bodies(session, {(row.kind, row.channel, row.language) for row in rows})
        consignees = [row.consignee_id for row in rows]
        consignees += [site.consignee_id for row in rows for site in row.carried]
        lots = await every_lot_of(session, consignees)
        serials = await notice_facts.serials_of(session, consignees)
        selling = await notice_facts.distributors(session, consignees)
        own = {each: _Own(lots[each], serials[each], each in selling) for each in consignees}
        return {row.id: self._draft(row, own) for row in rows}

    async def _read_bodies(self, session: AsyncSession, wanted: set[_Key]) -> None:
        """Read what is not read yet: one body in one language is 60 kB with its letter, and a notice has dozens."""
        # Whatever follows the first notice may carry its letter.
        first = {(NoticeKind.INITIAL.value, channel, language) for _, channel, language in wanted}
        missing = (wanted | first) - self._read
        if not missing:
            return
        stored = await notices.bodies_of_campaign(session, self._campaign_id, missing)
        for body in stored:
            self._bodies[(body.kind, body.channel, body.language)] = ApprovedBody.from_json(body.body)
        self._enclosures = Enclosures(list(self._bodies.values()))
        self._read |= missing

    async def _load(self, session: AsyncSession) -> None:
        notice = await notices.of_campaign(session, self._campaign_id)
        self._since = (notice.change or {}).get("since")
        recall = await recalls.get(session, self._number)
        self._clock = PolicyClock.starting(recall.created_at, recall.pace)

    def _draft(self, row: Claimed, own: Mapping[int, _Own]) -> Draft:
        return lambda: self._message(row, own)

    def _message(self, row: Claimed, own: Mapping[int, _Own]) -> OutgoingMessage:
        body = self._bodies.get((row.kind, row.channel, row.language))
        if body is None:
            raise ComposeError(f"no approved body for {row.kind}/{row.channel}.{row.language}")
        try:
            values = self._values(row, own)
            filled = fill(body, values)
            machine = self._enclosures.machine(body, values, row.id, filled)
            attachments = self._enclosures.files(body, values, machine)
        except ComposeError:
            raise
        except Exception as error:
            # Whatever it is: a fault that one recipient's values trip must not end the batch, which would leave the
            # messages under way in doubt and meet the same recipient again. Its text may quote them.
            raise ComposeError(f"{row.kind}/{row.channel}.{row.language}: {type(error).__name__}") from error
        links = self._links
        return OutgoingMessage(
            delivery_id=row.id,
            to=row.address or "",
            subject=filled.subject,
            text=filled.text,
            html=filled.html,
            message_id=message_id_for(row.id, links.mail_from) if row.channel == Channel.EMAIL else None,
            language=row.language,
            priority=row.priority,
            valid_until=row.next_step_at,
            status_callback=self._address(row, CALLBACK_PATHS),
            call_script=self._address(row, SCRIPT_PATHS),
            attachments=attachments,
            machine=machine if row.channel == Channel.WEBHOOK else None,
        )

    def _address(self, row: Claimed, paths: Mapping[str, str]) -> str | None:
        """The address below one of our paths that the provider of this channel is given for the delivery."""
        path = paths.get(row.channel)
        return signed_callback_url(self._links.secret, self._links.public_url, path, row.id) if path else None

    def _values(self, row: Claimed, own: Mapping[int, _Own]) -> RecipientValues:
        """The recipient's values; of all its sites together where the message speaks of several."""
        values = self._values_of(row, own[row.consignee_id])
        if not row.carried:
            return values
        rows = [row, *(_as_claimed(row, each) for each in row.carried)]
        rows.sort(key=lambda each: (each.partner_name, each.partner_code))
        names = names_apart([(each.partner_name, each.partner_code) for each in rows])
        sites = [
            (each.id, name, values if each is row else self._values_of(each, own[each.consignee_id]))
            for each, name in zip(rows, names, strict=True)
        ]
        return for_several_sites(values, sites, link=f"{self._link(row, all_sites=True)}{SITES_PATH}")

    def _link(self, row: Claimed, *, all_sites: bool = False) -> str:
        token = make_link_token(
            self._links.secret,
            recall_no=self._number,
            consignee_id=row.consignee_id,
            delivery_id=row.id,
            expires_at=row.created_at + LINK_LIFE,
            all_sites=all_sites,
        )
        return recipient_url(self._links.public_url, token)

    def _values_of(self, row: Claimed, own: _Own) -> RecipientValues:
        if self._clock is None:
            raise ComposeError("the recall's clock is not loaded")
        return recipient_values(
            row,
            own.lots,
            link=self._link(row),
            since=self._since,
            clock=self._clock,
            serials=own.serials,
            distributor=own.distributor,
        )


def _as_claimed(message: Claimed, site: Carried) -> Claimed:
    """A carried site as if it had the message to itself: of the same kind, made at the same time."""
    return replace(
        message,
        id=site.id,
        consignee_id=site.consignee_id,
        step=site.step,
        answered=site.answered,
        partner_name=site.partner_name,
        partner_code=site.partner_code,
        contact_name=site.contact_name,
        first_notified_at=site.first_notified_at,
        next_step_at=site.next_step_at,
        leads=False,
        carried=(),
    )
