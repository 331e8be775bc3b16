"""mail that comes back: bounces and answers

Revision: 0015, after: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "returned_mail",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("mail_key", sa.String(60), nullable=False),
        sa.Column("message_id", sa.String(300), nullable=True),
        sa.Column("recall_number", sa.String(14), nullable=True),
        sa.Column("delivery_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("sender", sa.String(10), nullable=False),
        sa.Column("outcome", sa.String(40), nullable=False),
        sa.Column("status", sa.String(16), nullable=True),
        sa.Column("evidence_id", sa.Uuid(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('report', 'receipt', 'automatic', 'person', 'unreadable')",
            name=op.f("ck_returned_mail_kind_known"),
        ),
        sa.CheckConstraint(
            "sender IN ('contact', 'colleague', 'other', 'unknown', 'forged', 'system')",
            name=op.f("ck_returned_mail_sender_known"),
        ),
        sa.CheckConstraint("size >= 0", name=op.f("ck_returned_mail_size_not_negative")),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_returned_mail_recall_number_recall")
        ),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_returned_mail_delivery_id_delivery")),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name=op.f("fk_returned_mail_evidence_id_evidence")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_returned_mail")),
        sa.UniqueConstraint("mail_key", name=op.f("uq_returned_mail_mail_key")),
    )
    op.create_index("ix_returned_mail_recall", "returned_mail", ["recall_number", "id"])
    op.create_index("ix_returned_mail_delivery", "returned_mail", ["delivery_id"])
    op.create_table(
        "delivery_inquiry",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.String(30), nullable=True),
        sa.CheckConstraint("asked > 0", name=op.f("ck_delivery_inquiry_asked_at_all")),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_delivery_inquiry_delivery_id_delivery")
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_delivery_inquiry")),
    )
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE UPDATE, DELETE, TRUNCATE ON returned_mail FROM recall_app;
                REVOKE DELETE, TRUNCATE ON delivery_inquiry FROM recall_app;
            END IF;
        END $$
        """
    )


def downgrade() -> None:
    op.drop_table("delivery_inquiry")
    op.drop_table("returned_mail")
