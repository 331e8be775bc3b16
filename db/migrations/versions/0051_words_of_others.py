"""an index for what others say they passed on to a consignee, read for each page that it opens

Revision: 0051, after: 0050
"""

from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_passed_on_consignee_id", "passed_on", ["consignee_id"])


def downgrade() -> None:
    op.drop_index("ix_passed_on_consignee_id", "passed_on")
