"""facts that branches of a policy look at, values of products, responsible people, places of clocks

Revision: 0008, after: 0007

A responsibility is ended by its last day, never deleted: who was asked at the time stays on record.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


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
    op.add_column(
        "recall", sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False)
    )
    op.add_column(
        "recall", sa.Column("places", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False)
    )
    op.add_column("deadline", sa.Column("stopped_by", sa.String(120), nullable=True))
    op.add_column("product", sa.Column("unit_value", sa.Numeric(20, 6), nullable=True))
    op.add_column("product", sa.Column("unit_currency", sa.String(3), nullable=True))
    op.create_check_constraint(
        op.f("ck_product_value_has_currency"), "product", "(unit_value IS NULL) = (unit_currency IS NULL)"
    )
    op.create_check_constraint(op.f("ck_product_value_not_negative"), "product", "unit_value >= 0")
    op.create_check_constraint(op.f("ck_product_currency_iso_4217"), "product", "unit_currency ~ '^[A-Z]{3}$'")
    op.create_table(
        "responsibility",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("role", sa.String(24), nullable=False),
        sa.Column("product", sa.String(120), nullable=True),
        sa.Column("country", sa.String(2), nullable=True),
        sa.Column("region", sa.String(120), nullable=True),
        sa.Column("principal", sa.String(120), nullable=False),
        sa.Column("stand_in", sa.String(120), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_by", sa.String(120), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name=op.f("ck_responsibility_country_iso2")),
        sa.CheckConstraint(
            "region IS NULL OR country IS NOT NULL", name=op.f("ck_responsibility_region_within_country")
        ),
        sa.CheckConstraint("stand_in <> principal", name=op.f("ck_responsibility_stand_in_is_another")),
        sa.CheckConstraint("valid_from <= valid_to", name=op.f("ck_responsibility_days_in_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_responsibility")),
    )
    op.create_index("ix_responsibility_role", "responsibility", ["role", "valid_from"])
    _on_the_role("REVOKE DELETE, TRUNCATE ON responsibility FROM recall_app")


def downgrade() -> None:
    """Back."""
    op.drop_table("responsibility")
    for name in ("value_has_currency", "value_not_negative", "currency_iso_4217"):
        op.drop_constraint(op.f(f"ck_product_{name}"), "product", type_="check")
    op.drop_column("product", "unit_currency")
    op.drop_column("product", "unit_value")
    op.drop_column("deadline", "stopped_by")
    op.drop_column("recall", "places")
    op.drop_column("recall", "facts")
