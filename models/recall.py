"""The recall's own records: intake, scope versions, evaluation and class, decisions, clocks, deadlines."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Integer, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import String
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, quantity, ref, signature_ref, text


class Recall(SQLModel, table=True):
    """One recall: intake facts, and the read model (phase, class, counters) that its workflow projects."""

    __tablename__ = "recall"
    __table_args__ = (
        CheckConstraint(r"number ~ '^R[CD]-[0-9]{4}-[0-9]{6}$'", name="number_format"),
        CheckConstraint("pace >= 1", name="pace_at_least_real_time"),
        CheckConstraint("awareness_at <= created_at + interval '5 minutes'", name="awareness_not_in_future"),
        Index("ix_recall_phase", "phase", "created_at"),
        Index("ix_recall_created", "created_at", "number"),
    )

    number: str = Field(sa_column=Column(String(14), primary_key=True))
    title: str = text(200)
    reason: str = text(4000)
    hazard: str = text(4000)
    texts_language: str = Field(default="en", sa_column=Column(String(12), nullable=False, server_default="en"))
    """Language of `reason` and `hazard`."""
    translations: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default="{}")
    )
    """Language -> {reason, hazard}; a notice prints the original, marked as such, where one is missing."""
    trigger_source: str = text(60)
    """complaint, internal_test, supplier, authority, other."""
    trigger_reference: str | None = text(200, nullable=True)
    awareness_at: datetime = instant()
    jurisdictions: list[str] = Field(sa_column=Column(ARRAY(String(20)), nullable=False))
    places: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default="{}"))
    """Jurisdiction -> {state, zone} where this recall's authority or firm is elsewhere than the profile says."""
    suspect: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """The scope criteria as given at intake (`models.messages.ScopeCriteria`)."""
    drill: bool = Field(default=False, nullable=False)
    pace: float = Field(default=1.0, nullable=False)
    owner: str = text(120)
    started_by: str = text(120)
    created_at: datetime = instant()
    phase: str = text(24)
    phase_since: datetime = instant()
    recall_class: str | None = text(4, nullable=True)
    """Strictest approved class over product lines and jurisdictions (I, II, III)."""
    geographic_scope: str | None = text(12, nullable=True)
    scope_version: int = Field(default=0, nullable=False)
    quantity_shipped: Decimal | None = quantity(nullable=True)
    """Units of use shipped to customers as last traced, each unit once however often it was passed on."""
    traced_batches: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    """Import batches (and reversals) on record at the last trace: a different count now means records arrived."""
    waiting_for: str | None = text(200, nullable=True)
    next_deadline_at: datetime | None = instant(nullable=True)
    next_deadline_name: str | None = text(200, nullable=True)
    ended_reason: str | None = text(2000, nullable=True)
    version: int = Field(default=0, nullable=False)
    """Rises with every projected change; the API's ETag."""
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default="{}"))
    """What branches of the policies look at, and which of them hold (`domain.branch_state.BranchState`)."""


class PinnedPolicy(SQLModel, table=True):
    """The policy text a recall runs under, frozen at its start (design promise 4); moving the recall adds a pin."""

    __tablename__ = "pinned_policy"

    recall_number: str = Field(foreign_key="recall.number", primary_key=True)
    policy_id: str = Field(sa_column=Column(String(20), primary_key=True))
    version: str = text(40)
    sha256: str = text(64)
    body: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    pinned_at: datetime = instant()
    move: int = Field(default=0, sa_column=Column(Integer, primary_key=True, autoincrement=False, server_default="0"))
    """0: as the recall started; each signed move to another version counts on. The highest is in force."""
    pinned_by: str | None = text(120, nullable=True)
    """Who moved the recall; nobody at its start."""


class ScopeLot(SQLModel, table=True):
    """A lot in one scope version of a recall: a root named by the criteria, or reached by the trace."""

    __tablename__ = "scope_lot"
    __table_args__ = (Index("ix_scope_lot_lot", "lot_id"),)

    recall_number: str = Field(foreign_key="recall.number", primary_key=True)
    scope_version: int = Field(primary_key=True)
    lot_id: int = ref("lot.id", primary_key=True)
    root: bool = Field(nullable=False)
    depth: int = Field(nullable=False)
    """Genealogy steps from the nearest root."""
    by_serial: bool = Field(default=False, nullable=False, sa_column_kwargs={"server_default": "false"})
    """In scope only for units named by serial number (`models.trace_run.ScopeSerial`); else every unit is affected."""


class ScopeGap(SQLModel, table=True):
    """What the trace could not know (design promise 5): no-lot receipts, stale sites, unbalanced quantities."""

    __tablename__ = "scope_gap"
    __table_args__ = (Index("ix_scope_gap_recall", "recall_number", "scope_version"),)

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    scope_version: int = Field(nullable=False)
    kind: str = text(30)
    detail: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


class Consignee(SQLModel, table=True):
    """A partner that received affected product under one recall, and where it stands on the notice ladder."""

    __tablename__ = "consignee"
    __table_args__ = (
        UniqueConstraint("recall_number", "partner_id"),
        CheckConstraint("state IN ('open','acknowledged','answered','documented','withdrawn')", name="state_known"),
        Index(
            "ix_consignee_due",
            "recall_number",
            "next_step_at",
            postgresql_where=sql("state = 'open' AND next_step_at IS NOT NULL"),
        ),
        Index("ix_consignee_open", "recall_number", "campaign_sequence", postgresql_where=sql("state = 'open'")),
        Index("ix_consignee_partner", "partner_id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    partner_id: int = ref("partner.id")
    tier: int = Field(default=1, nullable=False)
    """1 = reached by our own shipments; +1 for each passing-on stated in replies."""
    parent_id: int | None = ref("consignee.id", nullable=True)
    state: str = text(14)
    """open -> acknowledged (received the notice) -> answered (quantities stated); documented = closed by a person;
    withdrawn = no lot of the scope is left there."""
    campaign_sequence: int = Field(default=1, nullable=False, sa_column_kwargs={"server_default": "1"})
    """The campaign (notice version) that chases it now."""
    step: int = Field(default=0, nullable=False)
    """Ladder steps already taken; 0 = not yet notified."""
    chase: int = Field(default=0, nullable=False, sa_column_kwargs={"server_default": "0"})
    """How often its chase was reopened under this campaign (failed check, further lots passed on to it)."""
    first_notified_at: datetime | None = instant(nullable=True)
    next_step_at: datetime | None = instant(nullable=True)
    acknowledged_at: datetime | None = instant(nullable=True)
    answered_at: datetime | None = instant(nullable=True)
    stage_since: datetime | None = instant(nullable=True)
    """Start of the stage it owes now (`domain.stages`), once it has acknowledged."""
    action_done_at: datetime | None = instant(nullable=True)
    """When the record showed that nothing is left to do there; says something only while `state` is answered."""
    added_at: datetime = instant()


class ConsigneeLot(SQLModel, table=True):
    """What the trace says a consignee received of a lot, in units of use; statements are checked against it."""

    __tablename__ = "consignee_lot"
    __table_args__ = (Index("ix_consignee_lot_lot", "lot_id"),)

    consignee_id: int = ref("consignee.id", primary_key=True)
    lot_id: int = ref("lot.id", primary_key=True)
    shipped: Decimal = quantity()
    returned: Decimal = quantity()
    stated: bool = Field(default=False, nullable=False)
    """True when the quantity is a consignee's statement (passed on), not our own shipment record."""
    scope_version: int = Field(default=1, nullable=False, sa_column_kwargs={"server_default": "1"})
    """Scope version in which the consignee got to have this lot."""
    withdrawn_in: int | None = Field(default=None)
    """Scope version that took the lot out again; it then counts for nothing but the record."""


class HazardEvaluationRecord(SQLModel, table=True):
    """A signed health-hazard evaluation of one product line (21 CFR 7.41); a new one supersedes, none is changed."""

    __tablename__ = "hazard_evaluation"
    # The workflow's instant makes a retried activity write its evaluation once.
    __table_args__ = (UniqueConstraint("recall_number", "product_line", "recorded_at"),)

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    product_line: str = text(120)
    body: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    assessor: str = text(120)
    signature_id: UUID | None = signature_ref()
    recorded_at: datetime = instant()


class ClassDecision(SQLModel, table=True):
    """Class per product line and jurisdiction: what the system proposed and what an approver decided."""

    __tablename__ = "class_decision"
    __table_args__ = (
        CheckConstraint("kind IN ('proposed','approved','overridden','authority')", name="kind_known"),
        UniqueConstraint("recall_number", "product_line", "jurisdiction", "kind", "proposal_id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    product_line: str = text(120)
    jurisdiction: str = text(20)
    kind: str = text(12)
    proposal_id: int = Field(nullable=False)
    """Id of the newest hazard evaluation the proposal rests on; a new evaluation makes a new proposal."""
    recall_class: str = text(4)
    level: str = text(20)
    """The jurisdiction's own level (`domain.policy.Policy.levels`)."""
    local_term: str = text(120)
    market_action: str = text(24)
    reasons: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    decided_by: str = text(120)
    signature_id: UUID | None = signature_ref()
    decided_at: datetime = instant()


class SignOff(SQLModel, table=True):
    """A decision on a step (assessment, strategy, gate, notice, completion ...) with the signature under it."""

    __tablename__ = "sign_off"
    __table_args__ = (UniqueConstraint("recall_number", "step", "actor", "signed_at"),)

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    step: str = text(60)
    outcome: str = text(24)
    """approved, overridden, rejected, passed, waived, signed."""
    actor: str = text(120)
    role: str = text(24)
    meaning: str = text(200)
    reason: str | None = text(2000, nullable=True)
    reference: str | None = text(200, nullable=True)
    body: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    signed_at: datetime = instant()
    signature_id: UUID | None = signature_ref()


class ClockStart(SQLModel, table=True):
    """A named fact that starts deadlines: awareness, decision, first_communication, completion, authority_order."""

    __tablename__ = "clock_start"
    __table_args__ = (UniqueConstraint("recall_number", "name", "scope_version"),)

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    name: str = text(40)
    scope_version: int = Field(default=1, nullable=False)
    at: datetime = instant()
    source: str = text(200)
    author: str = text(120)
    recorded_at: datetime = instant()


class Deadline(SQLModel, table=True):
    """One limit with its basis: policy instant (what the rule says) and real instant (at the recall's pace)."""

    __tablename__ = "deadline"
    __table_args__ = (UniqueConstraint("recall_number", "name", "jurisdiction"),)

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    name: str = text(80)
    jurisdiction: str = text(20)
    clock: str = text(40)
    limit_text: str = text(40)
    basis: str = text(12)
    source: str = text(200)
    policy_due_at: datetime = instant()
    due_at: datetime = instant()
    title: str | None = text(300, nullable=True)
    role: str | None = text(24, nullable=True)
    """Function that owes it; deadlines that are no report (the notice limit) name none."""
    recipient: str | None = text(200, nullable=True)
    complaint_id: int | None = ref("complaint.id", nullable=True)
    met_at: datetime | None = instant(nullable=True)
    met_by: str | None = text(120, nullable=True)
    signature_id: UUID | None = signature_ref()
    """Of whoever met or stopped it."""
    reference: str | None = text(200, nullable=True)
    """What proves it was met: the authority's receipt, our letter."""
    stopped_at: datetime | None = instant(nullable=True)
    stopped_reason: str | None = text(500, nullable=True)
    """Why it is not owed any more, without having been met."""
    stopped_by: str | None = text(120, nullable=True)


__all__ = [
    "ClassDecision",
    "ClockStart",
    "Consignee",
    "ConsigneeLot",
    "Deadline",
    "HazardEvaluationRecord",
    "PinnedPolicy",
    "Recall",
    "ScopeGap",
    "ScopeLot",
    "SignOff",
]
