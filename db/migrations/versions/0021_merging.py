"""one notice for a person with several sites, and a copy for who pays

Revision: 0021, after: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("carried_by", sa.Uuid(), nullable=True))
    op.add_column("delivery", sa.Column("leads", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_foreign_key(op.f("fk_delivery_carried_by_delivery"), "delivery", "delivery", ["carried_by"], ["id"])
    # Only messages for several sites are in it, so sending one for a single site touches no further index.
    op.create_index(
        "ix_delivery_carried", "delivery", ["carried_by"], postgresql_where=sa.text("carried_by IS NOT NULL")
    )
    op.add_column("contact", sa.Column("party", sa.String(8), server_default="ship_to", nullable=False))
    op.create_check_constraint(op.f("ck_contact_party_known"), "contact", "party IN ('ship_to', 'bill_to')")
    op.create_index("ix_contact_bill_to", "contact", ["partner_id"], postgresql_where=sa.text("party = 'bill_to'"))


def downgrade() -> None:
    op.drop_index("ix_contact_bill_to", "contact")
    op.drop_constraint(op.f("ck_contact_party_known"), "contact")
    op.drop_column("contact", "party")
    op.drop_index("ix_delivery_carried", "delivery")
    op.drop_constraint(op.f("fk_delivery_carried_by_delivery"), "delivery", type_="foreignkey")
    op.drop_column("delivery", "leads")
    op.drop_column("delivery", "carried_by")
