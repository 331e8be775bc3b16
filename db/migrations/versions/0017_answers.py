"""answers of recipients: what was returned and destroyed, drafts

Revision: 0017, after: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("returned", "destroyed"):
        op.add_column("reply_line", sa.Column(name, sa.Numeric(20, 6), nullable=True))
    op.create_check_constraint(
        op.f("ck_reply_line_gone_not_negative"), "reply_line", "returned >= 0 AND destroyed >= 0"
    )
    op.create_table(
        "reply_draft",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("form_id", sa.String(64), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("answers", postgresql.JSONB(), nullable=False),
        sa.Column("files", postgresql.JSONB(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["consignee_id"], ["consignee.id"], name=op.f("fk_reply_draft_consignee_id_consignee")
        ),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_reply_draft_contact_id_contact")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply_draft")),
        sa.UniqueConstraint(
            "consignee_id",
            "contact_id",
            name=op.f("uq_reply_draft_consignee_id_contact_id"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("ix_reply_draft_updated", "reply_draft", ["updated_at"])


def downgrade() -> None:
    op.drop_table("reply_draft")
    op.drop_constraint(op.f("ck_reply_line_gone_not_negative"), "reply_line")
    op.drop_column("reply_line", "destroyed")
    op.drop_column("reply_line", "returned")
