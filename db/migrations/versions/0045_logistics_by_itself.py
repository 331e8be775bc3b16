"""a recall asks by itself who moves its goods: what was asked about, and providers nobody knows yet

Revision: 0045, after: 0044
"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

_NAME = "logistics_request"


def upgrade() -> None:
    op.add_column(_NAME, sa.Column("turn", sa.Integer(), nullable=True))
    op.add_column(_NAME, sa.Column("quantity", sa.Numeric(20, 6), nullable=True))
    op.execute("UPDATE logistics_request l SET turn = h.turn, quantity = h.quantity FROM hold h WHERE h.id = l.hold_id")
    op.alter_column(_NAME, "turn", nullable=False)
    op.alter_column(_NAME, "quantity", nullable=False)
    op.alter_column(_NAME, "provider_id", nullable=True)
    op.create_index("ix_logistics_request_hold", _NAME, ["hold_id"])


def downgrade() -> None:
    op.drop_index("ix_logistics_request_hold", _NAME)
    op.alter_column(_NAME, "provider_id", nullable=False)
    op.drop_column(_NAME, "quantity")
    op.drop_column(_NAME, "turn")
