"""each recall has a provisional cost account, open until the recall is complete

Revision: 0027, after: 0026
"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from db.migrations.steps import file_deletion

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_OF_FILE = ("provisional_account", "provisional_account.recall_number = p_number")


def upgrade() -> None:
    op.create_table(
        "provisional_account",
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.String(length=120), nullable=False),
        sa.Column("locked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locked_by", sa.String(length=120), nullable=True),
        sa.Column("lock_reason", sa.String(length=2000), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.String(length=120), nullable=True),
        sa.Column("settlement_no", sa.String(length=80), nullable=True),
        sa.Column("signature_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'locked', 'settled')", name=op.f("ck_provisional_account_state_known")
        ),
        sa.CheckConstraint(
            "(state = 'open') = (locked_at IS NULL)", name=op.f("ck_provisional_account_locked_at_known")
        ),
        sa.CheckConstraint(
            "(state = 'settled') = (settled_at IS NOT NULL)", name=op.f("ck_provisional_account_settled_at_known")
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_provisional_account_recall_number_recall")
        ),
        sa.ForeignKeyConstraint(
            ["signature_id"], ["signature.id"], name=op.f("fk_provisional_account_signature_id_signature")
        ),
        sa.PrimaryKeyConstraint("recall_number", name=op.f("pk_provisional_account")),
    )
    # Recalls that began before accounts: those that are complete are locked, the others get theirs as if begun now.
    op.execute(
        """
        INSERT INTO provisional_account (recall_number, state, turn, opened_at, opened_by, locked_at, locked_by,
                                         lock_reason)
        SELECT number, CASE WHEN done THEN 'locked' ELSE 'open' END, 1, created_at, started_by,
               CASE WHEN done THEN phase_since END, CASE WHEN done THEN 'system' END,
               CASE WHEN done THEN 'the recall was complete when accounts were introduced' END
        FROM recall CROSS JOIN LATERAL (SELECT phase IN ('completed', 'awaiting_authority', 'terminated')) AS d(done)
        """
    )
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE DELETE, TRUNCATE ON provisional_account FROM recall_app;
            END IF;
        END $$
        """
    )
    file_deletion.join(_OF_FILE)


def downgrade() -> None:
    file_deletion.leave(_OF_FILE)
    op.drop_table("provisional_account")
