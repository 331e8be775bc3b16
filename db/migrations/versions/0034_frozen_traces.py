"""frozen results of traces, serialised units in a recall's scope, where a unit was seen

Revision: 0034, after: 0033

`natural_key` is the order of `domain.natural_order`.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db.migrations.steps import file_deletion

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_RUNS = "run_id IN (SELECT trace_run.id FROM trace_run WHERE trace_run.recall_number = p_number)"
_OF_FILE = (
    *((table, f"{table}.{_RUNS}") for table in ("trace_run_site", "trace_run_lot", "trace_run_gap")),
    ("trace_run", "trace_run.recall_number = p_number"),
    ("scope_serial", "scope_serial.recall_number = p_number"),
)

_KINDS = "'movements', 'genealogy', 'products', 'partners', 'contacts', 'stock', 'documents'"
_QUANTITIES = (
    *("shipped_to", "received", "in_transit", "returned_in", "shipped_out", "returned_out", "consumed", "destroyed"),
    *("adjusted", "on_hand"),
)
_APPEND_ONLY = ("trace_run", "trace_run_lot", "trace_run_site", "trace_run_gap", "scope_serial")
_NATURAL_KEY = """
CREATE FUNCTION natural_key(value text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT convert_to(coalesce(string_agg(
        part[1] || CASE WHEN part[2] = '' THEN '' ELSE lpad(length(digits)::text, 3, '0') || digits END,
        '' ORDER BY place), ''), 'UTF8')
    FROM regexp_matches(
        translate(value, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'), '([^0-9]*)([0-9]*)', 'g'
    ) WITH ORDINALITY AS found(part, place)
    CROSS JOIN LATERAL (SELECT ltrim(part[2], '0')) AS run(digits)
$$
"""


def upgrade() -> None:
    op.execute(_NATURAL_KEY)
    _import_kinds(f"{_KINDS}, 'serials'")
    _serials()
    _result()
    op.execute(
        f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE UPDATE, DELETE, TRUNCATE ON {", ".join(_APPEND_ONLY)} FROM recall_app;
            END IF;
        END $$
        """
    )
    file_deletion.join(*_OF_FILE)


def downgrade() -> None:
    file_deletion.leave(*_OF_FILE)
    for table in ("trace_run_gap", "trace_run_site", "trace_run_lot", "trace_run", "scope_serial", "serial_sighting"):
        op.drop_table(table)
    op.drop_column("scope_lot", "by_serial")
    for index in ("ix_serial_location", "ix_serial_number", "ix_serial_natural"):
        op.drop_index(index, "serial")
    op.drop_column("serial", "as_of")
    op.execute("DELETE FROM import_batch WHERE kind = 'serials'")
    _import_kinds(_KINDS)
    op.execute("DROP FUNCTION natural_key(text)")


def _import_kinds(known: str) -> None:
    op.drop_constraint(op.f("ck_import_batch_kind_known"), "import_batch")
    op.create_check_constraint(op.f("ck_import_batch_kind_known"), "import_batch", f"kind IN ({known})")


def _serials() -> None:
    op.add_column("serial", sa.Column("as_of", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_serial_natural", "serial", ["lot_id", sa.text("natural_key(number)")])
    op.create_index("ix_serial_number", "serial", ["number"])
    op.create_index("ix_serial_location", "serial", ["location_id"])
    op.create_table(
        "serial_sighting",
        _key("serial_id"),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        _key("location_id"),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        _refers("serial_sighting", "serial"),
        _refers("serial_sighting", "location"),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_serial_sighting_batch_id_import_batch")
        ),
        sa.PrimaryKeyConstraint("serial_id", "as_of", name=op.f("pk_serial_sighting")),
    )
    op.create_index("ix_serial_sighting_batch", "serial_sighting", ["batch_id"])
    op.add_column("scope_lot", sa.Column("by_serial", sa.Boolean(), server_default="false", nullable=False))
    op.create_table(
        "scope_serial",
        sa.Column("recall_number", sa.String(), nullable=False),
        sa.Column("scope_version", sa.Integer(), nullable=False),
        _key("serial_id"),
        sa.ForeignKeyConstraint(
            ["recall_number"], ["recall.number"], name=op.f("fk_scope_serial_recall_number_recall")
        ),
        _refers("scope_serial", "serial"),
        sa.PrimaryKeyConstraint("recall_number", "scope_version", "serial_id", name=op.f("pk_scope_serial")),
    )
    op.create_index("ix_scope_serial_serial_id", "scope_serial", ["serial_id"])


def _result() -> None:
    op.create_table(
        "trace_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", sa.String(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("scope_version", sa.Integer(), nullable=False),
        sa.Column("traced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("found", postgresql.JSONB(), nullable=False),
        sa.Column("sources", postgresql.JSONB(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_trace_run_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trace_run")),
        sa.UniqueConstraint("recall_number", "run", name=op.f("uq_trace_run_recall_number_run")),
    )
    op.create_table(
        "trace_run_lot",
        *_of_run("trace_run_lot"),
        _key("lot_id"),
        sa.Column("root", sa.Boolean(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("by_serial", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "lot_id", name=op.f("pk_trace_run_lot")),
    )
    op.create_table(
        "trace_run_site",
        *_of_run("trace_run_site"),
        _key("lot_id"),
        _key("location_id"),
        *(sa.Column(name, sa.Numeric(20, 6), nullable=False) for name in _QUANTITIES),
        sa.Column("is_counted", sa.Boolean(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "lot_id", "location_id", name=op.f("pk_trace_run_site")),
    )
    op.create_table(
        "trace_run_gap",
        *_of_run("trace_run_gap"),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "key", name=op.f("pk_trace_run_gap")),
    )


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _refers(table: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([f"{to}_id"], [f"{to}.id"], name=op.f(f"fk_{table}_{to}_id_{to}"))


def _of_run(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    return (
        _key("run_id"),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["trace_run.id"],
            name=op.f(f"fk_{table}_run_id_trace_run"),
            deferrable=True,
            initially="DEFERRED",
        ),
    )

