"""goods that go to another place than they were shipped to, as a record of their own

Revision: 0050, after: 0049
"""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

_NAME = "redirect"


def upgrade() -> None:
    op.create_table(
        _NAME,
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("document_no", sa.String(80), nullable=True),
        sa.Column("from_location_id", sa.BigInteger(), nullable=False),
        sa.Column("to_location_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Numeric(20, 6), nullable=False),
        sa.Column("reference", sa.String(80), nullable=False),
        sa.Column("asked_by_recall", sa.String(40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_redirect_lot_id_lot")),
        sa.ForeignKeyConstraint(
            ["from_location_id"], ["location.id"], name=op.f("fk_redirect_from_location_id_location")
        ),
        sa.ForeignKeyConstraint(["to_location_id"], ["location.id"], name=op.f("fk_redirect_to_location_id_location")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redirect")),
    )
    op.create_index("ix_redirect_lot", _NAME, ["lot_id", "document_no"])
    op.execute(
        "INSERT INTO redirect (lot_id, document_no, from_location_id, to_location_id, quantity, reference,"
        " asked_by_recall, at)"
        " SELECT h.lot_id, h.document_no, h.location_id, l.to_location_id, l.quantity, l.reference, l.recall_number,"
        " l.ended_at FROM logistics_request l JOIN hold h ON h.id = l.hold_id"
        " WHERE l.kind = 'redirect' AND l.state = 'answered' ORDER BY l.ended_at, l.id"
    )
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE UPDATE, DELETE, TRUNCATE ON redirect FROM recall_app;
            END IF;
        END $$
        """
    )


def downgrade() -> None:
    op.drop_table(_NAME)
