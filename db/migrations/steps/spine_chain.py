"""The chain of supply: lots, what was made of what, where it moved, serials and stock."""

import sqlalchemy as sa
from alembic import op


def create_lot() -> None:
    op.create_table(
        "lot",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(length=80), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=True),
        sa.Column("supplier_lot", sa.String(length=80), nullable=True),
        sa.Column("made_on", sa.Date(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("quantity_made", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_lot_batch_id_import_batch")),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_lot_product_id_product")),
        sa.ForeignKeyConstraint(["site_id"], ["location.id"], name=op.f("fk_lot_site_id_location")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot")),
        sa.UniqueConstraint(
            "product_id",
            "number",
            "site_id",
            name=op.f("uq_lot_product_id_number_site_id"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(op.f("ix_lot_batch_id"), "lot", ["batch_id"], unique=False)
    op.create_index("ix_lot_number", "lot", ["number"], unique=False)
    op.create_index("ix_lot_site", "lot", ["site_id"], unique=False)
    op.create_index("ix_lot_supplier_lot", "lot", ["supplier_lot"], unique=False)


def drop_lot() -> None:
    op.drop_index("ix_lot_supplier_lot", table_name="lot")
    op.drop_index("ix_lot_site", table_name="lot")
    op.drop_index("ix_lot_number", table_name="lot")
    op.drop_index(op.f("ix_lot_batch_id"), table_name="lot")
    op.drop_table("lot")


def create_lot_genealogy() -> None:
    op.create_table(
        "lot_genealogy",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("input_lot_id", sa.BigInteger(), nullable=False),
        sa.Column("output_lot_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("source_system", sa.String(length=60), nullable=False),
        sa.Column("source_id", sa.String(length=120), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_lot_genealogy_positive")),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_lot_genealogy_batch_id_import_batch")),
        sa.ForeignKeyConstraint(["input_lot_id"], ["lot.id"], name=op.f("fk_lot_genealogy_input_lot_id_lot")),
        sa.ForeignKeyConstraint(["output_lot_id"], ["lot.id"], name=op.f("fk_lot_genealogy_output_lot_id_lot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot_genealogy")),
        sa.UniqueConstraint("source_system", "source_id", name=op.f("uq_lot_genealogy_source_system_source_id")),
    )
    op.create_index(op.f("ix_lot_genealogy_batch_id"), "lot_genealogy", ["batch_id"], unique=False)
    op.create_index("ix_lot_genealogy_input", "lot_genealogy", ["input_lot_id", "output_lot_id"], unique=False)
    op.create_index("ix_lot_genealogy_output", "lot_genealogy", ["output_lot_id", "input_lot_id"], unique=False)


def drop_lot_genealogy() -> None:
    op.drop_index("ix_lot_genealogy_output", table_name="lot_genealogy")
    op.drop_index("ix_lot_genealogy_input", table_name="lot_genealogy")
    op.drop_index(op.f("ix_lot_genealogy_batch_id"), table_name="lot_genealogy")
    op.drop_table("lot_genealogy")


def create_movement() -> None:
    op.create_table(
        "movement",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=True),
        sa.Column("from_location_id", sa.BigInteger(), nullable=True),
        sa.Column("to_location_id", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document_no", sa.String(length=80), nullable=True),
        sa.Column("source_system", sa.String(length=60), nullable=False),
        sa.Column("source_id", sa.String(length=120), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('receipt', 'shipment', 'consumption', 'return', 'destruction', 'adjustment')",
            name=op.f("ck_movement_kind_known"),
        ),
        sa.CheckConstraint(
            "quantity <> 0 AND (quantity > 0 OR kind = 'adjustment')", name=op.f("ck_movement_quantity_sign")
        ),
        sa.CheckConstraint(
            "from_location_id IS NOT NULL OR to_location_id IS NOT NULL", name=op.f("ck_movement_somewhere")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_movement_batch_id_import_batch")),
        sa.ForeignKeyConstraint(
            ["from_location_id"], ["location.id"], name=op.f("fk_movement_from_location_id_location")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_movement_lot_id_lot")),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_movement_product_id_product")),
        sa.ForeignKeyConstraint(["to_location_id"], ["location.id"], name=op.f("fk_movement_to_location_id_location")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_movement")),
        sa.UniqueConstraint("source_system", "source_id", name=op.f("uq_movement_source_system_source_id")),
    )
    op.create_index("ix_movement_batch", "movement", ["batch_id"], unique=False)
    op.create_index("ix_movement_document", "movement", ["document_no"], unique=False)
    op.create_index("ix_movement_from", "movement", ["from_location_id"], unique=False)
    op.create_index(
        "ix_movement_lot",
        "movement",
        ["lot_id", "kind"],
        unique=False,
        postgresql_include=["from_location_id", "to_location_id", "quantity"],
    )
    op.create_index(
        "ix_movement_no_lot",
        "movement",
        ["product_id", "occurred_at"],
        unique=False,
        postgresql_where=sa.text("lot_id IS NULL"),
    )
    op.create_index("ix_movement_to", "movement", ["to_location_id", "product_id", "occurred_at"], unique=False)


def drop_movement() -> None:
    op.drop_index("ix_movement_to", table_name="movement")
    op.drop_index("ix_movement_no_lot", table_name="movement", postgresql_where=sa.text("lot_id IS NULL"))
    op.drop_index(
        "ix_movement_lot", table_name="movement", postgresql_include=["from_location_id", "to_location_id", "quantity"]
    )
    op.drop_index("ix_movement_from", table_name="movement")
    op.drop_index("ix_movement_document", table_name="movement")
    op.drop_index("ix_movement_batch", table_name="movement")
    op.drop_table("movement")


def create_serial() -> None:
    op.create_table(
        "serial",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(length=80), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_serial_batch_id_import_batch")),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name=op.f("fk_serial_location_id_location")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_serial_lot_id_lot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_serial")),
        sa.UniqueConstraint("lot_id", "number", name=op.f("uq_serial_lot_id_number")),
    )
    op.create_index(op.f("ix_serial_batch_id"), "serial", ["batch_id"], unique=False)


def drop_serial() -> None:
    op.drop_index(op.f("ix_serial_batch_id"), table_name="serial")
    op.drop_table("serial")


def create_stock() -> None:
    op.create_table(
        "stock",
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("on_hand", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("reserved", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("held", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("held <= on_hand AND reserved <= on_hand", name=op.f("ck_stock_within_on_hand")),
        sa.CheckConstraint("on_hand >= 0 AND reserved >= 0 AND held >= 0", name=op.f("ck_stock_not_negative")),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_stock_batch_id_import_batch")),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name=op.f("fk_stock_location_id_location")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_stock_lot_id_lot")),
        sa.PrimaryKeyConstraint("lot_id", "location_id", name=op.f("pk_stock")),
    )
    op.create_index("ix_stock_batch", "stock", ["batch_id"], unique=False)
    op.create_index("ix_stock_location", "stock", ["location_id"], unique=False)


def drop_stock() -> None:
    op.drop_index("ix_stock_location", table_name="stock")
    op.drop_index("ix_stock_batch", table_name="stock")
    op.drop_table("stock")


def create_stock_before() -> None:
    op.create_table(
        "stock_before",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("on_hand", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("reserved", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prior_batch_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_stock_before_batch_id_import_batch")),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name=op.f("fk_stock_before_location_id_location")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_stock_before_lot_id_lot")),
        sa.ForeignKeyConstraint(
            ["prior_batch_id"], ["import_batch.id"], name=op.f("fk_stock_before_prior_batch_id_import_batch")
        ),
        sa.PrimaryKeyConstraint("batch_id", "lot_id", "location_id", name=op.f("pk_stock_before")),
    )
    op.create_index("ix_stock_before_prior_batch", "stock_before", ["prior_batch_id"], unique=False)


def drop_stock_before() -> None:
    op.drop_index("ix_stock_before_prior_batch", table_name="stock_before")
    op.drop_table("stock_before")


def create_stock_claim() -> None:
    op.create_table(
        "stock_claim",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("claimant", sa.String(length=40), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.String(length=12), nullable=False),
        sa.Column("document_no", sa.String(length=80), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_stock_claim_positive")),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name=op.f("fk_stock_claim_location_id_location")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_stock_claim_lot_id_lot")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_stock_claim")),
    )
    op.create_index(
        "ix_stock_claim_open",
        "stock_claim",
        ["lot_id", "location_id"],
        unique=False,
        postgresql_where=sa.text("released_at IS NULL"),
    )


def drop_stock_claim() -> None:
    op.drop_index("ix_stock_claim_open", table_name="stock_claim", postgresql_where=sa.text("released_at IS NULL"))
    op.drop_table("stock_claim")
