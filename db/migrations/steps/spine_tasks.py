"""Work that the recall gives out: tasks for people, holds for stock."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString


def create_task() -> None:
    op.create_table(
        "task",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("step", sa.String(length=24), nullable=False),
        sa.Column("what", sa.String(length=300), nullable=False),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.Column("assignee", sa.String(length=120), nullable=True),
        sa.Column("consignee_id", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("policy_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence_required", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.String(length=120), nullable=True),
        sa.Column("outcome", sa.String(length=300), nullable=True),
        sa.CheckConstraint("state IN ('offered', 'accepted', 'done', 'cancelled')", name=op.f("ck_task_state_known")),
        sa.ForeignKeyConstraint(["consignee_id"], ["consignee.id"], name=op.f("fk_task_consignee_id_consignee")),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_task_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("recall_number", "key", name=op.f("uq_task_recall_number_key")),
    )
    op.create_index(
        "ix_task_open",
        "task",
        ["role", "due_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('offered','accepted')"),
    )


def drop_task() -> None:
    op.drop_index("ix_task_open", table_name="task", postgresql_where=sa.text("state IN ('offered','accepted')"))
    op.drop_table("task")


def create_hold() -> None:
    op.create_table(
        "hold",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.String(length=12), nullable=False),
        sa.Column("document_no", sa.String(length=80), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("state", sa.String(length=14), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by", sa.String(length=120), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("position IN ('on_hand', 'reserved', 'in_transit')", name=op.f("ck_hold_position_known")),
        sa.CheckConstraint(
            "state IN ('requested', 'confirmed', 'failed', 'nonconformity', 'released')",
            name=op.f("ck_hold_state_known"),
        ),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name=op.f("fk_hold_location_id_location")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_hold_lot_id_lot")),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_hold_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
        sa.UniqueConstraint(
            "recall_number",
            "lot_id",
            "location_id",
            "position",
            "document_no",
            name=op.f("uq_hold_recall_number_lot_id_location_id_position_document_no"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("ix_hold_lot", "hold", ["lot_id", "location_id"], unique=False)
    op.create_index("ix_hold_open", "hold", ["recall_number", "state"], unique=False)


def drop_hold() -> None:
    op.drop_index("ix_hold_open", table_name="hold")
    op.drop_index("ix_hold_lot", table_name="hold")
    op.drop_table("hold")
