"""what keepers of stock were told of the status of lots

Revision: 0048, after: 0047
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

_NAME = "keeper_lot_status"


def upgrade() -> None:
    op.create_table(
        _NAME,
        sa.Column("keeper", sa.String(40), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("recalls", JSONB(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(500), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('due', 'told', 'refused', 'unserved')", name=op.f("ck_keeper_lot_status_state_known")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_keeper_lot_status_lot_id_lot")),
        sa.PrimaryKeyConstraint("keeper", "lot_id", name=op.f("pk_keeper_lot_status")),
    )
    op.create_index(
        "ix_keeper_lot_status_due", _NAME, ["keeper"], postgresql_where=sa.text("state IN ('due', 'unserved')")
    )
    op.create_index("ix_keeper_lot_status_lot", _NAME, ["lot_id"])
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE DELETE, TRUNCATE ON keeper_lot_status FROM recall_app;
            END IF;
        END $$
        """
    )


def downgrade() -> None:
    op.drop_table(_NAME)
