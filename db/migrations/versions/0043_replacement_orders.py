"""replacements that keepers of stock were asked to ship

Revision: 0043, after: 0042
"""

import sqlalchemy as sa
from alembic import op

from db.migrations.steps import file_deletion

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_NAME = "keeper_shipment"
_OF_FILE = (
    _NAME,
    "keeper_shipment.allocation_id IN (SELECT allocation.id FROM allocation WHERE allocation.recall_number = p_number)",
)


def _instant(name: str, *, nullable: bool = True) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        _NAME,
        sa.Column("allocation_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("keeper", sa.String(40), nullable=False),
        sa.Column("number", sa.String(80), nullable=True),
        sa.Column("state", sa.String(10), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(500), nullable=True),
        _instant("planned_at", nullable=False),
        *(_instant(name) for name in ("asked_at", "acknowledged_at", "ended_at")),
        sa.CheckConstraint(
            "state IN ('open', 'blocked', 'cancelled', 'done')", name=op.f("ck_keeper_shipment_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["allocation_id"], ["allocation.id"], name=op.f("fk_keeper_shipment_allocation_id_allocation")
        ),
        sa.PrimaryKeyConstraint("allocation_id", name=op.f("pk_keeper_shipment")),
        sa.UniqueConstraint("key", name=op.f("uq_keeper_shipment_key")),
    )
    op.create_index(
        "ix_keeper_shipment_open", _NAME, ["keeper"], postgresql_where=sa.text("ended_at IS NULL")
    )
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE DELETE, TRUNCATE ON keeper_shipment FROM recall_app;
            END IF;
        END $$
        """
    )
    file_deletion.join(_OF_FILE)


def downgrade() -> None:
    file_deletion.leave(_OF_FILE)
    op.drop_table(_NAME)
