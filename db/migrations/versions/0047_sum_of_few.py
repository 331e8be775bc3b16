"""a sum for groups of a few rows: what a trace adds up per document and place

Revision: 0047, after: 0046

PostgreSQL's own sum of numerics keeps some 300 bytes per group, made for many rows: half a million groups of one or two
rows outgrow the processor's caches. This one keeps the number itself.
"""

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE AGGREGATE sum_of_few(numeric) (sfunc = numeric_add, stype = numeric, parallel = safe)")


def downgrade() -> None:
    op.execute("DROP AGGREGATE sum_of_few(numeric)")
