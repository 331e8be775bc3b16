"""three more channels: voice calls, systems of recipients, Web Push

Revision: 0014, after: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_KNOWN = "'email','sms','voice','webhook','push'"


def _checks(table: str, checks: dict[str, str]) -> None:
    for name, condition in checks.items():
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def upgrade() -> None:
    for name, length in (("webhook_url", 500), ("webhook_format", 8), ("webhook_key", 60)):
        op.add_column("contact", sa.Column(name, sa.String(length), nullable=True))
    op.add_column("contact", sa.Column("voice_opted_out_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("ck_contact_channels_known"), "contact")
    op.drop_constraint(op.f("ck_contact_reachable"), "contact")
    _checks(
        "contact",
        {
            "channels_known": f"channels <@ ARRAY[{_KNOWN}]::varchar[] AND cardinality(channels) > 0",
            "reachable": "email IS NOT NULL OR phone IS NOT NULL OR webhook_url IS NOT NULL",
            "webhook_format_known": "webhook_format IN ('json','fhir')",
            "webhook_whole": "(webhook_url IS NULL) = (webhook_format IS NULL)"
            " AND (webhook_url IS NULL) = (webhook_key IS NULL)",
        },
    )
    op.drop_constraint(op.f("ck_delivery_channel_known"), "delivery")
    _checks("delivery", {"channel_known": f"channel IN ({_KNOWN})"})
    op.drop_constraint(op.f("ck_reply_channel_known"), "reply")
    _checks("reply", {"channel_known": "channel IN ('page', 'sms', 'phone', 'email', 'voice', 'webhook')"})
    op.create_table(
        "push_subscription",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint", sa.String(1000), nullable=False),
        sa.Column("p256dh", sa.String(120), nullable=False),
        sa.Column("auth", sa.String(60), nullable=False),
        sa.Column("language", sa.String(12), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_push_subscription_contact_id_contact")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_subscription")),
        sa.UniqueConstraint("endpoint", name=op.f("uq_push_subscription_endpoint")),
    )
    op.create_index("ix_push_subscription_contact", "push_subscription", ["contact_id"])
    op.create_table(
        "webhook_answer",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("webhook_key", sa.String(60), nullable=False),
        sa.Column("message_id", sa.String(100), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_webhook_answer_delivery_id_delivery")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_answer")),
        sa.UniqueConstraint("webhook_key", "message_id", name=op.f("uq_webhook_answer_webhook_key_message_id")),
    )
    op.create_index("ix_webhook_answer_delivery", "webhook_answer", ["delivery_id"])
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE UPDATE, DELETE, TRUNCATE ON webhook_answer FROM recall_app;
            END IF;
        END $$
        """
    )


def downgrade() -> None:
    op.drop_table("webhook_answer")
    op.drop_table("push_subscription")
    op.drop_constraint(op.f("ck_reply_channel_known"), "reply")
    _checks("reply", {"channel_known": "channel IN ('page', 'sms', 'phone')"})
    op.drop_constraint(op.f("ck_delivery_channel_known"), "delivery")
    _checks("delivery", {"channel_known": "channel IN ('email','sms')"})
    for name in ("channels_known", "reachable", "webhook_format_known", "webhook_whole"):
        op.drop_constraint(op.f(f"ck_contact_{name}"), "contact")
    _checks(
        "contact",
        {
            "channels_known": "channels <@ ARRAY['email','sms']::varchar[] AND cardinality(channels) > 0",
            "reachable": "email IS NOT NULL OR phone IS NOT NULL",
        },
    )
    for name in ("webhook_url", "webhook_format", "webhook_key", "voice_opted_out_at"):
        op.drop_column("contact", name)
