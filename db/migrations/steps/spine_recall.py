"""The recall itself: its head, class, clocks and deadlines, evidence, policies, scope and signatures."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel.sql.sqltypes import AutoString


def create_recall() -> None:
    op.create_table(
        "recall",
        sa.Column("number", sa.String(length=14), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("hazard", sa.String(length=4000), nullable=False),
        sa.Column("texts_language", sa.String(length=12), server_default="en", nullable=False),
        sa.Column("translations", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("trigger_source", sa.String(length=60), nullable=False),
        sa.Column("trigger_reference", sa.String(length=200), nullable=True),
        sa.Column("awareness_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("jurisdictions", postgresql.ARRAY(sa.String(length=20)), nullable=False),
        sa.Column("suspect", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("pace", sa.Float(), nullable=False),
        sa.Column("owner", sa.String(length=120), nullable=False),
        sa.Column("started_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("phase", sa.String(length=24), nullable=False),
        sa.Column("phase_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recall_class", sa.String(length=4), nullable=True),
        sa.Column("geographic_scope", sa.String(length=12), nullable=True),
        sa.Column("scope_version", sa.Integer(), nullable=False),
        sa.Column("quantity_shipped", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("traced_batches", sa.Integer(), server_default="0", nullable=False),
        sa.Column("waiting_for", sa.String(length=200), nullable=True),
        sa.Column("next_deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_deadline_name", sa.String(length=200), nullable=True),
        sa.Column("ended_reason", sa.String(length=2000), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "awareness_at <= created_at + interval '5 minutes'", name=op.f("ck_recall_awareness_not_in_future")
        ),
        sa.CheckConstraint("number ~ '^R[CD]-[0-9]{4}-[0-9]{6}$'", name=op.f("ck_recall_number_format")),
        sa.CheckConstraint("pace >= 1", name=op.f("ck_recall_pace_at_least_real_time")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_recall")),
    )
    op.create_index("ix_recall_created", "recall", ["created_at", "number"], unique=False)
    op.create_index("ix_recall_phase", "recall", ["phase", "created_at"], unique=False)


def drop_recall() -> None:
    op.drop_index("ix_recall_phase", table_name="recall")
    op.drop_index("ix_recall_created", table_name="recall")
    op.drop_table("recall")


def create_class_decision() -> None:
    op.create_table(
        "class_decision",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("product_line", sa.String(length=120), nullable=False),
        sa.Column("jurisdiction", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("recall_class", sa.String(length=4), nullable=False),
        sa.Column("level", sa.String(length=20), nullable=False),
        sa.Column("local_term", sa.String(length=120), nullable=False),
        sa.Column("market_action", sa.String(length=24), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("decided_by", sa.String(length=120), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('proposed','approved','overridden','authority')", name=op.f("ck_class_decision_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_class_decision_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_class_decision")),
        sa.UniqueConstraint(
            "recall_number",
            "product_line",
            "jurisdiction",
            "kind",
            "proposal_id",
            name=op.f("uq_class_decision_recall_number_product_line_jurisdiction_kind_proposal_id"),
        ),
    )


def drop_class_decision() -> None:
    op.drop_table("class_decision")


def create_clock_start() -> None:
    op.create_table(
        "clock_start",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("scope_version", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("author", sa.String(length=120), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_clock_start_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock_start")),
        sa.UniqueConstraint(
            "recall_number", "name", "scope_version", name=op.f("uq_clock_start_recall_number_name_scope_version")
        ),
    )


def drop_clock_start() -> None:
    op.drop_table("clock_start")


def create_deadline() -> None:
    op.create_table(
        "deadline",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("jurisdiction", sa.String(length=20), nullable=False),
        sa.Column("clock", sa.String(length=40), nullable=False),
        sa.Column("limit_text", sa.String(length=40), nullable=False),
        sa.Column("basis", sa.String(length=12), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("policy_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("met_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_deadline_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadline")),
        sa.UniqueConstraint(
            "recall_number", "name", "jurisdiction", name=op.f("uq_deadline_recall_number_name_jurisdiction")
        ),
    )


def drop_deadline() -> None:
    op.drop_table("deadline")


def create_evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=True),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("uploaded_by", sa.String(length=120), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_evidence_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    op.create_index("ix_evidence_recall", "evidence", ["recall_number"], unique=False)


def drop_evidence() -> None:
    op.drop_index("ix_evidence_recall", table_name="evidence")
    op.drop_table("evidence")


def create_hazard_evaluation() -> None:
    op.create_table(
        "hazard_evaluation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("product_line", sa.String(length=120), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("assessor", sa.String(length=120), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_hazard_evaluation_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hazard_evaluation")),
        sa.UniqueConstraint(
            "recall_number",
            "product_line",
            "recorded_at",
            name=op.f("uq_hazard_evaluation_recall_number_product_line_recorded_at"),
        ),
    )


def drop_hazard_evaluation() -> None:
    op.drop_table("hazard_evaluation")


def create_pinned_policy() -> None:
    op.create_table(
        "pinned_policy",
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("policy_id", sa.String(length=20), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("pinned_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_pinned_policy_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("recall_number", "policy_id", name=op.f("pk_pinned_policy")),
    )


def drop_pinned_policy() -> None:
    op.drop_table("pinned_policy")


def create_scope_gap() -> None:
    op.create_table(
        "scope_gap",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("scope_version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_scope_gap_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scope_gap")),
    )
    op.create_index("ix_scope_gap_recall", "scope_gap", ["recall_number", "scope_version"], unique=False)


def drop_scope_gap() -> None:
    op.drop_index("ix_scope_gap_recall", table_name="scope_gap")
    op.drop_table("scope_gap")


def create_sign_off() -> None:
    op.create_table(
        "sign_off",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("step", sa.String(length=60), nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.Column("meaning", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=True),
        sa.Column("reference", sa.String(length=200), nullable=True),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_sign_off_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_off")),
        sa.UniqueConstraint(
            "recall_number", "step", "actor", "signed_at", name=op.f("uq_sign_off_recall_number_step_actor_signed_at")
        ),
    )


def drop_sign_off() -> None:
    op.drop_table("sign_off")


def create_scope_lot() -> None:
    op.create_table(
        "scope_lot",
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("scope_version", sa.Integer(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.Boolean(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_scope_lot_lot_id_lot")),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_scope_lot_recall_number_recall")),
        sa.PrimaryKeyConstraint("recall_number", "scope_version", "lot_id", name=op.f("pk_scope_lot")),
    )
    op.create_index("ix_scope_lot_lot", "scope_lot", ["lot_id"], unique=False)


def drop_scope_lot() -> None:
    op.drop_index("ix_scope_lot_lot", table_name="scope_lot")
    op.drop_table("scope_lot")
