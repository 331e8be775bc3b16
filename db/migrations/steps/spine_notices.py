"""Notices and their delivery to consignees."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel.sql.sqltypes import AutoString


def create_notice() -> None:
    op.create_table(
        "notice",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("drafted_by", sa.String(length=120), nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.String(length=120), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_notice_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("recall_number", "version", name=op.f("uq_notice_recall_number_version")),
    )


def drop_notice() -> None:
    op.drop_table("notice")


def create_campaign() -> None:
    op.create_table(
        "campaign",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name=op.f("fk_campaign_notice_id_notice")),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_campaign_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("recall_number", "sequence", name=op.f("uq_campaign_recall_number_sequence")),
    )


def drop_campaign() -> None:
    op.drop_table("campaign")


def create_consignee() -> None:
    op.create_table(
        "consignee",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=14), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("first_notified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_step_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('open','acknowledged','answered','documented')", name=op.f("ck_consignee_state_known")
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["consignee.id"], name=op.f("fk_consignee_parent_id_consignee")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_consignee_partner_id_partner")),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_consignee_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consignee")),
        sa.UniqueConstraint("recall_number", "partner_id", name=op.f("uq_consignee_recall_number_partner_id")),
    )
    op.create_index(
        "ix_consignee_due",
        "consignee",
        ["recall_number", "next_step_at"],
        unique=False,
        postgresql_where=sa.text("state = 'open' AND next_step_at IS NOT NULL"),
    )
    op.create_index("ix_consignee_partner", "consignee", ["partner_id"], unique=False)


def drop_consignee() -> None:
    op.drop_index("ix_consignee_partner", table_name="consignee")
    op.drop_index(
        "ix_consignee_due",
        table_name="consignee",
        postgresql_where=sa.text("state = 'open' AND next_step_at IS NOT NULL"),
    )
    op.drop_table("consignee")


def create_notice_body() -> None:
    op.create_table(
        "notice_body",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("language", sa.String(length=12), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name=op.f("fk_notice_body_notice_id_notice")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_body")),
        sa.UniqueConstraint(
            "notice_id", "kind", "channel", "language", name=op.f("uq_notice_body_notice_id_kind_channel_language")
        ),
    )


def drop_notice_body() -> None:
    op.drop_table("notice_body")


def create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("language", sa.String(length=12), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("provider_id", sa.String(length=120), nullable=True),
        sa.Column("error_kind", sa.String(length=20), nullable=True),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("ambiguous", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("channel IN ('email','sms')", name=op.f("ck_delivery_channel_known")),
        sa.CheckConstraint(
            "state IN ('pending', 'submitting', 'submitted', 'delivered', 'failed', 'cancelled')",
            name=op.f("ck_delivery_state_known"),
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_delivery_campaign_id_campaign")),
        sa.ForeignKeyConstraint(["consignee_id"], ["consignee.id"], name=op.f("fk_delivery_consignee_id_consignee")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_delivery_contact_id_contact")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint(
            "campaign_id",
            "consignee_id",
            "step",
            "contact_id",
            "channel",
            name=op.f("uq_delivery_campaign_id_consignee_id_step_contact_id_channel"),
        ),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_index("ix_delivery_consignee", "delivery", ["consignee_id"], unique=False)
    op.create_index(
        "ix_delivery_open",
        "delivery",
        ["campaign_id", "channel", "priority", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending','submitting')"),
    )


def drop_delivery() -> None:
    op.drop_index(
        "ix_delivery_open", table_name="delivery", postgresql_where=sa.text("state IN ('pending','submitting')")
    )
    op.drop_index("ix_delivery_consignee", table_name="delivery")
    op.drop_table("delivery")


def create_consignee_lot() -> None:
    op.create_table(
        "consignee_lot",
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("shipped", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("returned", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("stated", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consignee_id"], ["consignee.id"], name=op.f("fk_consignee_lot_consignee_id_consignee")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_consignee_lot_lot_id_lot")),
        sa.PrimaryKeyConstraint("consignee_id", "lot_id", name=op.f("pk_consignee_lot")),
    )
    op.create_index("ix_consignee_lot_lot", "consignee_lot", ["lot_id"], unique=False)


def drop_consignee_lot() -> None:
    op.drop_index("ix_consignee_lot_lot", table_name="consignee_lot")
    op.drop_table("consignee_lot")


def create_delivery_event() -> None:
    op.create_table(
        "delivery_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("provider_id", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=30), nullable=False),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_delivery_event_delivery_id_delivery")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_event")),
        sa.UniqueConstraint(
            "provider", "provider_id", "status", name=op.f("uq_delivery_event_provider_provider_id_status")
        ),
    )
    op.create_index("ix_delivery_event_delivery", "delivery_event", ["delivery_id"], unique=False)


def drop_delivery_event() -> None:
    op.drop_index("ix_delivery_event_delivery", table_name="delivery_event")
    op.drop_table("delivery_event")
