"""whether anybody of a campaign is still open is one look, however many there are

Revision: 0024, after: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_consignee_open",
        "consignee",
        ["recall_number", "campaign_sequence"],
        postgresql_where=sa.text("state = 'open'"),
    )


def downgrade() -> None:
    op.drop_index("ix_consignee_open", "consignee")
