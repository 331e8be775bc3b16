"""a supplier's answer stays as it was given; only our word on it is added

Revision: 0041, after: 0040
"""

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_GUARD = """
    DO $$ BEGIN
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
            {statements}
        END IF;
    END $$
"""


def upgrade() -> None:
    op.execute(
        _GUARD.format(
            statements="REVOKE UPDATE ON supplier_answer FROM recall_app;"
            " GRANT UPDATE (accepted, review_reason, reviewed_by, reviewed_at) ON supplier_answer TO recall_app;"
        )
    )


def downgrade() -> None:
    op.execute(_GUARD.format(statements="GRANT UPDATE ON supplier_answer TO recall_app;"))
