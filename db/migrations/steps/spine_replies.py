"""What comes back from consignees: messages, replies, their lines and where goods were passed on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel.sql.sqltypes import AutoString


def create_inbound_message() -> None:
    op.create_table(
        "inbound_message",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("provider_id", sa.String(length=120), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.String(length=2000), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_inbound_message_contact_id_contact")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_message")),
        sa.UniqueConstraint("provider", "provider_id", name=op.f("uq_inbound_message_provider_provider_id")),
    )


def drop_inbound_message() -> None:
    op.drop_table("inbound_message")


def create_reply() -> None:
    op.create_table(
        "reply",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("affected", sa.Boolean(), nullable=True),
        sa.Column("responder_name", sa.String(length=200), nullable=True),
        sa.Column("responder_role", sa.String(length=100), nullable=True),
        sa.Column("form_id", sa.String(length=64), nullable=True),
        sa.Column("entered_by", sa.String(length=120), nullable=True),
        sa.Column("free_text", sa.String(length=2000), nullable=True),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("channel IN ('page', 'sms', 'phone')", name=op.f("ck_reply_channel_known")),
        sa.ForeignKeyConstraint(["consignee_id"], ["consignee.id"], name=op.f("fk_reply_consignee_id_consignee")),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_reply_delivery_id_delivery")),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_reply_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply")),
        sa.UniqueConstraint("form_id", name=op.f("uq_reply_form_id")),
    )
    op.create_index("ix_reply_consignee", "reply", ["consignee_id", "id"], unique=False)
    op.create_index("ix_reply_recall", "reply", ["recall_number", "id"], unique=False)


def drop_reply() -> None:
    op.drop_index("ix_reply_recall", table_name="reply")
    op.drop_index("ix_reply_consignee", table_name="reply")
    op.drop_table("reply")


def create_passed_on() -> None:
    op.create_table(
        "passed_on",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reply_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.ForeignKeyConstraint(["consignee_id"], ["consignee.id"], name=op.f("fk_passed_on_consignee_id_consignee")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_passed_on_lot_id_lot")),
        sa.ForeignKeyConstraint(["reply_id"], ["reply.id"], name=op.f("fk_passed_on_reply_id_reply")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passed_on")),
        sa.UniqueConstraint(
            "reply_id", "lot_id", "consignee_id", name=op.f("uq_passed_on_reply_id_lot_id_consignee_id")
        ),
    )


def drop_passed_on() -> None:
    op.drop_table("passed_on")


def create_reply_line() -> None:
    op.create_table(
        "reply_line",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reply_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("on_hand", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("used", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("held", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("passed_on", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.CheckConstraint(
            "on_hand >= 0 AND used >= 0 AND held >= 0 AND passed_on >= 0", name=op.f("ck_reply_line_not_negative")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_reply_line_lot_id_lot")),
        sa.ForeignKeyConstraint(["reply_id"], ["reply.id"], name=op.f("fk_reply_line_reply_id_reply")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply_line")),
        sa.UniqueConstraint("reply_id", "lot_id", name=op.f("uq_reply_line_reply_id_lot_id")),
    )


def drop_reply_line() -> None:
    op.drop_table("reply_line")
