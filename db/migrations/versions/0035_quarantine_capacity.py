"""how many units may lie locked at a place

Revision: 0035, after: 0034
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("location", sa.Column("quarantine_capacity", sa.Numeric(precision=20, scale=6), nullable=True))


def downgrade() -> None:
    op.drop_column("location", "quarantine_capacity")
