"""goods documents a recall has stopped at the keepers of the stock

Revision: 0033, after: 0032
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel.sql.sqltypes import AutoString

from db.migrations.steps import file_deletion

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_NAME = "recall_document"
_OF_FILE = (_NAME, "recall_document.recall_number = p_number")
_STATES = (
    "'watched', 'requested', 'confirmed', 'failed', 'releasing', 'released', 'cancelling', 'cancelled', 'done'"
)


def _instant(name: str, *, nullable: bool = True) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _key(column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_{_NAME}_{column}_{target.partition('.')[0]}"))


def upgrade() -> None:
    op.create_table(
        _NAME,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("keeper", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("document_no", sa.String(length=80), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("other_location_id", sa.BigInteger(), nullable=True),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("lot_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("keeper_state", sa.String(length=10), nullable=True),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column("reference", sa.String(length=200), nullable=True),
        _instant("requested_at", nullable=False),
        _instant("confirmed_at"),
        _instant("ended_at"),
        sa.Column("decided_by", sa.String(length=120), nullable=True),
        _instant("decided_at"),
        sa.Column("reason", sa.String(length=2000), nullable=True),
        sa.Column("signature_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_recall_document_state_known")),
        sa.CheckConstraint(
            "kind IN ('order', 'pick', 'shipment', 'receipt', 'return')", name=op.f("ck_recall_document_kind_known")
        ),
        _key("recall_number", "recall.number"),
        _key("location_id", "location.id"),
        _key("other_location_id", "location.id"),
        _key("signature_id", "signature.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall_document")),
        sa.UniqueConstraint(
            "recall_number",
            "keeper",
            "kind",
            "document_no",
            "location_id",
            name=op.f("uq_recall_document_recall_number_keeper_kind_document_no_location_id"),
        ),
    )
    op.create_index("ix_recall_document_state", _NAME, ["recall_number", "state"])
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE DELETE, TRUNCATE ON recall_document FROM recall_app;
            END IF;
        END $$
        """
    )
    file_deletion.join(_OF_FILE)


def downgrade() -> None:
    file_deletion.leave(_OF_FILE)
    op.drop_table(_NAME)
