"""Notices as approved, deliveries as sent, what the providers said of them, and what recipients answered."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Index, SmallInteger, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from domain.channels import KNOWN_SQL
from models.base import identity, instant, one_of, quantity, ref, signature_ref, text


class DeliveryState(StrEnum):
    """Design §6: pending -> submitting -> submitted -> delivered | failed; rank only rises."""

    pending = "pending"
    submitting = "submitting"
    submitted = "submitted"
    delivered = "delivered"
    failed = "failed"
    cancelled = "cancelled"
    """Not sent because the recipient answered first, or the recall was rejected."""


class ReplyChannel(StrEnum):
    """How a reply reached us."""

    page = "page"
    sms = "sms"
    phone = "phone"
    """Entered by staff after a documented call."""
    email = "email"
    """Written back to the notice's mail."""
    voice = "voice"
    """A key pressed in our call that read the notice."""
    webhook = "webhook"
    """Signed by a system of the recipient: JSON, or a FHIR Task."""
    file = "file"
    """A row of a file that a distributor or hospital group filled in for its sites, entered by staff."""


class Notice(SQLModel, table=True):
    """One version of a recall's notice. Bodies are rendered once; what was approved is what is sent."""

    __tablename__ = "notice"
    __table_args__ = (UniqueConstraint("recall_number", "version"),)

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    version: int = Field(nullable=False)
    kind: str = text(20)
    """initial, amendment, retraction, closure."""
    scope_version: int = Field(default=1, nullable=False, sa_column_kwargs={"server_default": "1"})
    change: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB, nullable=True))
    """What an amendment or retraction says has changed (lots added and taken out, class), for its texts."""
    sha256: str = text(64)
    """Hash over all bodies; the approver approves this hash."""
    drafted_by: str = text(120)
    drafted_at: datetime = instant()
    approved_by: str | None = text(120, nullable=True)
    signature_id: UUID | None = signature_ref()
    approved_at: datetime | None = instant(nullable=True)


class NoticeBody(SQLModel, table=True):
    """A rendered body per step (initial, reminder, escalation), channel and language, with its recipient slots."""

    __tablename__ = "notice_body"
    __table_args__ = (UniqueConstraint("notice_id", "kind", "channel", "language"),)

    id: int | None = identity()
    notice_id: int = ref("notice.id")
    kind: str = text(20)
    channel: str = text(10)
    language: str = text(12)
    body: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """`ApprovedBody` of the renderer: subject, text, html, slots."""
    sha256: str = text(64)


class Campaign(SQLModel, table=True):
    """One sending of one notice version; its counters are read from deliveries and consignees."""

    __tablename__ = "campaign"
    __table_args__ = (UniqueConstraint("recall_number", "sequence"),)

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    sequence: int = Field(nullable=False)
    notice_id: int = ref("notice.id")
    started_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    paused_at: datetime | None = instant(nullable=True)
    """While set, nothing of it is sent; clocks and tasks go on."""
    paused_by: str | None = text(120, nullable=True)
    """Who paused it last; another person has to abort it."""
    pause_reason: str | None = text(2000, nullable=True)
    aborted_at: datetime | None = instant(nullable=True)
    aborted_by: str | None = text(120, nullable=True)
    abort_reason: str | None = text(2000, nullable=True)
    abort_signature_id: UUID | None = signature_ref()


class CampaignRemainder(SQLModel, table=True):
    """Whom an aborted campaign left without an answer, as it stood when it was aborted."""

    __tablename__ = "campaign_remainder"

    campaign_id: int = ref("campaign.id", primary_key=True)
    consignee_id: int = ref("consignee.id", primary_key=True)
    told: bool = Field(nullable=False)
    """Whether a notice of this recall had reached a provider for it."""


class Delivery(SQLModel, table=True):
    """One message to one contact on one channel for one ladder step. `attempt` is the fencing token."""

    __tablename__ = "delivery"
    __table_args__ = (
        # Named by hand: the convention's name is longer than PostgreSQL keeps.
        UniqueConstraint(
            "campaign_id", "consignee_id", "chase", "step", "contact_id", "channel", name="uq_delivery_message"
        ),
        one_of("state", DeliveryState),
        CheckConstraint(f"channel IN ({KNOWN_SQL})", name="channel_known"),
        Index(
            "ix_delivery_open",
            "campaign_id",
            "channel",
            "priority",
            "id",
            postgresql_where=sql("state IN ('pending','submitting')"),
        ),
        Index("ix_delivery_consignee", "consignee_id"),
        Index("ix_delivery_carried", "carried_by", postgresql_where=sql("carried_by IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "50"}},
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    campaign_id: int = ref("campaign.id")
    consignee_id: int = ref("consignee.id")
    contact_id: int = ref("contact.id")
    chase: int = Field(default=0, nullable=False, sa_column_kwargs={"server_default": "0"})
    """Which walk over the ladder: one more each time the consignee's chase was reopened under the same campaign."""
    step: int = Field(nullable=False)
    kind: str = text(20)
    channel: str = text(10)
    language: str = text(12)
    priority: int = Field(sa_column=Column(SmallInteger, nullable=False))
    """1 = class I, 3 = II, 5 = III."""
    state: str = text(12)
    attempt: int = Field(default=0, nullable=False)
    failures: int = Field(default=0, nullable=False, sa_column_kwargs={"server_default": "0"})
    """Transient errors so far; an answer "too fast" is none, so it never uses up a delivery."""
    not_before: datetime | None = instant(nullable=True)
    window_ends: datetime | None = instant(nullable=True)
    """When the recipient's quiet hours begin again: not sent from then on until the next look plans it anew."""
    lease_until: datetime | None = instant(nullable=True)
    provider_id: str | None = text(120, nullable=True)
    error_kind: str | None = text(20, nullable=True)
    error_code: str | None = text(40, nullable=True)
    ambiguous: bool = Field(default=False, nullable=False)
    """Found in `submitting` after its lease: reconciled before anything else was sent."""
    carried_by: UUID | None = Field(default=None, foreign_key="delivery.id")
    """The message of another site of the same person that speaks of this site too; its state follows that message."""
    leads: bool = Field(default=False, nullable=False, sa_column_kwargs={"server_default": sql("false")})
    """It is sent for further sites (`carried_by`)."""
    created_at: datetime = instant()
    submitted_at: datetime | None = instant(nullable=True)
    finished_at: datetime | None = instant(nullable=True)


class DeliveryEvent(SQLModel, table=True):
    """Every callback as received; repeats and late ones are kept, the delivery's state never goes down."""

    __tablename__ = "delivery_event"
    __table_args__ = (
        UniqueConstraint("provider", "provider_id", "status"),
        Index("ix_delivery_event_delivery", "delivery_id"),
    )

    id: int | None = identity()
    delivery_id: UUID | None = Field(default=None, foreign_key="delivery.id")
    provider: str = text(20)
    provider_id: str = text(120)
    status: str = text(30)
    error_code: str | None = text(40, nullable=True)
    received_at: datetime = instant()


class Reply(SQLModel, table=True):
    """One statement of a consignee. Corrections are new rows; the earlier ones stay."""

    __tablename__ = "reply"
    __table_args__ = (
        one_of("channel", ReplyChannel),
        UniqueConstraint("form_id"),
        Index("ix_reply_consignee", "consignee_id", "id"),
        Index("ix_reply_recall", "recall_number", "id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    consignee_id: int = ref("consignee.id")
    delivery_id: UUID | None = Field(default=None, foreign_key="delivery.id")
    channel: str = text(8)
    kind: str = text(16)
    """acknowledgement (received) or statement (quantities); sms code 3 and free text: needs_contact."""
    affected: bool | None = None
    responder_name: str | None = text(200, nullable=True)
    responder_role: str | None = text(100, nullable=True)
    form_id: str | None = text(64, nullable=True)
    """The page's one-time id or the provider's message id: a repeat changes nothing."""
    entered_by: str | None = text(120, nullable=True)
    """Staff who typed a phone answer in."""
    free_text: str | None = text(2000, nullable=True)
    findings: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    """Statements that cannot be, as checked on receipt."""
    received_at: datetime = instant()


class ReplyLine(SQLModel, table=True):
    """Stated quantities of one lot in units of use. Zero is an answer, missing is not."""

    __tablename__ = "reply_line"
    __table_args__ = (
        UniqueConstraint("reply_id", "lot_id"),
        CheckConstraint("on_hand >= 0 AND used >= 0 AND held >= 0 AND passed_on >= 0", name="not_negative"),
        CheckConstraint("returned >= 0 AND destroyed >= 0", name="gone_not_negative"),
    )

    id: int | None = identity()
    reply_id: int = ref("reply.id")
    lot_id: int = ref("lot.id")
    on_hand: Decimal = quantity()
    used: Decimal = quantity()
    held: Decimal = quantity()
    passed_on: Decimal = quantity()
    returned: Decimal | None = quantity(nullable=True)
    """Sent back, as the recipient says; what counts is our dock's count. NULL: not asked or not stated."""
    destroyed: Decimal | None = quantity(nullable=True)
    """Destroyed on site, as the recipient says; what counts is the certificate. NULL: not asked or not stated."""


class PassedOn(SQLModel, table=True):
    """To whom a consignee says it passed affected product; joins the campaign as a consignee of the next tier."""

    __tablename__ = "passed_on"
    __table_args__ = (UniqueConstraint("reply_id", "lot_id", "consignee_id"),)

    id: int | None = identity()
    reply_id: int = ref("reply.id")
    lot_id: int = ref("lot.id")
    consignee_id: int = ref("consignee.id", index=True)
    quantity: Decimal = quantity()


class Settled(StrEnum):
    """What a person did about a message that belongs to no consignee of a running recall."""

    recorded = "recorded"
    """It was entered under a recall: as an answer, a complaint or a file."""
    answered = "answered"
    """Its sender was called or written to."""
    not_ours = "not_ours"
    """It has nothing to do with a recall."""


class InboundMessage(SQLModel, table=True):
    """A raw inbound message, kept once per provider id before anything is made of it."""

    __tablename__ = "inbound_message"
    __table_args__ = (
        UniqueConstraint("provider", "provider_id"),
        one_of("settled_as", Settled),
        CheckConstraint(
            "(settled_at IS NULL) = (settled_as IS NULL) AND (settled_at IS NULL) = (settled_by IS NULL)"
            " AND (settled_at IS NULL) = (settled_note IS NULL)",
            name="settled_whole",
        ),
        Index("ix_inbound_message_unplaced", "id", postgresql_where=sql("outcome NOT IN ('reply', 'opt_out')")),
        Index(
            "ix_inbound_message_harm",
            "id",
            postgresql_where=sql("harm_aware_at IS NOT NULL AND settled_at IS NULL"),
        ),
    )

    id: int | None = identity()
    provider: str = text(20)
    provider_id: str = text(120)
    contact_id: int | None = ref("contact.id", nullable=True)
    body: str = text(2000)
    outcome: str = text(40)
    """reply, opt_out, unknown_sender, no_open_recall, unclear."""
    received_at: datetime = instant()
    sender: str | None = text(320, nullable=True)
    """Telephone or address it came from, as claimed: nobody else knows whom to ask where no contact is known."""
    harm_aware_at: datetime | None = instant(nullable=True)
    """Since when we know of the harm it tells of, where it became no complaint: it pages until it is settled."""
    settled_at: datetime | None = instant(nullable=True)
    settled_by: str | None = text(120, nullable=True)
    settled_as: str | None = text(12, nullable=True)
    settled_note: str | None = text(2000, nullable=True)
    settled_in: str | None = text(14, nullable=True)
    """Recall under which it was recorded."""


class RefusedAccess(SQLModel, table=True):
    """A refused link, form or webhook: what kind of refusal, which claim, from when. Never the secret itself."""

    __tablename__ = "refused_access"

    id: int | None = identity()
    kind: str = text(40)
    """link_malformed, link_signature, link_expired, link_foreign, form_reused, webhook_signature, token..."""
    recall_number: str | None = text(14, nullable=True, index=True)
    detail: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    at: datetime = instant()


__all__ = [
    "Campaign",
    "CampaignRemainder",
    "Delivery",
    "DeliveryEvent",
    "DeliveryState",
    "InboundMessage",
    "Notice",
    "NoticeBody",
    "PassedOn",
    "RefusedAccess",
    "Reply",
    "ReplyChannel",
    "ReplyLine",
    "Settled",
]
