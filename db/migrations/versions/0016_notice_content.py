"""content checks of notices, reviews of their free texts, test messages to oneself

Revision: 0016, after: 0015

What a check found and what reviewers said is evidence: only ever added to.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_BEFORE = "'reminder', 'hand_over', 'escalation', 'sent_back', 'assigned', 'page', 'expert_request', 'expert_reminder'"


def _on_the_role(statement: str) -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN {statement}; END IF;
        END $$
        """
    )


def _kinds(listed: str) -> None:
    op.drop_constraint(op.f("ck_staff_message_kind_known"), "staff_message", type_="check")
    op.create_check_constraint(op.f("ck_staff_message_kind_known"), "staff_message", f"kind IN ({listed})")


def upgrade() -> None:
    op.create_table(
        "notice_check",
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("rules_sha256", sa.String(64), nullable=False),
        sa.Column("refusals", JSONB(), nullable=False),
        sa.Column("passages", JSONB(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name=op.f("fk_notice_check_notice_id_notice")),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("pk_notice_check")),
    )
    op.create_table(
        "notice_text_review",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("passage_id", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(10), nullable=False),
        sa.Column("note", sa.String(1000), nullable=True),
        sa.Column("reviewer", sa.String(120), nullable=False),
        sa.Column("role", sa.String(24), nullable=False),
        sa.Column("signature_id", sa.Uuid(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("verdict IN ('confirmed', 'rejected')", name=op.f("ck_notice_text_review_verdict_known")),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name=op.f("fk_notice_text_review_notice_id_notice")),
        sa.ForeignKeyConstraint(
            ["signature_id"], ["signature.id"], name=op.f("fk_notice_text_review_signature_id_signature")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_text_review")),
    )
    op.create_index("ix_notice_text_review_notice", "notice_text_review", ["notice_id", "id"])
    op.add_column("staff_message", sa.Column("notice_body_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_staff_message_notice_body_id_notice_body"),
        "staff_message",
        "notice_body",
        ["notice_body_id"],
        ["id"],
    )
    _kinds(f"{_BEFORE}, 'notice_test'")
    _on_the_role("REVOKE UPDATE, DELETE, TRUNCATE ON notice_check, notice_text_review FROM recall_app")


def downgrade() -> None:
    op.execute("DELETE FROM staff_message WHERE kind = 'notice_test'")
    _kinds(_BEFORE)
    op.drop_constraint(op.f("fk_staff_message_notice_body_id_notice_body"), "staff_message", type_="foreignkey")
    op.drop_column("staff_message", "notice_body_id")
    op.drop_table("notice_text_review")
    op.drop_table("notice_check")
