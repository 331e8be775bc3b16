"""Corrective and preventive action: the file, its actions and its entries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel.sql.sqltypes import AutoString


def create_capa() -> None:
    op.create_table(
        "capa",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("investigation", sa.String(length=8000), nullable=True),
        sa.Column("investigated_by", sa.String(length=120), nullable=True),
        sa.Column("investigated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trace_findings", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("five_whys", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("cause", sa.String(length=4000), nullable=True),
        sa.Column("cause_category", sa.String(length=16), nullable=True),
        sa.Column("cause_by", sa.String(length=120), nullable=True),
        sa.Column("cause_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("plan_version", sa.Integer(), nullable=False),
        sa.Column("plan_by", sa.String(length=120), nullable=True),
        sa.Column("plan_approved_by", sa.String(length=120), nullable=True),
        sa.Column("plan_approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("criterion", sa.String(length=1000), nullable=True),
        sa.Column("criterion_comparison", sa.String(length=8), nullable=True),
        sa.Column("criterion_target", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("criterion_unit", sa.String(length=40), nullable=True),
        sa.Column("verify_after_days", sa.Integer(), nullable=True),
        sa.Column("verify_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("measured", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("verification", sa.String(length=4000), nullable=True),
        sa.Column("verified_by", sa.String(length=120), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("effective", sa.Boolean(), nullable=True),
        sa.Column("closed_by", sa.String(length=120), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "cause_category IN ('design', 'material', 'supplier', 'process', 'equipment', 'people', "
            "'measurement', 'environment', 'labelling', 'software', 'distribution')",
            name=op.f("ck_capa_cause_category_known"),
        ),
        sa.CheckConstraint(
            "criterion_comparison IN ('at_most', 'at_least')", name=op.f("ck_capa_criterion_comparison_known")
        ),
        sa.CheckConstraint(
            "state IN ('investigation', 'planning', 'implementation', 'verification', 'effective', 'closed')",
            name=op.f("ck_capa_state_known"),
        ),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_capa_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capa")),
        sa.UniqueConstraint("recall_number", "sequence", name=op.f("uq_capa_recall_number_sequence")),
    )


def drop_capa() -> None:
    op.drop_table("capa")


def create_capa_action() -> None:
    op.create_table(
        "capa_action",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("capa_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("what", sa.String(length=1000), nullable=False),
        sa.Column("plan_version", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=120), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.String(length=120), nullable=True),
        sa.Column("result", sa.String(length=2000), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('correction', 'corrective', 'preventive')", name=op.f("ck_capa_action_kind_known")
        ),
        sa.ForeignKeyConstraint(["capa_id"], ["capa.id"], name=op.f("fk_capa_action_capa_id_capa")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capa_action")),
        sa.UniqueConstraint("capa_id", "sequence", name=op.f("uq_capa_action_capa_id_sequence")),
    )


def drop_capa_action() -> None:
    op.drop_table("capa_action")


def create_capa_entry() -> None:
    op.create_table(
        "capa_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("capa_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=13), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("author", sa.String(length=120), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('investigation', 'cause', 'plan', 'action', 'verification')",
            name=op.f("ck_capa_entry_kind_known"),
        ),
        sa.ForeignKeyConstraint(["capa_id"], ["capa.id"], name=op.f("fk_capa_entry_capa_id_capa")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capa_entry")),
    )
    op.create_index("ix_capa_entry_capa", "capa_entry", ["capa_id", "written_at"], unique=False)


def drop_capa_entry() -> None:
    op.drop_index("ix_capa_entry_capa", table_name="capa_entry")
    op.drop_table("capa_entry")
