"""What tables of the spine get for the whole process: columns, keys and states."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

AFTER = {
    ("consignee", "state_known"): "state IN ('open','acknowledged','answered','documented','withdrawn')",
    ("task", "state_known"): "state IN ('offered', 'accepted', 'sent_back', 'done', 'cancelled')",
    ("hold", "state_known"): "state IN ('requested', 'confirmed', 'failed', 'nonconformity', 'released', 'disposed')",
}
BEFORE = {
    ("consignee", "state_known"): "state IN ('open','acknowledged','answered','documented')",
    ("task", "state_known"): "state IN ('offered', 'accepted', 'done', 'cancelled')",
    ("hold", "state_known"): "state IN ('requested', 'confirmed', 'failed', 'nonconformity', 'released')",
}


def _change_checks(wanted: dict[tuple[str, str], str]) -> None:
    for (table, name), condition in wanted.items():
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def add() -> None:
    op.add_column("consignee", sa.Column("campaign_sequence", sa.Integer(), server_default="1", nullable=False))
    op.add_column("consignee", sa.Column("chase", sa.Integer(), server_default="0", nullable=False))
    op.add_column("consignee_lot", sa.Column("scope_version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("consignee_lot", sa.Column("withdrawn_in", sa.Integer(), nullable=True))
    op.add_column("deadline", sa.Column("title", sa.String(length=300), nullable=True))
    op.add_column("deadline", sa.Column("role", sa.String(length=24), nullable=True))
    op.add_column("deadline", sa.Column("recipient", sa.String(length=200), nullable=True))
    op.add_column("deadline", sa.Column("complaint_id", sa.BigInteger(), nullable=True))
    op.add_column("deadline", sa.Column("met_by", sa.String(length=120), nullable=True))
    op.add_column("deadline", sa.Column("reference", sa.String(length=200), nullable=True))
    op.add_column("deadline", sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("deadline", sa.Column("stopped_reason", sa.String(length=500), nullable=True))
    op.create_foreign_key(op.f("fk_deadline_complaint_id_complaint"), "deadline", "complaint", ["complaint_id"], ["id"])
    op.add_column("delivery", sa.Column("chase", sa.Integer(), server_default="0", nullable=False))
    op.drop_constraint(op.f("uq_delivery_campaign_id_consignee_id_step_contact_id_channel"), "delivery", type_="unique")
    op.create_unique_constraint(
        "uq_delivery_message", "delivery", ["campaign_id", "consignee_id", "chase", "step", "contact_id", "channel"]
    )
    op.add_column("hold", sa.Column("released", sa.Numeric(precision=20, scale=6), server_default="0", nullable=False))
    op.add_column("hold", sa.Column("turn", sa.Integer(), server_default="0", nullable=False))
    op.add_column("hold", sa.Column("ended_by", sa.String(length=120), nullable=True))
    op.add_column("notice", sa.Column("scope_version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("notice", sa.Column("change", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("stock", sa.Column("booked", sa.Numeric(precision=20, scale=6), server_default="0", nullable=False))
    op.add_column("task", sa.Column("first_role", sa.String(length=24), nullable=True))
    op.add_column("task", sa.Column("stand_in", sa.String(length=24), nullable=True))
    op.add_column("task", sa.Column("owner", sa.String(length=200), nullable=True))
    op.add_column("task", sa.Column("remind_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("task", sa.Column("escalate_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("task", sa.Column("stage", sa.Integer(), server_default="0", nullable=False))
    op.add_column("task", sa.Column("handed_over_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("task", sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("task", sa.Column("sent_back_by", sa.String(length=120), nullable=True))
    op.add_column("task", sa.Column("sent_back_reason", sa.String(length=2000), nullable=True))
    op.create_index(
        "ix_task_consignee",
        "task",
        ["consignee_id"],
        unique=False,
        postgresql_where=sa.text("consignee_id IS NOT NULL"),
    )
    _change_checks(AFTER)


def drop() -> None:
    _change_checks(BEFORE)
    op.drop_index("ix_task_consignee", table_name="task", postgresql_where=sa.text("consignee_id IS NOT NULL"))
    op.drop_column("task", "sent_back_reason")
    op.drop_column("task", "sent_back_by")
    op.drop_column("task", "escalated_at")
    op.drop_column("task", "handed_over_at")
    op.drop_column("task", "stage")
    op.drop_column("task", "escalate_at")
    op.drop_column("task", "remind_at")
    op.drop_column("task", "owner")
    op.drop_column("task", "stand_in")
    op.drop_column("task", "first_role")
    op.drop_column("stock", "booked")
    op.drop_column("notice", "change")
    op.drop_column("notice", "scope_version")
    op.drop_column("hold", "ended_by")
    op.drop_column("hold", "turn")
    op.drop_column("hold", "released")
    op.drop_constraint("uq_delivery_message", "delivery", type_="unique")
    op.create_unique_constraint(
        op.f("uq_delivery_campaign_id_consignee_id_step_contact_id_channel"),
        "delivery",
        ["campaign_id", "consignee_id", "step", "contact_id", "channel"],
        postgresql_nulls_not_distinct=False,
    )
    op.drop_column("delivery", "chase")
    op.drop_constraint(op.f("fk_deadline_complaint_id_complaint"), "deadline", type_="foreignkey")
    op.drop_column("deadline", "stopped_reason")
    op.drop_column("deadline", "stopped_at")
    op.drop_column("deadline", "reference")
    op.drop_column("deadline", "met_by")
    op.drop_column("deadline", "complaint_id")
    op.drop_column("deadline", "recipient")
    op.drop_column("deadline", "role")
    op.drop_column("deadline", "title")
    op.drop_column("consignee_lot", "withdrawn_in")
    op.drop_column("consignee_lot", "scope_version")
    op.drop_column("consignee", "chase")
    op.drop_column("consignee", "campaign_sequence")
