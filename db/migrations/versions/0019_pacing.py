"""pace and pauses of campaigns

Revision: 0019, after: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_KNOWN = "'email','sms','voice','webhook','push'"


def _instant(name: str, *, nullable: bool = True) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "pacing_bucket",
        sa.Column("channel", sa.String(10), nullable=False),
        _instant("spent_until", nullable=False),
        sa.Column("slow", sa.Float(), nullable=True),
        sa.Column("reference", sa.Float(), nullable=True),
        _instant("slow_at"),
        _instant("paused_until"),
        sa.Column("urgent", sa.Integer(), nullable=True),
        _instant("urgent_until"),
        sa.CheckConstraint(f"channel IN ({_KNOWN})", name=op.f("ck_pacing_bucket_channel_known")),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_pacing_bucket")),
    )
    # What is given up is counted apart from the fencing token: an answer "too fast" is no failure.
    op.add_column("delivery", sa.Column("failures", sa.Integer(), server_default="0", nullable=False))
    op.add_column("delivery", _instant("window_ends"))
    for name in ("paused_at", "aborted_at"):
        op.add_column("campaign", _instant(name))
    for name in ("paused_by", "aborted_by"):
        op.add_column("campaign", sa.Column(name, sa.String(120), nullable=True))
    for name in ("pause_reason", "abort_reason"):
        op.add_column("campaign", sa.Column(name, sa.String(2000), nullable=True))
    op.add_column("campaign", sa.Column("abort_signature_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_campaign_abort_signature_id_signature"), "campaign", "signature", ["abort_signature_id"], ["id"]
    )
    op.create_table(
        "campaign_remainder",
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_campaign_remainder_campaign_id_campaign")
        ),
        sa.ForeignKeyConstraint(
            ["consignee_id"], ["consignee.id"], name=op.f("fk_campaign_remainder_consignee_id_consignee")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "consignee_id", name=op.f("pk_campaign_remainder")),
    )
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE UPDATE, DELETE, TRUNCATE ON campaign_remainder FROM recall_app;
            END IF;
        END $$
        """
    )


def downgrade() -> None:
    op.drop_table("campaign_remainder")
    op.drop_constraint(op.f("fk_campaign_abort_signature_id_signature"), "campaign", type_="foreignkey")
    for name in ("paused_at", "aborted_at", "paused_by", "aborted_by", "pause_reason", "abort_reason"):
        op.drop_column("campaign", name)
    op.drop_column("campaign", "abort_signature_id")
    op.drop_column("delivery", "window_ends")
    op.drop_column("delivery", "failures")
    op.drop_table("pacing_bucket")
