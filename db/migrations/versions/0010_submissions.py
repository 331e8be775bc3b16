"""documents owed to authorities: facts no record holds, frozen submissions, their way to the authority

Revision: 0010, after: 0009

All three tables are evidence: the application's role adds rows and changes none.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

APPEND_ONLY = ("document_fields", "submission", "submission_event")


def _on_the_role(statement: str) -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN {statement}; END IF;
        END $$
        """
    )


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    json = postgresql.JSONB(astext_type=sa.Text())
    op.create_table(
        "document_fields",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", sa.String(), nullable=False),
        sa.Column("subject", sa.String(120), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("supplied", json, nullable=False),
        sa.Column("explanations", json, nullable=False),
        sa.Column("request", sa.String(120), nullable=False),
        sa.Column("stated_by", sa.String(120), nullable=False),
        sa.Column("stated_at", instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_document_fields_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_fields")),
        sa.UniqueConstraint(
            "recall_number", "subject", "version", name=op.f("uq_document_fields_recall_number_subject_version")
        ),
        sa.UniqueConstraint("request", name=op.f("uq_document_fields_request")),
    )
    op.create_table(
        "submission",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", sa.String(), nullable=False),
        sa.Column("deadline_id", sa.BigInteger(), nullable=True),
        sa.Column("subject", sa.String(120), nullable=False),
        sa.Column("jurisdiction", sa.String(20), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("corrects_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("model_version", sa.String(20), nullable=True),
        sa.Column("report_number", sa.String(60), nullable=True),
        sa.Column("fields_version", sa.Integer(), nullable=False),
        sa.Column("files", json, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("missing", json, nullable=False),
        sa.Column("transport", sa.String(20), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("request", sa.String(120), nullable=False),
        sa.Column("submitted_by", sa.String(120), nullable=False),
        sa.Column("role", sa.String(24), nullable=False),
        sa.Column("signature_id", sa.Uuid(), nullable=True),
        sa.Column("submitted_at", instant, nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_submission_version_positive")),
        sa.CheckConstraint(
            "(corrects_id IS NULL) = (version = 1)", name=op.f("ck_submission_later_versions_correct_one")
        ),
        sa.ForeignKeyConstraint(["corrects_id"], ["submission.id"], name=op.f("fk_submission_corrects_id_submission")),
        sa.ForeignKeyConstraint(["deadline_id"], ["deadline.id"], name=op.f("fk_submission_deadline_id_deadline")),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_submission_recall_number_recall")),
        sa.ForeignKeyConstraint(["signature_id"], ["signature.id"], name=op.f("fk_submission_signature_id_signature")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission")),
        sa.UniqueConstraint(
            "recall_number", "subject", "version", name=op.f("uq_submission_recall_number_subject_version")
        ),
        sa.UniqueConstraint("request", name=op.f("uq_submission_request")),
    )
    op.create_index("ix_submission_deadline", "submission", ["deadline_id"])
    op.create_table(
        "submission_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(12), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(200), nullable=True),
        sa.Column("detail", sa.String(500), nullable=True),
        sa.Column("at", instant, nullable=False),
        sa.Column("by", sa.String(120), nullable=False),
        sa.CheckConstraint(
            "step IN ('handed_over', 'acknowledged', 'refused', 'failed')",
            name=op.f("ck_submission_event_step_known"),
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name=op.f("fk_submission_event_submission_id_submission")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission_event")),
        sa.UniqueConstraint(
            "submission_id", "step", "attempt", name=op.f("uq_submission_event_submission_id_step_attempt")
        ),
    )
    op.create_index("ix_submission_event_submission", "submission_event", ["submission_id"])
    _on_the_role(f"REVOKE UPDATE, DELETE, TRUNCATE ON {', '.join(APPEND_ONLY)} FROM recall_app")


def downgrade() -> None:
    op.drop_table("submission_event")
    op.drop_table("submission")
    op.drop_table("document_fields")
