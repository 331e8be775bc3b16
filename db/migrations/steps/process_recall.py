"""The recall: versions of its scope, complaints, links of evidence, effectiveness, answers of authorities."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel.sql.sqltypes import AutoString


def create_authority_answer() -> None:
    op.create_table(
        "authority_answer",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("jurisdiction", sa.String(length=20), nullable=False),
        sa.Column("answer", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.String(length=2000), nullable=True),
        sa.Column("recorded_by", sa.String(length=120), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "answer IN ('terminated','more_ordered','no_authority')", name=op.f("ck_authority_answer_answer_known")
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_authority_answer_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authority_answer")),
    )
    op.create_index(op.f("ix_authority_answer_recall_number"), "authority_answer", ["recall_number"], unique=False)


def drop_authority_answer() -> None:
    op.drop_index(op.f("ix_authority_answer_recall_number"), table_name="authority_answer")
    op.drop_table("authority_answer")


def create_effectiveness_round() -> None:
    op.create_table(
        "effectiveness_round",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(length=1), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("depth", sa.String(length=16), nullable=False),
        sa.Column("seed", sa.String(length=64), nullable=False),
        sa.Column("population", sa.Integer(), nullable=False),
        sa.Column("sample_size", sa.Integer(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("candidates", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=True),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("level IN ('A','B','C','D','E')", name=op.f("ck_effectiveness_round_level_known")),
        sa.CheckConstraint("outcome IN ('passed','failed')", name=op.f("ck_effectiveness_round_outcome_known")),
        sa.CheckConstraint("sample_size BETWEEN 0 AND population", name=op.f("ck_effectiveness_round_sample_possible")),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_effectiveness_round_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_effectiveness_round")),
        sa.UniqueConstraint("recall_number", "sequence", name=op.f("uq_effectiveness_round_recall_number_sequence")),
    )


def drop_effectiveness_round() -> None:
    op.drop_table("effectiveness_round")


def create_scope_version() -> None:
    op.create_table(
        "scope_version",
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("change", sa.String(length=8), nullable=False),
        sa.Column("criteria", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("excluded_lots", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=True),
        sa.Column("decided_by", sa.String(length=120), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("change IN ('initial','expand','reduce')", name=op.f("ck_scope_version_change_known")),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_scope_version_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("recall_number", "version", name=op.f("pk_scope_version")),
    )


def drop_scope_version() -> None:
    op.drop_table("scope_version")


def create_evidence_link() -> None:
    op.create_table(
        "evidence_link",
        sa.Column("evidence_id", sa.Uuid(), nullable=False),
        sa.Column("subject", AutoString(length=80), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("linked_by", sa.String(length=120), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name=op.f("fk_evidence_link_evidence_id_evidence")),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_evidence_link_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("evidence_id", "subject", name=op.f("pk_evidence_link")),
    )
    op.create_index("ix_evidence_link_subject", "evidence_link", ["recall_number", "subject"], unique=False)


def drop_evidence_link() -> None:
    op.drop_index("ix_evidence_link_subject", table_name="evidence_link")
    op.drop_table("evidence_link")


def create_effectiveness_check() -> None:
    op.create_table(
        "effectiveness_check",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("round_id", sa.BigInteger(), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=True),
        sa.Column("person", sa.String(length=200), nullable=True),
        sa.Column("received", sa.Boolean(), nullable=True),
        sa.Column("understood", sa.Boolean(), nullable=True),
        sa.Column("acted", sa.Boolean(), nullable=True),
        sa.Column("found", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("why", sa.String(length=500), nullable=True),
        sa.Column("checked_by", sa.String(length=120), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request", sa.String(length=120), nullable=True),
        sa.CheckConstraint(
            "method IN ('visit','phone','letter','email','record')", name=op.f("ck_effectiveness_check_method_known")
        ),
        sa.CheckConstraint(
            "state IN ('pending','done','no_response','void')", name=op.f("ck_effectiveness_check_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["consignee_id"], ["consignee.id"], name=op.f("fk_effectiveness_check_consignee_id_consignee")
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["effectiveness_round.id"], name=op.f("fk_effectiveness_check_round_id_effectiveness_round")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_effectiveness_check")),
        sa.UniqueConstraint("round_id", "consignee_id", name=op.f("uq_effectiveness_check_round_id_consignee_id")),
    )
    op.create_index("ix_effectiveness_check_consignee", "effectiveness_check", ["consignee_id"], unique=False)


def drop_effectiveness_check() -> None:
    op.drop_index("ix_effectiveness_check_consignee", table_name="effectiveness_check")
    op.drop_table("effectiveness_check")


def create_complaint() -> None:
    op.create_table(
        "complaint",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=True),
        sa.Column("reply_id", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("awareness_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("patients", sa.Integer(), nullable=True),
        sa.Column("description", sa.String(length=4000), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=True),
        sa.Column("product_line", sa.String(length=120), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("recorded_by", sa.String(length=120), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paged", sa.String(length=120), nullable=True),
        sa.Column("taken_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(length=120), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=2000), nullable=True),
        sa.Column("form_id", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "severity IN ('death', 'serious', 'other', 'unknown')", name=op.f("ck_complaint_severity_known")
        ),
        sa.CheckConstraint("state IN ('open', 'evaluated', 'closed')", name=op.f("ck_complaint_state_known")),
        sa.ForeignKeyConstraint(["consignee_id"], ["consignee.id"], name=op.f("fk_complaint_consignee_id_consignee")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_complaint_lot_id_lot")),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_complaint_recall_number_recall")),
        sa.ForeignKeyConstraint(["reply_id"], ["reply.id"], name=op.f("fk_complaint_reply_id_reply")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint")),
        sa.UniqueConstraint("form_id", name=op.f("uq_complaint_form_id")),
        sa.UniqueConstraint("recall_number", "sequence", name=op.f("uq_complaint_recall_number_sequence")),
        sa.UniqueConstraint("reply_id", name=op.f("uq_complaint_reply_id")),
    )
    op.create_index("ix_complaint_recall", "complaint", ["recall_number", "state"], unique=False)


def drop_complaint() -> None:
    op.drop_index("ix_complaint_recall", table_name="complaint")
    op.drop_table("complaint")
