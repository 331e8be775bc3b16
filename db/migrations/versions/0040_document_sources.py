"""a stopped document is told from others of its number by its source; repeated entries about it and shipments are found

Revision: 0040, after: 0039
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

_NAME = "recall_document"
_BEFORE = "uq_recall_document_recall_number_keeper_kind_document_no_location_id"
_AFTER = "uq_recall_document_recall_number_keeper_source_kind_document_no_location_id"


def upgrade() -> None:
    op.add_column(_NAME, sa.Column("source", sa.String(length=60), nullable=False, server_default=""))
    op.alter_column(_NAME, "source", server_default=None)
    # Ours: by the stop that stands in the ledger, else by the only document it can be.
    op.execute(
        """
        UPDATE recall_document r SET source = coalesce(
            (SELECT d.source_system FROM goods_document_block b JOIN goods_document d ON d.id = b.document_id
             WHERE b.key IN (r.recall_number || ':document:' || r.id, r.recall_number || ':document:' || r.id || ':' || r.turn)
             ORDER BY b.placed_at DESC LIMIT 1),
            (SELECT min(d.source_system) FROM goods_document d
             WHERE d.kind = r.kind AND d.number = r.document_no
               AND r.location_id IN (d.from_location_id, d.to_location_id)),
            '')
        WHERE r.keeper = 'ledger'
        """
    )
    op.drop_constraint(op.f(_BEFORE), _NAME, type_="unique")
    op.create_unique_constraint(
        op.f(_AFTER), _NAME, ["recall_number", "keeper", "source", "kind", "document_no", "location_id"]
    )
    op.add_column(_NAME, sa.Column("request", sa.String(length=120), nullable=True))
    op.add_column("logistics_request", sa.Column("request", sa.String(length=120), nullable=True))
    op.create_index("ix_logistics_request_request", "logistics_request", ["request"])


def downgrade() -> None:
    op.drop_index("ix_logistics_request_request", "logistics_request")
    op.drop_column("logistics_request", "request")
    op.drop_column(_NAME, "request")
    op.drop_constraint(op.f(_AFTER), _NAME, type_="unique")
    op.create_unique_constraint(op.f(_BEFORE), _NAME, ["recall_number", "keeper", "kind", "document_no", "location_id"])
    op.drop_column(_NAME, "source")
