"""inspections before a release, authorities that watch destructions, samples that are evidence of harm

Revision: 0032, after: 0031
"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from db.migrations.steps import file_deletion

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_OF_FILE = (
    ("lot_inspection", "lot_inspection.recall_number = p_number"),
    ("destruction_supervision", "destruction_supervision.recall_number = p_number"),
)


def upgrade() -> None:
    op.create_table(
        "lot_inspection",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("criterion", sa.String(length=500), nullable=False),
        sa.Column("sampled", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("report_no", sa.String(length=120), nullable=False),
        sa.Column("inspected_by", sa.String(length=200), nullable=False),
        sa.Column("inspected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request", sa.String(length=120), nullable=False),
        sa.Column("recorded_by", sa.String(length=120), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("sampled > 0", name=op.f("ck_lot_inspection_sampled_positive")),
        sa.CheckConstraint(
            "kind IN ('visual', 'functional', 'laboratory', 'documents')", name=op.f("ck_lot_inspection_kind_known")
        ),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_lot_inspection_recall_number_recall")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_lot_inspection_lot_id_lot")),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name=op.f("fk_lot_inspection_location_id_location")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot_inspection")),
        sa.UniqueConstraint("request", name=op.f("uq_lot_inspection_request")),
    )
    op.create_index("ix_lot_inspection_lot", "lot_inspection", ["recall_number", "lot_id"])
    op.create_table(
        "destruction_supervision",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("jurisdiction", sa.String(length=20), nullable=False),
        sa.Column("step", sa.String(length=12), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("office", sa.String(length=200), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("note", sa.String(length=2000), nullable=True),
        sa.Column("signature_id", sa.Uuid(), nullable=True),
        sa.Column("request", sa.String(length=120), nullable=False),
        sa.Column("recorded_by", sa.String(length=120), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "step IN ('told', 'appointment', 'waiver')", name=op.f("ck_destruction_supervision_step_known")
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_destruction_supervision_recall_number_recall")
        ),
        sa.ForeignKeyConstraint(
            ["signature_id"], ["signature.id"], name=op.f("fk_destruction_supervision_signature_id_signature")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destruction_supervision")),
        sa.UniqueConstraint("request", name=op.f("uq_destruction_supervision_request")),
    )
    op.create_index(
        "ix_destruction_supervision_recall", "destruction_supervision", ["recall_number", "jurisdiction"]
    )
    op.add_column("disposition_part", sa.Column("authority_witness", sa.String(length=200), nullable=True))
    op.add_column("retained_sample", sa.Column("complaint", sa.Integer(), nullable=True))
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE UPDATE, DELETE, TRUNCATE ON lot_inspection, destruction_supervision FROM recall_app;
            END IF;
        END $$
        """
    )
    file_deletion.join(*_OF_FILE)


def downgrade() -> None:
    file_deletion.leave(*_OF_FILE)
    op.drop_column("retained_sample", "complaint")
    op.drop_column("disposition_part", "authority_witness")
    op.drop_table("destruction_supervision")
    op.drop_table("lot_inspection")
