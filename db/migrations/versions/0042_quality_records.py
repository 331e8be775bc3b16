"""what was measured of lots and of the way they went: inspections, production parameters, readings of devices

Revision: 0042, after: 0041
"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_KINDS = "'movements', 'genealogy', 'products', 'partners', 'contacts', 'stock', 'documents', 'serials'"
_MEASURES = "'temperature', 'humidity', 'pressure', 'shock', 'light', 'other'"


def upgrade() -> None:
    _import_kinds(f"{_KINDS}, 'inspections', 'parameters', 'readings'")
    _measurement()
    _series()
    # A batch that is reversed takes its rows away; nothing else does, and nothing changes them.
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE UPDATE, TRUNCATE ON lot_measurement, sensor_reading FROM recall_app;
            END IF;
        END $$
        """
    )


def downgrade() -> None:
    for table in ("sensor_excursion", "sensor_reading", "sensor_series", "lot_measurement"):
        op.drop_table(table)
    op.execute("DELETE FROM import_batch WHERE kind IN ('inspections', 'parameters', 'readings')")
    _import_kinds(_KINDS)


def _import_kinds(known: str) -> None:
    op.drop_constraint(op.f("ck_import_batch_kind_known"), "import_batch")
    op.create_check_constraint(op.f("ck_import_batch_kind_known"), "import_batch", f"kind IN ({known})")


def _measurement() -> None:
    op.create_table(
        "lot_measurement",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("stage", sa.String(12), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(120), nullable=True),
        sa.Column("characteristic", sa.String(200), nullable=False),
        _number("result"),
        sa.Column("result_text", sa.String(200), nullable=True),
        _number("lower"),
        _number("upper"),
        sa.Column("unit", sa.String(40), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("out_of_limits", sa.Boolean(), nullable=False),
        sa.Column("document_no", sa.String(80), nullable=True),
        _instant("measured_at", nullable=False),
        sa.Column("source_system", sa.String(60), nullable=False),
        sa.Column("source_id", sa.String(120), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "stage IN ('incoming', 'in_process', 'final', 'parameter')", name=op.f("ck_lot_measurement_stage_known")
        ),
        sa.CheckConstraint("lower <= upper", name=op.f("ck_lot_measurement_limits_ordered")),
        sa.CheckConstraint(
            "out_of_limits = (coalesce(result < lower, false) OR coalesce(result > upper, false))",
            name=op.f("ck_lot_measurement_out_of_limits_follows"),
        ),
        _refers("lot_measurement", "lot_id", "lot"),
        _refers("lot_measurement", "batch_id", "import_batch"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot_measurement")),
        sa.UniqueConstraint("source_system", "source_id", name=op.f("uq_lot_measurement_source_system_source_id")),
    )
    op.create_index("ix_lot_measurement_lot", "lot_measurement", ["lot_id"])
    op.create_index("ix_lot_measurement_batch", "lot_measurement", ["batch_id"])


def _series() -> None:
    op.create_table(
        "sensor_series",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_system", sa.String(60), nullable=False),
        sa.Column("device", sa.String(120), nullable=False),
        sa.Column("measure", sa.String(12), nullable=False),
        sa.Column("document_no", sa.String(80), nullable=True),
        sa.Column("location_id", sa.BigInteger(), nullable=True),
        sa.Column("unit", sa.String(40), nullable=False),
        _number("lower"),
        _number("upper"),
        sa.Column("readings", sa.Integer(), nullable=False),
        _instant("first_at"),
        _instant("last_at"),
        sa.Column("longest_gap_s", sa.Integer(), nullable=True),
        _number("least"),
        _number("most"),
        sa.Column("mean_kinetic_c", sa.Float(), nullable=True),
        sa.CheckConstraint(f"measure IN ({_MEASURES})", name=op.f("ck_sensor_series_measure_known")),
        sa.CheckConstraint(
            "document_no IS NOT NULL OR location_id IS NOT NULL", name=op.f("ck_sensor_series_of_something")
        ),
        sa.CheckConstraint(
            "measure <> 'temperature' OR unit IN ('C', 'F', 'K')", name=op.f("ck_sensor_series_temperature_unit")
        ),
        sa.CheckConstraint("lower <= upper", name=op.f("ck_sensor_series_limits_ordered")),
        _refers("sensor_series", "location_id", "location"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensor_series")),
        sa.UniqueConstraint(
            *("source_system", "device", "measure", "document_no", "location_id"),
            name="uq_sensor_series",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("ix_sensor_series_document", "sensor_series", ["document_no"])
    op.create_index("ix_sensor_series_location", "sensor_series", ["location_id"])
    op.create_table(
        "sensor_reading",
        sa.Column("series_id", sa.BigInteger(), nullable=False),
        _instant("at", nullable=False),
        _number("value", nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        _refers("sensor_reading", "series_id", "sensor_series"),
        _refers("sensor_reading", "batch_id", "import_batch"),
        sa.PrimaryKeyConstraint("series_id", "at", name=op.f("pk_sensor_reading")),
    )
    op.create_index("ix_sensor_reading_batch", "sensor_reading", ["batch_id"], postgresql_using="brin")
    op.create_table(
        "sensor_excursion",
        sa.Column("series_id", sa.BigInteger(), nullable=False),
        _instant("starts_at", nullable=False),
        _instant("ends_at", nullable=False),
        sa.Column("side", sa.String(5), nullable=False),
        _number("peak", nullable=False),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.CheckConstraint("side IN ('above', 'below')", name=op.f("ck_sensor_excursion_side_known")),
        _refers("sensor_excursion", "series_id", "sensor_series"),
        sa.PrimaryKeyConstraint("series_id", "starts_at", name=op.f("pk_sensor_excursion")),
    )


def _number(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.Numeric(20, 6), nullable=nullable)


def _instant(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"))
