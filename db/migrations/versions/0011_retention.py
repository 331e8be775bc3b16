"""retention: legal holds, requests to delete, tombstones

Revision: 0011, after: 0010

Legal holds and requests are kept as long as the file; a tombstone stays for good. The application's role cannot
delete a file's rows: the function of migration 0013 does, after it has looked at everything that forbids it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _on_the_role(statement: str) -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN {statement}; END IF;
        END $$
        """
    )


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", sa.String(), nullable=False),
        sa.Column("reference", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("placed_by", sa.String(120), nullable=False),
        sa.Column("placed_at", instant, nullable=False),
        sa.Column("lifted_by", sa.String(120), nullable=True),
        sa.Column("lifted_at", instant, nullable=True),
        sa.Column("lift_reason", sa.String(2000), nullable=True),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_legal_hold_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_hold")),
    )
    op.create_index(
        "ix_legal_hold_open", "legal_hold", ["recall_number"], postgresql_where=sa.text("lifted_at IS NULL")
    )
    op.create_table(
        "deletion_request",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", sa.String(), nullable=False),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("archive_sha256", sa.String(64), nullable=True),
        sa.Column("keep_until", sa.Date(), nullable=False),
        sa.Column("requested_by", sa.String(120), nullable=False),
        sa.Column("requested_at", instant, nullable=False),
        sa.Column("withdrawn_by", sa.String(120), nullable=True),
        sa.Column("withdrawn_at", instant, nullable=True),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_deletion_request_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletion_request")),
    )
    op.create_index(
        "uq_deletion_request_open",
        "deletion_request",
        ["recall_number"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_table(
        "tombstone",
        sa.Column("recall_number", sa.String(20), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("keep_until", sa.Date(), nullable=False),
        sa.Column("policies", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("archive_sha256", sa.String(64), nullable=True),
        sa.Column("requested_by", sa.String(120), nullable=False),
        sa.Column("approved_by", sa.String(120), nullable=False),
        sa.Column("deleted_at", instant, nullable=False),
        sa.Column("tables", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("files", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("finished_at", instant, nullable=True),
        sa.CheckConstraint("requested_by <> approved_by", name="four_eyes"),
        sa.PrimaryKeyConstraint("recall_number", name=op.f("pk_tombstone")),
    )
    _on_the_role("REVOKE DELETE, TRUNCATE ON legal_hold, deletion_request FROM recall_app")
    _on_the_role("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON tombstone FROM recall_app")
    _on_the_role("GRANT UPDATE (finished_at) ON tombstone TO recall_app")


def downgrade() -> None:
    op.drop_table("tombstone")
    op.drop_table("deletion_request")
    op.drop_table("legal_hold")
