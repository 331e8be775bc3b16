"""requests to logistics providers about goods on their way

Revision: 0038, after: 0037
"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from db.migrations.steps import file_deletion

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_NAME = "logistics_request"
_OF_FILE = (
    _NAME,
    "logistics_request.recall_number = p_number",
)


def _instant(name: str, *, nullable: bool = True) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _key(column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_{_NAME}_{column}_{target.partition('.')[0]}"))


def _check(condition: str, name: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{_NAME}_{name}"))


def upgrade() -> None:
    op.create_table(
        _NAME,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("hold_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("provider_id", sa.BigInteger(), nullable=False),
        sa.Column("to_location_id", sa.BigInteger(), nullable=True),
        sa.Column("asked_by", sa.String(length=120), nullable=False),
        _instant("asked_at", nullable=False),
        sa.Column("reference", sa.String(length=80), nullable=True),
        _instant("expected_at"),
        sa.Column("note", sa.String(length=2000), nullable=True),
        _instant("ended_at"),
        sa.Column("ended_by", sa.String(length=120), nullable=True),
        _check("kind IN ('stop', 'redirect', 'return')", "kind_known"),
        _check("state IN ('asked', 'answered', 'refused', 'withdrawn')", "state_known"),
        _check("(state = 'asked') = (ended_at IS NULL)", "ended_at_known"),
        _check("state <> 'answered' OR reference IS NOT NULL", "answered_by_number"),
        _check("kind <> 'redirect' OR to_location_id IS NOT NULL", "redirect_somewhere"),
        _key("recall_number", "recall.number"),
        _key("hold_id", "hold.id"),
        _key("provider_id", "partner.id"),
        _key("to_location_id", "location.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logistics_request")),
    )
    op.create_index(
        "uq_logistics_request_open", _NAME, ["hold_id"], unique=True, postgresql_where=sa.text("state = 'asked'")
    )
    op.create_index("ix_logistics_request_recall", _NAME, ["recall_number", "id"])
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE DELETE, TRUNCATE ON logistics_request FROM recall_app;
            END IF;
        END $$
        """
    )
    file_deletion.join(_OF_FILE)


def downgrade() -> None:
    file_deletion.leave(_OF_FILE)
    op.drop_table(_NAME)
