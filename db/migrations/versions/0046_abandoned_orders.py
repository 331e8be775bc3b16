"""replacements that a keeper never answered about: who decided not to wait for it

Revision: 0046, after: 0045
"""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

_NAME = "keeper_shipment"


def upgrade() -> None:
    op.add_column(_NAME, sa.Column("abandoned_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(_NAME, sa.Column("abandoned_by", sa.String(120), nullable=True))
    op.add_column(_NAME, sa.Column("abandon_reason", sa.String(500), nullable=True))
    op.add_column(_NAME, sa.Column("signature_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_keeper_shipment_signature_id_signature"), _NAME, "signature", ["signature_id"], ["id"])


def downgrade() -> None:
    for column in ("signature_id", "abandon_reason", "abandoned_by", "abandoned_at"):
        op.drop_column(_NAME, column)
