"""CAPAs for several recalls and without one, and what comes again after they were closed

Revision: 0037, after: 0036
"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from db.migrations.steps import file_deletion

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_OF_FILE = (
    (
        "capa_nonconformity",
        "capa_nonconformity.capa_id IN (SELECT capa.id FROM capa WHERE capa.recall_number = p_number)",
    ),
)


def upgrade() -> None:
    op.create_table(
        "capa_nonconformity",
        sa.Column("capa_id", sa.BigInteger(), nullable=False),
        sa.Column("nonconformity_number", AutoString(), nullable=False),
        sa.Column("linked_by", sa.String(length=120), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["capa_id"], ["capa.id"], name=op.f("fk_capa_nonconformity_capa_id_capa")),
        sa.ForeignKeyConstraint(
            ["nonconformity_number"],
            ["nonconformity.number"],
            name=op.f("fk_capa_nonconformity_nonconformity_number_nonconformity"),
        ),
        sa.PrimaryKeyConstraint("capa_id", "nonconformity_number", name=op.f("pk_capa_nonconformity")),
    )
    op.create_index("ix_capa_nonconformity_nc", "capa_nonconformity", ["nonconformity_number"], unique=False)
    op.add_column("capa", sa.Column("file_number", AutoString(), nullable=True))
    op.add_column("capa", sa.Column("merged_into_id", sa.BigInteger(), nullable=True))
    op.add_column("capa", sa.Column("merged_by", sa.String(length=120), nullable=True))
    op.add_column("capa", sa.Column("merged_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("capa", sa.Column("merge_reason", sa.String(length=2000), nullable=True))
    op.add_column("capa", sa.Column("watch_days", sa.Integer(), server_default="365", nullable=False))
    op.add_column("capa", sa.Column("recurrence_allowed", sa.Integer(), server_default="0", nullable=False))
    op.add_column("capa", sa.Column("recurrences", sa.Integer(), server_default="0", nullable=False))
    op.alter_column("capa", "recall_number", existing_type=sa.VARCHAR(), nullable=True)
    op.create_index(
        "ix_capa_merged_into",
        "capa",
        ["merged_into_id"],
        unique=False,
        postgresql_where=sa.text("merged_into_id IS NOT NULL"),
    )
    op.create_unique_constraint(op.f("uq_capa_file_number"), "capa", ["file_number"])
    op.create_foreign_key(op.f("fk_capa_file_number_quality_file"), "capa", "quality_file", ["file_number"], ["number"])
    op.create_foreign_key(op.f("fk_capa_merged_into_id_capa"), "capa", "capa", ["merged_into_id"], ["id"])
    op.add_column("idempotency_key", sa.Column("file_number", sa.String(length=14), nullable=True))
    op.drop_constraint(op.f("ck_capa_state_known"), "capa", type_="check")
    op.create_check_constraint(
        op.f("ck_capa_state_known"),
        "capa",
        "state IN ('investigation', 'planning', 'implementation', 'verification', 'effective', 'closed', 'merged')",
    )
    op.create_check_constraint(op.f("ck_capa_of_one_file"), "capa", "num_nonnulls(recall_number, file_number) = 1")
    op.create_check_constraint(
        op.f("ck_capa_merged_into_one"), "capa", "(state = 'merged') = (merged_into_id IS NOT NULL)"
    )
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE UPDATE, DELETE, TRUNCATE ON capa_nonconformity FROM recall_app;
            END IF;
        END $$
        """
    )

    file_deletion.join(*_OF_FILE)


def downgrade() -> None:
    file_deletion.leave(*_OF_FILE)
    op.drop_column("idempotency_key", "file_number")
    op.drop_constraint(op.f("fk_capa_merged_into_id_capa"), "capa", type_="foreignkey")
    op.drop_constraint(op.f("fk_capa_file_number_quality_file"), "capa", type_="foreignkey")
    op.drop_constraint(op.f("uq_capa_file_number"), "capa", type_="unique")
    op.drop_index("ix_capa_merged_into", table_name="capa", postgresql_where=sa.text("merged_into_id IS NOT NULL"))
    op.alter_column("capa", "recall_number", existing_type=sa.VARCHAR(), nullable=False)
    op.drop_column("capa", "recurrences")
    op.drop_column("capa", "recurrence_allowed")
    op.drop_column("capa", "watch_days")
    op.drop_column("capa", "merge_reason")
    op.drop_column("capa", "merged_at")
    op.drop_column("capa", "merged_by")
    op.drop_column("capa", "merged_into_id")
    op.drop_column("capa", "file_number")
    op.drop_index("ix_capa_nonconformity_nc", table_name="capa_nonconformity")
    op.drop_table("capa_nonconformity")
