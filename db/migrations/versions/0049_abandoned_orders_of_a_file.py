"""an order at a keeper goes with the file of the recall whose signature is under it

Revision: 0049, after: 0048
"""

from db.migrations.steps import file_deletion

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

_NAME = "keeper_shipment"
_BEFORE = "keeper_shipment.allocation_id IN (SELECT allocation.id FROM allocation WHERE allocation.recall_number = p_number)"
_NOW = (
    _BEFORE + " OR keeper_shipment.signature_id IN (SELECT signature.id FROM signature"
    " WHERE signature.recall_number = p_number)"
)


def upgrade() -> None:
    file_deletion.leave((_NAME, _BEFORE))
    file_deletion.join((_NAME, _NOW))


def downgrade() -> None:
    file_deletion.leave((_NAME, _NOW))
    file_deletion.join((_NAME, _BEFORE))
