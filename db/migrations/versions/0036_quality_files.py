"""files of quality: nonconformities with their lots, links and codes; tasks, messages and evidence of theirs

Revision: 0036, after: 0035
"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from db.migrations.steps import file_deletion

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_OF_FILE = (
    (
        "record_code",
        "record_code.capa_id IN (SELECT capa.id FROM capa WHERE capa.recall_number = p_number) OR"
        " record_code.complaint_id IN (SELECT complaint.id FROM complaint WHERE complaint.recall_number = p_number)",
    ),
    ("nonconformity_link", "nonconformity_link.recall_number = p_number"),
)


def upgrade() -> None:
    op.create_table(
        "code_list",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("version", sa.String(length=60), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("loaded_by", sa.String(length=120), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("terms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_list")),
        sa.UniqueConstraint("sha256", name=op.f("uq_code_list_sha256")),
        sa.UniqueConstraint("valid_from", name=op.f("uq_code_list_valid_from")),
    )
    op.create_table(
        "quality_file",
        sa.Column("number", sa.String(length=14), nullable=False),
        sa.Column("kind", sa.String(length=2), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("pace", sa.Float(), nullable=False),
        sa.Column("started_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('NC', 'CA', 'SC')", name=op.f("ck_quality_file_kind_known")),
        sa.CheckConstraint("number ~ '^(NC|CA|SC)-[0-9]{4}-[0-9]{6}$'", name=op.f("ck_quality_file_number_format")),
        sa.CheckConstraint("pace >= 1", name=op.f("ck_quality_file_pace_at_least_real_time")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_quality_file")),
    )
    op.create_table(
        "code_term",
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("annex", sa.String(length=1), nullable=False),
        sa.Column("parent", sa.String(length=12), nullable=True),
        sa.Column("term", sa.String(length=300), nullable=False),
        sa.Column("definition", sa.String(length=4000), nullable=True),
        sa.Column("fda_code", sa.String(length=12), nullable=True),
        sa.Column("first_list_id", sa.BigInteger(), nullable=False),
        sa.Column("last_list_id", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("annex IN ('A','B','C','D','E','F','G')", name=op.f("ck_code_term_annex_known")),
        sa.ForeignKeyConstraint(["first_list_id"], ["code_list.id"], name=op.f("fk_code_term_first_list_id_code_list")),
        sa.ForeignKeyConstraint(["last_list_id"], ["code_list.id"], name=op.f("fk_code_term_last_list_id_code_list")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_code_term")),
    )
    op.create_index("ix_code_term_annex", "code_term", ["annex", "code"], unique=False)
    op.create_index(
        "ix_code_term_open", "code_term", ["code"], unique=False, postgresql_where=sa.text("retired_at IS NULL")
    )
    op.create_table(
        "nonconformity",
        sa.Column("number", AutoString(), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=True),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("description", sa.String(length=4000), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=True),
        sa.Column("supplier_id", sa.BigInteger(), nullable=True),
        sa.Column("detected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detected_by", sa.String(length=120), nullable=False),
        sa.Column("recorded_by", sa.String(length=120), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("containment", sa.String(length=2000), nullable=True),
        sa.Column("investigation", sa.String(length=8000), nullable=True),
        sa.Column("investigated_by", sa.String(length=120), nullable=True),
        sa.Column("investigated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("conclusion", sa.String(length=4000), nullable=True),
        sa.Column("closed_by", sa.String(length=120), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closing_signature_id", sa.String(length=64), nullable=True),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "detected_at <= recorded_at + interval '5 minutes'", name=op.f("ck_nonconformity_not_detected_in_future")
        ),
        sa.CheckConstraint("severity IN ('critical', 'major', 'minor')", name=op.f("ck_nonconformity_severity_known")),
        sa.CheckConstraint(
            "source IN ('incoming', 'process', 'final', 'complaint', 'audit', 'found_stock', 'hold_verification', 'transport', 'recall_hold')",
            name=op.f("ck_nonconformity_source_known"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'investigated', 'decided', 'closed')", name=op.f("ck_nonconformity_state_known")
        ),
        sa.ForeignKeyConstraint(["number"], ["quality_file.number"], name=op.f("fk_nonconformity_number_quality_file")),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_nonconformity_product_id_product")),
        sa.ForeignKeyConstraint(["site_id"], ["location.id"], name=op.f("fk_nonconformity_site_id_location")),
        sa.ForeignKeyConstraint(["supplier_id"], ["partner.id"], name=op.f("fk_nonconformity_supplier_id_partner")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_nonconformity")),
    )
    op.create_index("ix_nonconformity_state", "nonconformity", ["state", "number"], unique=False)
    op.create_table(
        "nonconformity_link",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("nonconformity_number", AutoString(), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=True),
        sa.Column("linked_by", sa.String(length=120), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('hold', 'led_to', 'related')", name=op.f("ck_nonconformity_link_kind_known")),
        sa.ForeignKeyConstraint(
            ["nonconformity_number"],
            ["nonconformity.number"],
            name=op.f("fk_nonconformity_link_nonconformity_number_nonconformity"),
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_nonconformity_link_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nonconformity_link")),
        sa.UniqueConstraint(
            "nonconformity_number",
            "recall_number",
            name=op.f("uq_nonconformity_link_nonconformity_number_recall_number"),
        ),
    )
    op.create_index("ix_nonconformity_link_recall", "nonconformity_link", ["recall_number"], unique=False)
    op.create_table(
        "nonconformity_lot",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("nonconformity_number", AutoString(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("disposition", sa.String(length=12), nullable=True),
        sa.Column("justification", sa.String(length=4000), nullable=True),
        sa.Column("decided_by", sa.String(length=120), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_signature_id", sa.String(length=64), nullable=True),
        sa.Column("second_by", sa.String(length=120), nullable=True),
        sa.Column("second_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("second_signature_id", sa.String(length=64), nullable=True),
        sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "disposition IN ('use_as_is', 'rework', 'scrap', 'return')",
            name=op.f("ck_nonconformity_lot_disposition_known"),
        ),
        sa.CheckConstraint(
            "(disposition IS NULL) = (decided_by IS NULL) AND (disposition IS NULL) = (justification IS NULL)",
            name=op.f("ck_nonconformity_lot_decided_whole"),
        ),
        sa.CheckConstraint(
            "quantity IS NULL OR quantity >= 0", name=op.f("ck_nonconformity_lot_quantity_not_negative")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_nonconformity_lot_lot_id_lot")),
        sa.ForeignKeyConstraint(
            ["nonconformity_number"],
            ["nonconformity.number"],
            name=op.f("fk_nonconformity_lot_nonconformity_number_nonconformity"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nonconformity_lot")),
        sa.UniqueConstraint(
            "nonconformity_number", "lot_id", name=op.f("uq_nonconformity_lot_nonconformity_number_lot_id")
        ),
    )
    op.create_index("ix_nonconformity_lot_lot", "nonconformity_lot", ["lot_id"], unique=False)
    op.create_table(
        "record_code",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("nonconformity_number", AutoString(), nullable=True),
        sa.Column("complaint_id", sa.BigInteger(), nullable=True),
        sa.Column("capa_id", sa.BigInteger(), nullable=True),
        sa.Column("code", AutoString(), nullable=False),
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("coded_by", sa.String(length=120), nullable=False),
        sa.Column("coded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(nonconformity_number, complaint_id, capa_id) = 1", name=op.f("ck_record_code_of_one_record")
        ),
        sa.ForeignKeyConstraint(["capa_id"], ["capa.id"], name=op.f("fk_record_code_capa_id_capa")),
        sa.ForeignKeyConstraint(["code"], ["code_term.code"], name=op.f("fk_record_code_code_code_term")),
        sa.ForeignKeyConstraint(["complaint_id"], ["complaint.id"], name=op.f("fk_record_code_complaint_id_complaint")),
        sa.ForeignKeyConstraint(["list_id"], ["code_list.id"], name=op.f("fk_record_code_list_id_code_list")),
        sa.ForeignKeyConstraint(
            ["nonconformity_number"],
            ["nonconformity.number"],
            name=op.f("fk_record_code_nonconformity_number_nonconformity"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_code")),
        sa.UniqueConstraint(
            "nonconformity_number",
            "complaint_id",
            "capa_id",
            "code",
            name="uq_record_code",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("ix_record_code_code", "record_code", ["code"], unique=False)
    op.add_column("evidence", sa.Column("file_number", AutoString(), nullable=True))
    op.create_index(
        "ix_evidence_file",
        "evidence",
        ["file_number"],
        unique=False,
        postgresql_where=sa.text("file_number IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_evidence_file_number_quality_file"), "evidence", "quality_file", ["file_number"], ["number"]
    )
    op.add_column("evidence_link", sa.Column("file_number", AutoString(), nullable=True))
    op.alter_column("evidence_link", "recall_number", existing_type=sa.VARCHAR(), nullable=True)
    op.create_index(
        "ix_evidence_link_file",
        "evidence_link",
        ["file_number", "subject"],
        unique=False,
        postgresql_where=sa.text("file_number IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_evidence_link_file_number_quality_file"), "evidence_link", "quality_file", ["file_number"], ["number"]
    )
    op.add_column("staff_message", sa.Column("file_number", AutoString(), nullable=True))
    op.alter_column("staff_message", "recall_number", existing_type=sa.VARCHAR(), nullable=True)
    op.create_index(
        "ix_staff_message_file",
        "staff_message",
        ["file_number", "id"],
        unique=False,
        postgresql_where=sa.text("file_number IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_staff_message_file_number_quality_file"), "staff_message", "quality_file", ["file_number"], ["number"]
    )
    op.add_column("task", sa.Column("file_number", AutoString(), nullable=True))
    op.alter_column("task", "recall_number", existing_type=sa.VARCHAR(), nullable=True)
    op.create_unique_constraint(op.f("uq_task_file_number_key"), "task", ["file_number", "key"])
    op.create_foreign_key(op.f("fk_task_file_number_quality_file"), "task", "quality_file", ["file_number"], ["number"])
    for table in ("task", "staff_message", "evidence_link"):
        op.create_check_constraint(
            op.f(f"ck_{table}_of_one_file"), table, "num_nonnulls(recall_number, file_number) = 1"
        )
    op.execute("CREATE SEQUENCE quality_number_seq")
    # Records stay: the application closes files and never deletes one.
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                GRANT USAGE ON SEQUENCE quality_number_seq TO recall_app;
                REVOKE DELETE, TRUNCATE ON quality_file, nonconformity, nonconformity_lot, nonconformity_link,
                    code_list, code_term, record_code FROM recall_app;
                REVOKE UPDATE ON nonconformity_link, code_list FROM recall_app;
            END IF;
        END $$
        """
    )

    file_deletion.join(*_OF_FILE)


def downgrade() -> None:
    file_deletion.leave(*_OF_FILE)
    op.execute("DROP SEQUENCE quality_number_seq")
    op.drop_constraint(op.f("fk_task_file_number_quality_file"), "task", type_="foreignkey")
    op.drop_constraint(op.f("uq_task_file_number_key"), "task", type_="unique")
    op.alter_column("task", "recall_number", existing_type=sa.VARCHAR(), nullable=False)
    op.drop_column("task", "file_number")
    op.drop_constraint(op.f("fk_staff_message_file_number_quality_file"), "staff_message", type_="foreignkey")
    op.drop_index(
        "ix_staff_message_file", table_name="staff_message", postgresql_where=sa.text("file_number IS NOT NULL")
    )
    op.alter_column("staff_message", "recall_number", existing_type=sa.VARCHAR(), nullable=False)
    op.drop_column("staff_message", "file_number")
    op.drop_constraint(op.f("fk_evidence_link_file_number_quality_file"), "evidence_link", type_="foreignkey")
    op.drop_index(
        "ix_evidence_link_file", table_name="evidence_link", postgresql_where=sa.text("file_number IS NOT NULL")
    )
    op.alter_column("evidence_link", "recall_number", existing_type=sa.VARCHAR(), nullable=False)
    op.drop_column("evidence_link", "file_number")
    op.drop_constraint(op.f("fk_evidence_file_number_quality_file"), "evidence", type_="foreignkey")
    op.drop_index("ix_evidence_file", table_name="evidence", postgresql_where=sa.text("file_number IS NOT NULL"))
    op.drop_column("evidence", "file_number")
    op.drop_index("ix_record_code_code", table_name="record_code")
    op.drop_table("record_code")
    op.drop_index("ix_nonconformity_lot_lot", table_name="nonconformity_lot")
    op.drop_table("nonconformity_lot")
    op.drop_index("ix_nonconformity_link_recall", table_name="nonconformity_link")
    op.drop_table("nonconformity_link")
    op.drop_index("ix_nonconformity_state", table_name="nonconformity")
    op.drop_table("nonconformity")
    op.drop_index("ix_code_term_open", table_name="code_term", postgresql_where=sa.text("retired_at IS NULL"))
    op.drop_index("ix_code_term_annex", table_name="code_term")
    op.drop_table("code_term")
    op.drop_table("quality_file")
    op.drop_table("code_list")
