"""electronic signatures, passwords and training

Revision: 0007, after: 0006

A signature and a training record are only ever added to. An account changes with every wrong password and is never
deleted; neither is a signing session.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

APPEND_ONLY = ("signature", "training_record")
KEPT = ("signing_account", "signing_session")
SIGNED = (
    ("sign_off", "signature_id"),
    ("hazard_evaluation", "signature_id"),
    ("class_decision", "signature_id"),
    ("scope_version", "signature_id"),
    ("authority_answer", "signature_id"),
    ("consignee_documented", "signature_id"),
    ("deadline", "signature_id"),
    ("notice", "signature_id"),
    ("capa", "plan_signature_id"),
    ("capa", "closing_signature_id"),
    ("disposition", "signature_id"),
    ("allocation", "signature_id"),
    ("shortage", "signature_id"),
)
"""Where a signer's name is kept: the signature under it."""


def _on_the_role(statement: str) -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN {statement}; END IF;
        END $$
        """
    )


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "signing_account",
        sa.Column("principal", sa.String(length=120), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("locked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("set_by", sa.String(length=120), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("failed >= 0", name=op.f("ck_signing_account_failed_not_negative")),
        sa.PrimaryKeyConstraint("principal", name=op.f("pk_signing_account")),
    )
    op.create_table(
        "signing_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("principal", sa.String(length=120), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_session")),
    )
    op.create_index("ix_signing_session_token", "signing_session", ["token_id", "opened_at"])
    op.create_table(
        "signature",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("recall_number", sa.String(), nullable=True),
        sa.Column("principal", sa.String(length=120), nullable=False),
        sa.Column("printed_name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.Column("meaning", sa.String(length=300), nullable=False),
        sa.Column("operation", sa.String(length=80), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_signature_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signature")),
    )
    op.create_index("ix_signature_recall", "signature", ["recall_number", "signed_at"])
    op.create_table(
        "training_record",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("principal", sa.String(length=120), nullable=False),
        sa.Column("policy_id", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("trained_on", sa.Date(), nullable=False),
        sa.Column("evidence", sa.String(length=200), nullable=False),
        sa.Column("recorded_by", sa.String(length=120), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("principal <> recorded_by", name=op.f("ck_training_record_by_another_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_record")),
        sa.UniqueConstraint(
            "principal",
            "policy_id",
            "version",
            "trained_on",
            name=op.f("uq_training_record_principal_policy_id_version_trained_on"),
        ),
    )
    for table, column in SIGNED:
        op.add_column(table, sa.Column(column, sa.Uuid(), nullable=True))
        op.create_foreign_key(op.f(f"fk_{table}_{column}_signature"), table, "signature", [column], ["id"])
    _on_the_role(f"REVOKE UPDATE, DELETE, TRUNCATE ON {', '.join(APPEND_ONLY)} FROM recall_app")
    _on_the_role(f"REVOKE DELETE, TRUNCATE ON {', '.join(KEPT)} FROM recall_app")


def downgrade() -> None:
    """Back."""
    for table, column in SIGNED:
        op.drop_constraint(op.f(f"fk_{table}_{column}_signature"), table, type_="foreignkey")
        op.drop_column(table, column)
    op.drop_table("training_record")
    op.drop_index("ix_signature_recall", table_name="signature")
    op.drop_table("signature")
    op.drop_index("ix_signing_session_token", table_name="signing_session")
    op.drop_table("signing_session")
    op.drop_table("signing_account")
