"""parcels are counted by RMA and by the carrier's number

Revision: 0028, after: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("goods_return", sa.Column("rma", sa.String(length=20), nullable=True))
    op.add_column("goods_return", sa.Column("tracking_no", sa.String(length=60), nullable=True))
    op.add_column(
        "goods_return",
        sa.Column("beyond_announced", sa.Numeric(precision=20, scale=6), server_default="0", nullable=False),
    )
    op.create_index(
        "ix_disposition_consignee",
        "disposition",
        ["consignee_id"],
        postgresql_where=sa.text("consignee_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_disposition_consignee", "disposition")
    for column in ("beyond_announced", "tracking_no", "rma"):
        op.drop_column("goods_return", column)
