"""Imports and the master data they bring: partners, their contacts and places, products, packages."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql


def create_import_batch() -> None:
    op.create_table(
        "import_batch",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("source_system", sa.String(length=60), nullable=False),
        sa.Column("file_name", sa.String(length=300), nullable=False),
        sa.Column("file_sha256", sa.String(length=64), nullable=False),
        sa.Column("mapping_sha256", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("reversed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reversed_by", sa.String(length=120), nullable=True),
        sa.Column("totals", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "kind IN ('movements', 'genealogy', 'products', 'partners', 'contacts', 'stock')",
            name=op.f("ck_import_batch_kind_known"),
        ),
        sa.CheckConstraint("state IN ('loaded', 'reversed')", name=op.f("ck_import_batch_state_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_batch")),
    )


def drop_import_batch() -> None:
    op.drop_table("import_batch")


def create_partner() -> None:
    op.create_table(
        "partner",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(length=160), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("region", sa.String(length=120), nullable=True),
        sa.Column("language", sa.String(length=12), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("gln", sa.String(length=13), nullable=True),
        sa.Column("onward_of_id", sa.BigInteger(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("country IS NULL OR country ~ '^[A-Z]{2}$'", name=op.f("ck_partner_country_iso2")),
        sa.CheckConstraint("gln ~ '^\\d{13}$'", name=op.f("ck_partner_gln_13_digits")),
        sa.CheckConstraint(
            "kind IN ('supplier', 'manufacturer', 'warehouse', 'logistics', 'distributor', 'hospital', 'regulator')",
            name=op.f("ck_partner_kind_known"),
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_partner_batch_id_import_batch")),
        sa.ForeignKeyConstraint(["onward_of_id"], ["partner.id"], name=op.f("fk_partner_onward_of_id_partner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner")),
        sa.UniqueConstraint("code", name=op.f("uq_partner_code")),
        sa.UniqueConstraint("gln", name=op.f("uq_partner_gln")),
    )
    op.create_index(op.f("ix_partner_batch_id"), "partner", ["batch_id"], unique=False)


def drop_partner() -> None:
    op.drop_index(op.f("ix_partner_batch_id"), table_name="partner")
    op.drop_table("partner")


def create_product() -> None:
    op.create_table(
        "product",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("family", sa.String(length=120), nullable=True),
        sa.Column("brand", sa.String(length=120), nullable=True),
        sa.Column("gtin", sa.String(length=14), nullable=True),
        sa.Column("udi_di", sa.String(length=60), nullable=True),
        sa.Column("unit_of_use", sa.String(length=40), nullable=False),
        sa.Column("device_class", sa.String(length=4), nullable=True),
        sa.Column("implantable", sa.Boolean(), nullable=False),
        sa.Column("life_supporting", sa.Boolean(), nullable=False),
        sa.Column("sterile", sa.Boolean(), nullable=False),
        sa.Column("expected_life_years", sa.Integer(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "device_class IS NULL OR device_class IN ('I','IIa','IIb','II','III')",
            name=op.f("ck_product_device_class_known"),
        ),
        sa.CheckConstraint("gtin ~ '^\\d{14}$'", name=op.f("ck_product_gtin_14_digits")),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_product_batch_id_import_batch")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint("code", name=op.f("uq_product_code")),
        sa.UniqueConstraint("gtin", name=op.f("uq_product_gtin")),
    )
    op.create_index(op.f("ix_product_batch_id"), "product", ["batch_id"], unique=False)
    op.create_index("ix_product_family", "product", ["family"], unique=False)
    op.create_index(op.f("ix_product_udi_di"), "product", ["udi_di"], unique=False)


def drop_product() -> None:
    op.drop_index(op.f("ix_product_udi_di"), table_name="product")
    op.drop_index("ix_product_family", table_name="product")
    op.drop_index(op.f("ix_product_batch_id"), table_name="product")
    op.drop_table("product")


def create_contact() -> None:
    op.create_table(
        "contact",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=80), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("phone", sa.String(length=16), nullable=True),
        sa.Column("channels", postgresql.ARRAY(sa.String(length=10)), nullable=False),
        sa.Column("status", sa.String(length=12), server_default="unverified", nullable=False),
        sa.Column("sms_opted_out_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "channels <@ ARRAY['email','sms']::varchar[] AND cardinality(channels) > 0",
            name=op.f("ck_contact_channels_known"),
        ),
        sa.CheckConstraint("phone ~ '^\\+[1-9][0-9]{6,14}$'", name=op.f("ck_contact_phone_e164")),
        sa.CheckConstraint(
            "status IN ('unverified', 'verified', 'bounced', 'left')", name=op.f("ck_contact_status_known")
        ),
        sa.CheckConstraint("email IS NOT NULL OR phone IS NOT NULL", name=op.f("ck_contact_reachable")),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_contact_batch_id_import_batch")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_contact_partner_id_partner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
        sa.UniqueConstraint("partner_id", "position", name=op.f("uq_contact_partner_id_position")),
    )
    op.create_index(op.f("ix_contact_batch_id"), "contact", ["batch_id"], unique=False)
    op.create_index("ix_contact_phone", "contact", ["phone"], unique=False)


def drop_contact() -> None:
    op.drop_index("ix_contact_phone", table_name="contact")
    op.drop_index(op.f("ix_contact_batch_id"), table_name="contact")
    op.drop_table("contact")


def create_location() -> None:
    op.create_table(
        "location",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(length=160), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("custody", sa.String(length=12), nullable=False),
        sa.Column("gln", sa.String(length=13), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("custody IN ('own', 'logistics', 'customer')", name=op.f("ck_location_custody_known")),
        sa.CheckConstraint("gln ~ '^\\d{13}$'", name=op.f("ck_location_gln_13_digits")),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_location_batch_id_import_batch")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_location_partner_id_partner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_location")),
        sa.UniqueConstraint("code", name=op.f("uq_location_code")),
        sa.UniqueConstraint("gln", name=op.f("uq_location_gln")),
    )
    op.create_index(op.f("ix_location_batch_id"), "location", ["batch_id"], unique=False)
    op.create_index(op.f("ix_location_partner_id"), "location", ["partner_id"], unique=False)


def drop_location() -> None:
    op.drop_index(op.f("ix_location_partner_id"), table_name="location")
    op.drop_index(op.f("ix_location_batch_id"), table_name="location")
    op.drop_table("location")


def create_package_level() -> None:
    op.create_table(
        "package_level",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.String(length=40), nullable=False),
        sa.Column("units_of_use", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("gtin", sa.String(length=14), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("gtin ~ '^\\d{14}$'", name=op.f("ck_package_level_gtin_14_digits")),
        sa.CheckConstraint("units_of_use > 0", name=op.f("ck_package_level_positive")),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_package_level_batch_id_import_batch")),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_package_level_product_id_product")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package_level")),
        sa.UniqueConstraint("gtin", name=op.f("uq_package_level_gtin")),
        sa.UniqueConstraint("product_id", "unit", name=op.f("uq_package_level_product_id_unit")),
    )
    op.create_index(op.f("ix_package_level_batch_id"), "package_level", ["batch_id"], unique=False)


def drop_package_level() -> None:
    op.drop_index(op.f("ix_package_level_batch_id"), table_name="package_level")
    op.drop_table("package_level")
