"""holds at keepers outside our ledger: what they were told and acknowledged, and counts by people

Revision: 0031, after: 0030
"""

import sqlalchemy as sa
from alembic import op

from db.migrations.steps import file_deletion

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_OF_HOLD = "IN (SELECT hold.id FROM hold WHERE hold.recall_number = p_number)"
_OF_PART = (
    "IN (SELECT disposition_part.id FROM disposition_part WHERE disposition_part.disposition_id IN"
    " (SELECT disposition.id FROM disposition WHERE disposition.recall_number = p_number))"
)
_DELETED = (
    (
        "hold_check",
        "hold_check.evidence_id IN (SELECT evidence.id FROM evidence WHERE evidence.recall_number = p_number)"
        f" OR hold_check.hold_id {_OF_HOLD}",
    ),
    ("keeper_hold", f"keeper_hold.hold_id {_OF_HOLD}"),
    ("keeper_disposal", f"keeper_disposal.part_id {_OF_PART}"),
)


def _instant(name: str, *, nullable: bool = True) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _units(name: str, **more: str) -> sa.Column[sa.Numeric]:
    return sa.Column(name, sa.Numeric(20, 6), nullable=False, **more)


def upgrade() -> None:
    op.add_column("stock", sa.Column("source", sa.String(40), nullable=True))
    op.create_table(
        "keeper_hold",
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("hold_id", sa.BigInteger(), nullable=False),
        sa.Column("keeper", sa.String(40), nullable=False),
        sa.Column("claimant", sa.String(60), nullable=False),
        sa.Column("nonconforming", sa.Boolean(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        _units("asked", server_default="0"),
        _units("held", server_default="0"),
        sa.Column("by", sa.String(120), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(500), nullable=True),
        sa.Column("closing", sa.Boolean(), nullable=False),
        _instant("planned_at", nullable=False),
        *(_instant(name) for name in ("asked_at", "acknowledged_at", "ended_at")),
        sa.CheckConstraint("asked >= 0 AND held >= 0", name=op.f("ck_keeper_hold_not_negative")),
        sa.ForeignKeyConstraint(["hold_id"], ["hold.id"], name=op.f("fk_keeper_hold_hold_id_hold")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_keeper_hold")),
        sa.UniqueConstraint("hold_id", "turn", "generation", name=op.f("uq_keeper_hold_hold_id_turn_generation")),
    )
    op.create_index("ix_keeper_hold_standing", "keeper_hold", ["keeper"], postgresql_where=sa.text("ended_at IS NULL"))
    op.create_table(
        "keeper_disposal",
        sa.Column("part_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("keeper", sa.String(40), nullable=False),
        sa.Column("reference", sa.String(120), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(500), nullable=True),
        _instant("planned_at", nullable=False),
        _instant("acknowledged_at"),
        sa.ForeignKeyConstraint(
            ["part_id"], ["disposition_part.id"], name=op.f("fk_keeper_disposal_part_id_disposition_part")
        ),
        sa.PrimaryKeyConstraint("part_id", name=op.f("pk_keeper_disposal")),
        sa.UniqueConstraint("key", name=op.f("uq_keeper_disposal_key")),
    )
    op.create_index(
        "ix_keeper_disposal_due", "keeper_disposal", ["keeper"], postgresql_where=sa.text("acknowledged_at IS NULL")
    )
    op.create_table(
        "hold_check",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("hold_id", sa.BigInteger(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        _units("claimed"),
        _units("counted"),
        sa.Column("evidence_id", sa.Uuid(), nullable=True),
        sa.Column("note", sa.String(2000), nullable=True),
        sa.Column("request", sa.String(120), nullable=False),
        sa.Column("checked_by", sa.String(120), nullable=False),
        _instant("checked_at", nullable=False),
        sa.CheckConstraint("counted >= 0 AND claimed >= 0", name=op.f("ck_hold_check_not_negative")),
        sa.ForeignKeyConstraint(["hold_id"], ["hold.id"], name=op.f("fk_hold_check_hold_id_hold")),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name=op.f("fk_hold_check_evidence_id_evidence")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold_check")),
        sa.UniqueConstraint("hold_id", "request", name=op.f("uq_hold_check_hold_id_request")),
    )
    op.create_index("ix_hold_check_hold", "hold_check", ["hold_id", "id"])
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE DELETE, TRUNCATE ON keeper_hold, keeper_disposal FROM recall_app;
                REVOKE UPDATE, DELETE, TRUNCATE ON hold_check FROM recall_app;
            END IF;
        END $$
        """
    )
    file_deletion.join(*_DELETED)


def downgrade() -> None:
    file_deletion.leave(*_DELETED)
    op.drop_table("hold_check")
    op.drop_table("keeper_disposal")
    op.drop_table("keeper_hold")
    op.drop_column("stock", "source")
