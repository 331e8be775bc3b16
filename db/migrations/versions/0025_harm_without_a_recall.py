"""harm that no recall looks after pages people all the same

Revision: 0025, after: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_GUARD = """
    DO $$ BEGIN
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
            {statements}
        END IF;
    END $$
"""


def upgrade() -> None:
    op.add_column("inbound_message", sa.Column("harm_aware_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_inbound_message_harm",
        "inbound_message",
        ["id"],
        postgresql_where=sa.text("harm_aware_at IS NOT NULL AND settled_at IS NULL"),
    )
    op.create_table(
        "harm_page",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("occasion", sa.Integer(), nullable=False),
        sa.Column("principal", sa.String(length=120), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("provider_id", sa.String(length=200), nullable=True),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("channel IN ('email','sms')", name=op.f("ck_harm_page_channel_known")),
        sa.CheckConstraint("state IN ('pending', 'sent', 'failed', 'blocked')", name=op.f("ck_harm_page_state_known")),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["inbound_message.id"],
            name=op.f("fk_harm_page_message_id_inbound_message"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_harm_page")),
        sa.UniqueConstraint(
            "message_id",
            "occasion",
            "principal",
            "channel",
            name=op.f("uq_harm_page_message_id_occasion_principal_channel"),
        ),
    )
    op.create_index("ix_harm_page_pending", "harm_page", ["id"], postgresql_where=sa.text("state = 'pending'"))
    op.execute(
        _GUARD.format(
            statements="REVOKE DELETE, TRUNCATE ON harm_page FROM recall_app;"
            " GRANT UPDATE (harm_aware_at) ON inbound_message TO recall_app;"
        )
    )


def downgrade() -> None:
    op.drop_table("harm_page")
    op.drop_index("ix_inbound_message_harm", "inbound_message")
    op.drop_column("inbound_message", "harm_aware_at")
