"""Cases: consignees that stay silent, cannot be reached, refuse or state what cannot be; and patients, as counts."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, one_of, ref, signature_ref, text


class CaseReason(StrEnum):
    """Why a person must look after a consignee."""

    silence = "silence"
    bounce = "bounce"
    refusal = "refusal"
    statement = "statement"
    """A statement that cannot be: a query, open until settled."""
    help = "help"
    out_of_business = "out_of_business"
    effectiveness = "effectiveness"
    """An effectiveness check failed or was not answered."""
    patients = "patients"


class CaseState(StrEnum):
    """A case ends when the consignee has answered, is documented, or its query is settled."""

    open = "open"
    closed = "closed"


class ConsigneeCase(SQLModel, table=True):
    """One reason for one consignee; all open ones of a consignee are looked after by one workflow."""

    __tablename__ = "consignee_case"
    __table_args__ = (
        one_of("reason", CaseReason),
        one_of("state", CaseState),
        # One open case per reason and subject; closed ones stay, so a second silent round is a second row.
        Index(
            "uq_consignee_case_open",
            "consignee_id",
            "reason",
            "subject",
            unique=True,
            postgresql_where=sql("state = 'open'"),
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_consignee_case_open", "recall_number", postgresql_where=sql("state = 'open'")),
        Index("ix_consignee_case_consignee", "consignee_id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    consignee_id: int = ref("consignee.id")
    reason: str = text(16)
    subject: str | None = text(60, nullable=True)
    """What it is about, where there can be several: `reply:12`, `check:7`, `quantities`."""
    state: str = text(8)
    workflow_started_at: datetime | None = instant(nullable=True)
    """When the consignee's case workflow was told of it; empty: `start_cases` has it still to do."""
    opened_at: datetime = instant()
    closed_at: datetime | None = instant(nullable=True)
    closed_by: str | None = text(120, nullable=True)
    outcome: str | None = text(300, nullable=True)


class AttemptChannel(StrEnum):
    """How a consignee was tried."""

    phone = "phone"
    visit = "visit"
    letter = "letter"
    email = "email"
    sms = "sms"
    fax = "fax"


class ContactAttempt(SQLModel, table=True):
    """A documented attempt by a person. Messages we sent count by their own delivery records, bounces do not."""

    __tablename__ = "contact_attempt"
    __table_args__ = (
        one_of("channel", AttemptChannel),
        CheckConstraint(
            "outcome IN ('reached','not_reached','refused','wrong_number','out_of_business','called_back')",
            name="outcome_known",
        ),
        UniqueConstraint("consignee_id", "channel", "at"),
        UniqueConstraint("form_id"),
        Index("ix_contact_attempt_recall", "recall_number", "id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    consignee_id: int = ref("consignee.id")
    task_id: int | None = ref("task.id", nullable=True)
    channel: str = text(8)
    live: bool = Field(nullable=False)
    """A human being tried in person (telephone or visit), whatever came of it (design §7)."""
    person: str | None = text(200, nullable=True)
    """Who was spoken to or asked for."""
    number: str | None = text(200, nullable=True)
    """Telephone number dialled or address visited."""
    outcome: str = text(20)
    note: str | None = text(2000, nullable=True)
    at: datetime = instant()
    entered_by: str = text(120)
    recorded_at: datetime = instant()
    form_id: str | None = text(64, nullable=True)
    """One-time id of the request: repeating it after a crash finds the attempt instead of adding one."""


class ActionHow(StrEnum):
    """What became of what was on hand."""

    set_aside = "set_aside"
    returned = "returned"
    destroyed = "destroyed"
    corrected = "corrected"
    other = "other"


class ConsigneeAction(SQLModel, table=True):
    """A consignee's word that it has done what the notice asks for; counts until a later statement says otherwise."""

    __tablename__ = "consignee_action"
    __table_args__ = (
        one_of("how", ActionHow),
        CheckConstraint("how <> 'other' OR note IS NOT NULL", name="other_is_explained"),
        CheckConstraint("channel IN ('page','phone','visit','letter','email','sms','fax')", name="channel_known"),
        UniqueConstraint("form_id"),
        Index("ix_consignee_action_consignee", "consignee_id", "id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    consignee_id: int = ref("consignee.id")
    how: str = text(12)
    channel: str = text(8)
    stated_by: str | None = text(200, nullable=True)
    """Who said so for the consignee."""
    note: str | None = text(2000, nullable=True)
    at: datetime = instant()
    """When it was said."""
    entered_by: str = text(120)
    recorded_at: datetime = instant()
    form_id: str = text(64)


class ConsigneeDocumented(SQLModel, table=True):
    """Why a consignee counts as done without its own answer, or (`settled`) with a questioned one: a signed account."""

    __tablename__ = "consignee_documented"
    __table_args__ = (
        CheckConstraint("kind IN ('no_response','refused','out_of_business','settled')", name="kind_known"),
        # A statement that quality settled counts as it stands (mass balance), so it is named.
        CheckConstraint("(kind = 'settled') = (reply_id IS NOT NULL)", name="settled_names_its_reply"),
        UniqueConstraint("form_id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    consignee_id: int = ref("consignee.id", index=True)
    kind: str = text(16)
    reply_id: int | None = ref("reply.id", nullable=True)
    """settled: the statement quality accepts although it cannot be, was warned of, or is incomplete."""
    account: str = text(4000)
    attempts: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """The attempts it rests on, as counted."""
    authority_informed: str | None = text(200, nullable=True)
    """Reference of the report to the authority, where one was made."""
    signed_by: str = text(120)
    signature_id: UUID | None = signature_ref()
    signed_at: datetime = instant()
    form_id: str | None = text(64, nullable=True)


class PatientFollowUp(SQLModel, table=True):
    """A hospital's count of its patients; counts only, never a person (design §2a). Corrections are new rows."""

    __tablename__ = "patient_follow_up"
    __table_args__ = (
        CheckConstraint(
            "exposed >= 0 AND contacted >= 0 AND monitored >= 0 AND replaced >= 0"
            " AND contacted <= exposed AND monitored <= exposed AND replaced <= exposed",
            name="counts_possible",
        ),
        UniqueConstraint("form_id"),
        Index("ix_patient_follow_up_consignee", "consignee_id", "id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    consignee_id: int = ref("consignee.id")
    exposed: int = Field(nullable=False)
    contacted: int = Field(nullable=False)
    monitored: int = Field(nullable=False)
    replaced: int = Field(nullable=False)
    final: bool = Field(nullable=False)
    """The hospital says nothing more is to be expected."""
    channel: str = text(8)
    stated_by: str | None = text(200, nullable=True)
    entered_by: str | None = text(120, nullable=True)
    received_at: datetime = instant()
    form_id: str | None = text(64, nullable=True)


__all__ = [
    "ActionHow",
    "AttemptChannel",
    "CaseReason",
    "CaseState",
    "ConsigneeAction",
    "ConsigneeCase",
    "ConsigneeDocumented",
    "ContactAttempt",
    "PatientFollowUp",
]
