"""stages of an answer, the ladder behind them, account managers

Revision: 0018, after: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consignee", sa.Column("stage_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("consignee", sa.Column("action_done_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE consignee SET stage_since = CASE state WHEN 'answered' THEN answered_at ELSE acknowledged_at END"
        " WHERE state IN ('acknowledged', 'answered')"
    )
    op.add_column("partner", sa.Column("account_manager", sa.String(120), nullable=True))
    op.add_column("partner", sa.Column("group_name", sa.String(120), nullable=True))
    op.create_table(
        "consignee_action",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", sa.String(), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("how", sa.String(12), nullable=False),
        sa.Column("channel", sa.String(8), nullable=False),
        sa.Column("stated_by", sa.String(200), nullable=True),
        sa.Column("note", sa.String(2000), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.String(120), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("form_id", sa.String(64), nullable=False),
        sa.CheckConstraint(
            "how IN ('set_aside','returned','destroyed','corrected','other')",
            name=op.f("ck_consignee_action_how_known"),
        ),
        sa.CheckConstraint("how <> 'other' OR note IS NOT NULL", name=op.f("ck_consignee_action_other_is_explained")),
        sa.CheckConstraint(
            "channel IN ('page','phone','visit','letter','email','sms','fax')",
            name=op.f("ck_consignee_action_channel_known"),
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_consignee_action_recall_number_recall")
        ),
        sa.ForeignKeyConstraint(
            ["consignee_id"], ["consignee.id"], name=op.f("fk_consignee_action_consignee_id_consignee")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consignee_action")),
        sa.UniqueConstraint("form_id", name=op.f("uq_consignee_action_form_id")),
    )
    op.create_index("ix_consignee_action_consignee", "consignee_action", ["consignee_id", "id"])
    # Evidence: the application adds rows and never changes one.
    op.execute(
        """
        DO $$
        BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE UPDATE, DELETE, TRUNCATE ON consignee_action FROM recall_app;
            END IF;
        END
        $$
        """
    )


def downgrade() -> None:
    op.drop_table("consignee_action")
    op.drop_column("partner", "group_name")
    op.drop_column("partner", "account_manager")
    op.drop_column("consignee", "action_done_at")
    op.drop_column("consignee", "stage_since")
