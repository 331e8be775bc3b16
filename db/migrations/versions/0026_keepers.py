"""keepers of stock: who they are and which places they keep

Revision: 0026, after: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def _instant(name: str, *, nullable: bool = True) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "keeper",
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("base_url", sa.String(500), nullable=False),
        sa.Column("database", sa.String(120), nullable=True),
        sa.Column("auth", sa.String(10), nullable=False),
        sa.Column("credential_variable", sa.String(80), nullable=True),
        sa.Column("webhook_variable", sa.String(80), nullable=True),
        sa.Column("per_second", sa.Float(), nullable=True),
        sa.Column("timeout_seconds", sa.Float(), nullable=False),
        sa.Column("give_up_seconds", sa.Float(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("cursor", sa.String(500), nullable=True),
        *(_instant(name) for name in ("read_at", "last_success_at", "last_failure_at")),
        sa.Column("last_error", sa.String(500), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("kind IN ('http', 'tryton')", name=op.f("ck_keeper_kind_known")),
        sa.CheckConstraint("auth IN ('bearer', 'hmac', 'password')", name=op.f("ck_keeper_auth_known")),
        sa.CheckConstraint("state IN ('active', 'suspended')", name=op.f("ck_keeper_state_known")),
        sa.CheckConstraint("code <> 'ledger'", name=op.f("ck_keeper_not_the_ledger")),
        sa.CheckConstraint(
            "starts_with(credential_variable, 'RECALL_KEEPER_')", name=op.f("ck_keeper_credential_prefix")
        ),
        sa.CheckConstraint("starts_with(webhook_variable, 'RECALL_KEEPER_')", name=op.f("ck_keeper_webhook_prefix")),
        sa.CheckConstraint("per_second > 0", name=op.f("ck_keeper_rate_positive")),
        sa.CheckConstraint(
            "timeout_seconds > 0 AND give_up_seconds >= timeout_seconds", name=op.f("ck_keeper_times_positive")
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_keeper")),
    )
    op.create_table(
        "keeper_location",
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("keeper_code", sa.String(), nullable=False),
        sa.Column("place_code", sa.String(160), nullable=False),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_keeper_location_location_id_location"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["keeper_code"], ["keeper.code"], name=op.f("fk_keeper_location_keeper_code_keeper")),
        sa.PrimaryKeyConstraint("location_id", name=op.f("pk_keeper_location")),
        sa.UniqueConstraint("keeper_code", "place_code", name=op.f("uq_keeper_location_keeper_code_place_code")),
    )
    op.create_table(
        "keeper_skip",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("keeper_code", sa.String(), nullable=False),
        sa.Column("what", sa.String(12), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        _instant("first_seen_at", nullable=False),
        _instant("last_seen_at", nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["keeper_code"], ["keeper.code"], name=op.f("fk_keeper_skip_keeper_code_keeper")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keeper_skip")),
        sa.UniqueConstraint(
            "keeper_code", "what", "subject", "reason", name=op.f("uq_keeper_skip_keeper_code_what_subject_reason")
        ),
    )
    op.create_index("ix_keeper_skip_seen", "keeper_skip", ["keeper_code", "last_seen_at"])
    # Keepers have buckets of their own beside the channels'.
    op.drop_constraint(op.f("ck_pacing_bucket_channel_known"), "pacing_bucket", type_="check")
    op.alter_column("pacing_bucket", "channel", type_=sa.String(50), existing_nullable=False)
    op.create_check_constraint(
        op.f("ck_pacing_bucket_channel_known"),
        "pacing_bucket",
        "channel IN ('email','sms','voice','webhook','push') OR starts_with(channel, 'keeper:')",
    )


def downgrade() -> None:
    op.execute("DELETE FROM pacing_bucket WHERE starts_with(channel, 'keeper:')")
    op.drop_constraint(op.f("ck_pacing_bucket_channel_known"), "pacing_bucket", type_="check")
    op.alter_column("pacing_bucket", "channel", type_=sa.String(10), existing_nullable=False)
    op.create_check_constraint(
        op.f("ck_pacing_bucket_channel_known"),
        "pacing_bucket",
        "channel IN ('email','sms','voice','webhook','push')",
    )
    op.drop_table("keeper_skip")
    op.drop_table("keeper_location")
    op.drop_table("keeper")
