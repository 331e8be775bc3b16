"""Consignees that need a person: cases, attempts to reach them, patients, their documented end."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel.sql.sqltypes import AutoString


def create_consignee_case() -> None:
    op.create_table(
        "consignee_case",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=60), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("workflow_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(length=120), nullable=True),
        sa.Column("outcome", sa.String(length=300), nullable=True),
        sa.CheckConstraint(
            "reason IN ('silence', 'bounce', 'refusal', 'statement', "
            "'help', 'out_of_business', 'effectiveness', 'patients')",
            name=op.f("ck_consignee_case_reason_known"),
        ),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_consignee_case_state_known")),
        sa.ForeignKeyConstraint(
            ["consignee_id"], ["consignee.id"], name=op.f("fk_consignee_case_consignee_id_consignee")
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_consignee_case_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consignee_case")),
    )
    op.create_index("ix_consignee_case_consignee", "consignee_case", ["consignee_id"], unique=False)
    op.create_index(
        "ix_consignee_case_open",
        "consignee_case",
        ["recall_number"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "uq_consignee_case_open",
        "consignee_case",
        ["consignee_id", "reason", "subject"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
        postgresql_nulls_not_distinct=True,
    )


def drop_consignee_case() -> None:
    op.drop_index(
        "uq_consignee_case_open",
        table_name="consignee_case",
        postgresql_where=sa.text("state = 'open'"),
        postgresql_nulls_not_distinct=True,
    )
    op.drop_index("ix_consignee_case_open", table_name="consignee_case", postgresql_where=sa.text("state = 'open'"))
    op.drop_index("ix_consignee_case_consignee", table_name="consignee_case")
    op.drop_table("consignee_case")


def create_patient_follow_up() -> None:
    op.create_table(
        "patient_follow_up",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("exposed", sa.Integer(), nullable=False),
        sa.Column("contacted", sa.Integer(), nullable=False),
        sa.Column("monitored", sa.Integer(), nullable=False),
        sa.Column("replaced", sa.Integer(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("stated_by", sa.String(length=200), nullable=True),
        sa.Column("entered_by", sa.String(length=120), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("form_id", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "exposed >= 0 AND contacted >= 0 AND monitored >= 0 AND replaced >= 0 "
            "AND contacted <= exposed AND monitored <= exposed AND replaced <= exposed",
            name=op.f("ck_patient_follow_up_counts_possible"),
        ),
        sa.ForeignKeyConstraint(
            ["consignee_id"], ["consignee.id"], name=op.f("fk_patient_follow_up_consignee_id_consignee")
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_patient_follow_up_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_follow_up")),
        sa.UniqueConstraint("form_id", name=op.f("uq_patient_follow_up_form_id")),
    )
    op.create_index("ix_patient_follow_up_consignee", "patient_follow_up", ["consignee_id", "id"], unique=False)


def drop_patient_follow_up() -> None:
    op.drop_index("ix_patient_follow_up_consignee", table_name="patient_follow_up")
    op.drop_table("patient_follow_up")


def create_contact_attempt() -> None:
    op.create_table(
        "contact_attempt",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=True),
        sa.Column("number", sa.String(length=200), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("note", sa.String(length=2000), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.String(length=120), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("form_id", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "channel IN ('phone', 'visit', 'letter', 'email', 'sms', 'fax')",
            name=op.f("ck_contact_attempt_channel_known"),
        ),
        sa.CheckConstraint(
            "outcome IN ('reached','not_reached','refused','wrong_number','out_of_business','called_back')",
            name=op.f("ck_contact_attempt_outcome_known"),
        ),
        sa.ForeignKeyConstraint(
            ["consignee_id"], ["consignee.id"], name=op.f("fk_contact_attempt_consignee_id_consignee")
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_contact_attempt_recall_number_recall")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_contact_attempt_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_attempt")),
        sa.UniqueConstraint("consignee_id", "channel", "at", name=op.f("uq_contact_attempt_consignee_id_channel_at")),
        sa.UniqueConstraint("form_id", name=op.f("uq_contact_attempt_form_id")),
    )
    op.create_index("ix_contact_attempt_recall", "contact_attempt", ["recall_number", "id"], unique=False)


def drop_contact_attempt() -> None:
    op.drop_index("ix_contact_attempt_recall", table_name="contact_attempt")
    op.drop_table("contact_attempt")


def create_consignee_documented() -> None:
    op.create_table(
        "consignee_documented",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reply_id", sa.BigInteger(), nullable=True),
        sa.Column("account", sa.String(length=4000), nullable=False),
        sa.Column("attempts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("authority_informed", sa.String(length=200), nullable=True),
        sa.Column("signed_by", sa.String(length=120), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("form_id", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "(kind = 'settled') = (reply_id IS NOT NULL)", name=op.f("ck_consignee_documented_settled_names_its_reply")
        ),
        sa.CheckConstraint(
            "kind IN ('no_response','refused','out_of_business','settled')",
            name=op.f("ck_consignee_documented_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["consignee_id"], ["consignee.id"], name=op.f("fk_consignee_documented_consignee_id_consignee")
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_consignee_documented_recall_number_recall")
        ),
        sa.ForeignKeyConstraint(["reply_id"], ["reply.id"], name=op.f("fk_consignee_documented_reply_id_reply")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consignee_documented")),
        sa.UniqueConstraint("form_id", name=op.f("uq_consignee_documented_form_id")),
    )
    op.create_index(
        op.f("ix_consignee_documented_consignee_id"), "consignee_documented", ["consignee_id"], unique=False
    )


def drop_consignee_documented() -> None:
    op.drop_index(op.f("ix_consignee_documented_consignee_id"), table_name="consignee_documented")
    op.drop_table("consignee_documented")
