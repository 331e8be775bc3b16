"""What becomes of the goods: shortage, allocation, retained samples, dispositions, returns, costs."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString


def create_shortage() -> None:
    op.create_table(
        "shortage",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("used", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_by", sa.String(length=120), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_reason", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(["consignee_id"], ["consignee.id"], name=op.f("fk_shortage_consignee_id_consignee")),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_shortage_product_id_product")),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_shortage_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shortage")),
        sa.UniqueConstraint(
            "recall_number",
            "consignee_id",
            "product_id",
            name=op.f("uq_shortage_recall_number_consignee_id_product_id"),
        ),
    )


def drop_shortage() -> None:
    op.drop_table("shortage")


def create_disposition() -> None:
    op.create_table(
        "disposition",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=True),
        sa.Column("consignee_id", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("done", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("request", sa.String(length=120), nullable=False),
        sa.Column("proposed_by", sa.String(length=120), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(length=120), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.String(length=2000), nullable=True),
        sa.CheckConstraint(
            "kind IN ('return_to_us', 'return_to_factory', 'rework', 'field_correction', "
            "'destroy', 'replace', 'release')",
            name=op.f("ck_disposition_kind_known"),
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'approved', 'done', 'rejected', 'withdrawn')",
            name=op.f("ck_disposition_state_known"),
        ),
        sa.CheckConstraint("num_nonnulls(location_id, consignee_id) = 1", name=op.f("ck_disposition_one_place")),
        sa.CheckConstraint(
            "quantity > 0 AND done >= 0 AND done <= quantity", name=op.f("ck_disposition_quantity_possible")
        ),
        sa.ForeignKeyConstraint(["consignee_id"], ["consignee.id"], name=op.f("fk_disposition_consignee_id_consignee")),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name=op.f("fk_disposition_location_id_location")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_disposition_lot_id_lot")),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_disposition_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disposition")),
        sa.UniqueConstraint("recall_number", "sequence", name=op.f("uq_disposition_recall_number_sequence")),
    )
    op.create_index(
        "ix_disposition_lot", "disposition", ["recall_number", "lot_id", "location_id", "consignee_id"], unique=False
    )
    op.create_index("ix_disposition_request", "disposition", ["request"], unique=False)


def drop_disposition() -> None:
    op.drop_index("ix_disposition_request", table_name="disposition")
    op.drop_index("ix_disposition_lot", table_name="disposition")
    op.drop_table("disposition")


def create_retained_sample() -> None:
    op.create_table(
        "retained_sample",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("request", sa.String(length=120), nullable=False),
        sa.Column("recorded_by", sa.String(length=120), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_by", sa.String(length=120), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_reference", sa.String(length=200), nullable=True),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_retained_sample_positive")),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name=op.f("fk_retained_sample_location_id_location")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_retained_sample_lot_id_lot")),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_retained_sample_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retained_sample")),
        sa.UniqueConstraint("request", name=op.f("uq_retained_sample_request")),
    )


def drop_retained_sample() -> None:
    op.drop_table("retained_sample")


def create_allocation() -> None:
    op.create_table(
        "allocation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("shortage_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(length=120), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("document_no", sa.String(length=80), nullable=True),
        sa.Column("shipped_by", sa.String(length=120), nullable=True),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("movement_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('proposed', 'approved', 'rejected', 'shipped', 'void')", name=op.f("ck_allocation_state_known")
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_allocation_positive")),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name=op.f("fk_allocation_location_id_location")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_allocation_lot_id_lot")),
        sa.ForeignKeyConstraint(["movement_id"], ["movement.id"], name=op.f("fk_allocation_movement_id_movement")),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_allocation_recall_number_recall")),
        sa.ForeignKeyConstraint(["shortage_id"], ["shortage.id"], name=op.f("fk_allocation_shortage_id_shortage")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocation")),
    )
    op.create_index("ix_allocation_lot", "allocation", ["lot_id", "location_id"], unique=False)
    op.create_index("ix_allocation_recall", "allocation", ["recall_number", "state"], unique=False)


def drop_allocation() -> None:
    op.drop_index("ix_allocation_recall", table_name="allocation")
    op.drop_index("ix_allocation_lot", table_name="allocation")
    op.drop_table("allocation")


def create_cost_entry() -> None:
    op.create_table(
        "cost_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("disposition_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("reverses_id", sa.BigInteger(), nullable=True),
        sa.Column("request", sa.String(length=120), nullable=False),
        sa.Column("booked_by", sa.String(length=120), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_cost_entry_currency_iso_4217")),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_cost_entry_not_zero")),
        sa.ForeignKeyConstraint(
            ["disposition_id"], ["disposition.id"], name=op.f("fk_cost_entry_disposition_id_disposition")
        ),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_cost_entry_recall_number_recall")),
        sa.ForeignKeyConstraint(["reverses_id"], ["cost_entry.id"], name=op.f("fk_cost_entry_reverses_id_cost_entry")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cost_entry")),
        sa.UniqueConstraint("request", name=op.f("uq_cost_entry_request")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_cost_entry_reverses_id")),
    )
    op.create_index("ix_cost_entry_recall", "cost_entry", ["recall_number", "id"], unique=False)


def drop_cost_entry() -> None:
    op.drop_index("ix_cost_entry_recall", table_name="cost_entry")
    op.drop_table("cost_entry")


def create_disposition_part() -> None:
    op.create_table(
        "disposition_part",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("disposition_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("document_no", sa.String(length=80), nullable=True),
        sa.Column("witness", sa.String(length=200), nullable=True),
        sa.Column("result_lot_id", sa.BigInteger(), nullable=True),
        sa.Column("movement_id", sa.BigInteger(), nullable=True),
        sa.Column("request", sa.String(length=120), nullable=False),
        sa.Column("done_by", sa.String(length=120), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_disposition_part_positive")),
        sa.ForeignKeyConstraint(
            ["disposition_id"], ["disposition.id"], name=op.f("fk_disposition_part_disposition_id_disposition")
        ),
        sa.ForeignKeyConstraint(
            ["movement_id"], ["movement.id"], name=op.f("fk_disposition_part_movement_id_movement")
        ),
        sa.ForeignKeyConstraint(["result_lot_id"], ["lot.id"], name=op.f("fk_disposition_part_result_lot_id_lot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disposition_part")),
        sa.UniqueConstraint("disposition_id", "request", name=op.f("uq_disposition_part_disposition_id_request")),
        sa.UniqueConstraint("disposition_id", "sequence", name=op.f("uq_disposition_part_disposition_id_sequence")),
    )


def drop_disposition_part() -> None:
    op.drop_table("disposition_part")


def create_goods_return() -> None:
    op.create_table(
        "goods_return",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", AutoString(), nullable=False),
        sa.Column("consignee_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("document_no", sa.String(length=80), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
        sa.Column("part_id", sa.BigInteger(), nullable=True),
        sa.Column("request", sa.String(length=120), nullable=False),
        sa.Column("counted_by", sa.String(length=120), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_goods_return_positive")),
        sa.ForeignKeyConstraint(
            ["consignee_id"], ["consignee.id"], name=op.f("fk_goods_return_consignee_id_consignee")
        ),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name=op.f("fk_goods_return_location_id_location")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_goods_return_lot_id_lot")),
        sa.ForeignKeyConstraint(["movement_id"], ["movement.id"], name=op.f("fk_goods_return_movement_id_movement")),
        sa.ForeignKeyConstraint(
            ["part_id"], ["disposition_part.id"], name=op.f("fk_goods_return_part_id_disposition_part")
        ),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_goods_return_recall_number_recall")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_goods_return")),
        sa.UniqueConstraint("request", name=op.f("uq_goods_return_request")),
    )
    op.create_index("ix_goods_return_consignee", "goods_return", ["consignee_id", "lot_id"], unique=False)
    op.create_index("ix_goods_return_recall", "goods_return", ["recall_number", "id"], unique=False)


def drop_goods_return() -> None:
    op.drop_index("ix_goods_return_recall", table_name="goods_return")
    op.drop_index("ix_goods_return_consignee", table_name="goods_return")
    op.drop_table("goods_return")
