"""goods documents of our own ledger, who stopped them, and the ledger's feed of changes

Revision: 0029, after: 0028
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db.migrations.steps import file_deletion

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_OF_FILE = ("goods_document_block", "claimant = p_number")
_KINDS = "'movements', 'genealogy', 'products', 'partners', 'contacts', 'stock'"


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def _ref(table: str, name: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([name], [f"{target}.id"], name=op.f(f"fk_{table}_{name}_{target}"))


def _ids(*names: str, nullable: bool) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=nullable) for name in names]


def upgrade() -> None:
    _kinds(f"{_KINDS}, 'documents'")
    _document()
    _line()
    _before()
    _block()
    _change()
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE DELETE, TRUNCATE ON goods_document_block, ledger_change FROM recall_app;
                REVOKE UPDATE ON ledger_change FROM recall_app;
            END IF;
        END $$
        """
    )
    file_deletion.join(_OF_FILE)


def downgrade() -> None:
    file_deletion.leave(_OF_FILE)
    for table in ("ledger_change", "goods_document_block", "goods_document_before", "goods_document_line"):
        op.drop_table(table)
    op.drop_table("goods_document")
    op.execute("DELETE FROM import_batch WHERE kind = 'documents'")
    _kinds(_KINDS)


def _kinds(known: str) -> None:
    op.drop_constraint(op.f("ck_import_batch_kind_known"), "import_batch", type_="check")
    op.create_check_constraint(op.f("ck_import_batch_kind_known"), "import_batch", f"kind IN ({known})")


def _document() -> None:
    name = "goods_document"
    op.create_table(
        name,
        _id(),
        sa.Column("source_system", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("number", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        *_ids("from_location_id", "to_location_id", "partner_id", "carrier_id", nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expected_at", sa.DateTime(timezone=True), nullable=True),
        *_ids("batch_id", nullable=True),
        sa.CheckConstraint(
            "kind IN ('order', 'pick', 'shipment', 'receipt', 'return')", name=op.f("ck_goods_document_kind_known")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'blocked', 'cancelled', 'done')", name=op.f("ck_goods_document_state_known")
        ),
        sa.CheckConstraint(
            "from_location_id IS NOT NULL OR to_location_id IS NOT NULL", name=op.f("ck_goods_document_somewhere")
        ),
        _ref(name, "from_location_id", "location"),
        _ref(name, "to_location_id", "location"),
        _ref(name, "partner_id", "partner"),
        _ref(name, "carrier_id", "partner"),
        _ref(name, "batch_id", "import_batch"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_goods_document")),
        sa.UniqueConstraint(
            "source_system", "kind", "number", name=op.f("uq_goods_document_source_system_kind_number")
        ),
    )
    op.create_index("ix_goods_document_number", name, ["number"])
    op.create_index("ix_goods_document_batch", name, ["batch_id"])


def _line() -> None:
    name = "goods_document_line"
    op.create_table(
        name,
        _id(),
        *_ids("document_id", "product_id", nullable=False),
        *_ids("lot_id", nullable=True),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("source_system", sa.String(length=60), nullable=False),
        sa.Column("source_id", sa.String(length=120), nullable=False),
        *_ids("batch_id", nullable=True),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_goods_document_line_positive")),
        _ref(name, "document_id", "goods_document"),
        _ref(name, "product_id", "product"),
        _ref(name, "lot_id", "lot"),
        _ref(name, "batch_id", "import_batch"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_goods_document_line")),
        sa.UniqueConstraint(
            "source_system", "source_id", name=op.f("uq_goods_document_line_source_system_source_id")
        ),
    )
    op.create_index("ix_goods_document_line_document", name, ["document_id"])
    op.create_index("ix_goods_document_line_lot", name, ["lot_id"])
    op.create_index(
        "ix_goods_document_line_no_lot", name, ["product_id"], postgresql_where=sa.text("lot_id IS NULL")
    )
    op.create_index("ix_goods_document_line_batch", name, ["batch_id"])


def _before() -> None:
    name = "goods_document_before"
    op.create_table(
        name,
        _id(),
        *_ids("batch_id", "document_id", nullable=False),
        *_ids("line_id", "prior_batch_id", nullable=True),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _ref(name, "batch_id", "import_batch"),
        _ref(name, "document_id", "goods_document"),
        _ref(name, "line_id", "goods_document_line"),
        _ref(name, "prior_batch_id", "import_batch"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_goods_document_before")),
        sa.UniqueConstraint(
            "batch_id",
            "document_id",
            "line_id",
            name=op.f("uq_goods_document_before_batch_id_document_id_line_id"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("ix_goods_document_before_prior", name, ["prior_batch_id"])


def _block() -> None:
    name = "goods_document_block"
    op.create_table(
        name,
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("claimant", sa.String(length=40), nullable=False),
        *_ids("document_id", nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        _ref(name, "document_id", "goods_document"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_goods_document_block")),
    )
    op.create_index(
        "ix_goods_document_block_open", name, ["document_id"], postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_index("ix_goods_document_block_claimant", name, ["claimant"])


def _change() -> None:
    name = "ledger_change"
    op.create_table(
        name,
        _id(),
        *_ids("xid", nullable=False),
        *_ids("lot_id", "location_id", nullable=True),
        sa.Column("what", sa.String(length=10), nullable=False),
        *_ids("batch_id", nullable=True),
        _ref(name, "batch_id", "import_batch"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_change")),
    )
    op.create_index("ix_ledger_change_order", name, ["xid", "id"])
