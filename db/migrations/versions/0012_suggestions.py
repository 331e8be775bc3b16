"""classes suggested from text

Revision: 0012, after: 0011

Advice is evidence of what people had before them: only ever added to.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
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
    op.create_table(
        "class_suggestion",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", sa.String(14), nullable=False),
        sa.Column("product_line", sa.String(120), nullable=False),
        sa.Column("scope_version", sa.Integer(), nullable=False),
        sa.Column("text_sha256", sa.String(64), nullable=False),
        sa.Column("recall_class", sa.String(4), nullable=True),
        sa.Column("confidence", JSONB(), nullable=False),
        sa.Column("words", JSONB(), nullable=False),
        sa.Column("notes", JSONB(), nullable=False),
        sa.Column("needs_review", sa.Boolean(), nullable=False),
        sa.Column("no_suggestion", sa.String(200), nullable=True),
        sa.Column("model_version", sa.String(80), nullable=False),
        sa.Column("suggested_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("recall_class IN ('I', 'II', 'III')", name=op.f("ck_class_suggestion_class_known")),
        sa.CheckConstraint(
            "(recall_class IS NULL) = (no_suggestion IS NOT NULL)", name=op.f("ck_class_suggestion_class_or_why_not")
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_class_suggestion_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_class_suggestion")),
        sa.UniqueConstraint(
            "recall_number",
            "product_line",
            "text_sha256",
            "model_version",
            name=op.f("uq_class_suggestion_once"),
        ),
    )
    _on_the_role("REVOKE UPDATE, DELETE, TRUNCATE ON class_suggestion FROM recall_app")


def downgrade() -> None:
    op.drop_table("class_suggestion")
