"""market actions, the authority's class, reviews by outside experts

Revision: 0009, after: 0008

A market action and its review are evidence: only ever added to. A request to an expert changes once, when the answer
comes or the request is withdrawn, and stays.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

APPEND_ONLY = ("market_action", "market_action_review")
KEPT = ("expert_review",)
_OLD_KINDS = "'reminder', 'hand_over', 'escalation', 'sent_back', 'assigned', 'page'"
_KINDS = f"{_OLD_KINDS}, 'expert_request', 'expert_reminder'"


def _on_the_role(statement: str) -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN {statement}; END IF;
        END $$
        """
    )


def upgrade() -> None:
    _market_action()
    _market_action_review()
    _expert_review()
    op.add_column(
        "staff_message",
        sa.Column("expert_review_id", sa.BigInteger(), sa.ForeignKey("expert_review.id"), nullable=True),
    )
    _kinds(_KINDS)
    _on_the_role(f"REVOKE UPDATE, DELETE, TRUNCATE ON {', '.join(APPEND_ONLY)} FROM recall_app")
    _on_the_role(f"REVOKE DELETE, TRUNCATE ON {', '.join(KEPT)} FROM recall_app")


def _kinds(listed: str) -> None:
    op.drop_constraint(op.f("ck_staff_message_kind_known"), "staff_message", type_="check")
    op.create_check_constraint(op.f("ck_staff_message_kind_known"), "staff_message", f"kind IN ({listed})")


def _market_action() -> None:
    op.create_table(
        "market_action",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", sa.String(14), nullable=False),
        sa.Column("product_line", sa.String(120), nullable=False),
        sa.Column("jurisdiction", sa.String(20), nullable=False),
        sa.Column("action", sa.String(24), nullable=False),
        sa.Column("justification", sa.String(4000), nullable=True),
        sa.Column("conclusions", sa.String(4000), nullable=True),
        sa.Column("follow_up", sa.String(4000), nullable=True),
        sa.Column("decided_by", sa.String(120), nullable=False),
        sa.Column("role", sa.String(24), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signature_id", sa.String(64), nullable=True),
        sa.CheckConstraint(
            "(justification IS NULL) = (conclusions IS NULL)",
            name=op.f("ck_market_action_justified_with_conclusions"),
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_market_action_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_market_action")),
        sa.UniqueConstraint(
            "recall_number",
            "product_line",
            "jurisdiction",
            "decided_at",
            name=op.f("uq_market_action_at"),
        ),
    )


def _market_action_review() -> None:
    op.create_table(
        "market_action_review",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", sa.String(14), nullable=False),
        sa.Column("market_action_id", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("evaluation", sa.String(4000), nullable=False),
        sa.Column("reviewed_by", sa.String(120), nullable=False),
        sa.Column("role", sa.String(24), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signature_id", sa.String(64), nullable=True),
        sa.CheckConstraint("outcome IN ('accepted', 'sent_back')", name=op.f("ck_market_action_review_outcome_known")),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_market_action_review_recall_number_recall")
        ),
        sa.ForeignKeyConstraint(
            ["market_action_id"],
            ["market_action.id"],
            name=op.f("fk_market_action_review_market_action_id_market_action"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_market_action_review")),
        sa.UniqueConstraint(
            "market_action_id", "reviewed_at", name=op.f("uq_market_action_review_market_action_id_reviewed_at")
        ),
    )


def _expert_review() -> None:
    op.create_table(
        "expert_review",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", sa.String(14), nullable=False),
        sa.Column("product_line", sa.String(120), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(2000), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("language", sa.String(12), nullable=False),
        sa.Column("asked_by", sa.String(120), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=True),
        sa.Column("recall_class", sa.String(4), nullable=True),
        sa.Column("rationale", sa.String(4000), nullable=True),
        sa.Column("answered_name", sa.String(200), nullable=True),
        sa.Column("qualification", sa.String(500), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.String(120), nullable=True),
        sa.Column("withdrawn_reason", sa.String(500), nullable=True),
        sa.CheckConstraint("state IN ('asked', 'answered', 'withdrawn')", name=op.f("ck_expert_review_state_known")),
        sa.CheckConstraint("asked_at < due_at", name=op.f("ck_expert_review_due_after_asked")),
        sa.CheckConstraint(
            "(state = 'answered') = (answered_at IS NOT NULL AND agrees IS NOT NULL AND rationale IS NOT NULL"
            " AND answered_name IS NOT NULL AND qualification IS NOT NULL)",
            name=op.f("ck_expert_review_answer_complete"),
        ),
        sa.CheckConstraint(
            "agrees IS NOT FALSE OR recall_class IS NOT NULL", name=op.f("ck_expert_review_other_class_named")
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_expert_review_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_review")),
    )
    op.create_index("ix_expert_review_recall", "expert_review", ["recall_number", "id"])


def downgrade() -> None:
    op.execute("DELETE FROM staff_message WHERE kind LIKE 'expert_%'")
    _kinds(_OLD_KINDS)
    op.drop_column("staff_message", "expert_review_id")
    for table in ("expert_review", "market_action_review", "market_action"):
        op.drop_table(table)
