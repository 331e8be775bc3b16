"""Staff and the messages to them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel.sql.sqltypes import AutoString


def create_staff() -> None:
    op.create_table(
        "staff",
        sa.Column("principal", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.String(length=24)), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("language", sa.String(length=12), nullable=False),
        sa.Column("on_call", sa.Boolean(), nullable=False),
        sa.Column("stand_in", sa.String(length=120), nullable=True),
        sa.Column("absent_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("absent_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "absent_until IS NULL OR absent_from < absent_until", name=op.f("ck_staff_absence_in_order")
        ),
        sa.PrimaryKeyConstraint("principal", name=op.f("pk_staff")),
    )


def drop_staff() -> None:
    op.drop_table("staff")


def create_staff_message() -> None:
    op.create_table(
        "staff_message",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("principal", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("dedupe", sa.String(length=200), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("complaint_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("provider_id", sa.String(length=200), nullable=True),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("channel IN ('email','sms')", name=op.f("ck_staff_message_channel_known")),
        sa.CheckConstraint(
            "kind IN ('reminder', 'hand_over', 'escalation', 'sent_back', 'assigned', 'page')",
            name=op.f("ck_staff_message_kind_known"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'sent', 'failed', 'blocked')", name=op.f("ck_staff_message_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["complaint_id"], ["complaint.id"], name=op.f("fk_staff_message_complaint_id_complaint")
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_staff_message_recall_number_recall")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_staff_message_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_message")),
        sa.UniqueConstraint("dedupe", name=op.f("uq_staff_message_dedupe")),
    )
    op.create_index("ix_staff_message_recall", "staff_message", ["recall_number", "id"], unique=False)


def drop_staff_message() -> None:
    op.drop_index("ix_staff_message_recall", table_name="staff_message")
    op.drop_table("staff_message")
