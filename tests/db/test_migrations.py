"""The migrations make exactly what the models say, can be taken back, and leave the application's role its limits."""

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest
from alembic import command
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from db.engine import async_url
from db.migrate import alembic_config, upgrade
from models import tables
from tests.support.servers import PostgresForTests, ThrowAwayPostgres

pytestmark = pytest.mark.db
_names = (f"migrations_{number}" for number in count(1))

EVIDENCE = (
    "audit_event",
    "authority_answer",
    "campaign_remainder",
    "capa_nonconformity",
    "class_decision",
    "class_suggestion",
    "clock_start",
    "consignee_action",
    "consignee_documented",
    "contact_attempt",
    "cost_entry",
    "delivery_event",
    "destruction_supervision",
    "document_fields",
    "evidence_link",
    "exchange_rate",
    "goods_return",
    "hazard_evaluation",
    "hold_check",
    "inbound_message",
    "journal",
    "journal_line",
    "lot_inspection",
    "market_action",
    "market_action_review",
    "nonconformity_link",
    "notice_body",
    "notice_check",
    "notice_text_review",
    "passed_on",
    "patient_follow_up",
    "pinned_policy",
    "refused_access",
    "reply",
    "reply_line",
    "returned_mail",
    "scope_serial",
    "scope_version",
    "sign_off",
    "signature",
    "submission",
    "submission_event",
    "trace_run",
    "trace_run_gap",
    "trace_run_lot",
    "trace_run_site",
    "training_record",
    "webhook_answer",
)
"""What is evidence is only ever added to."""
KEPT = (
    "allocation",
    "campaign",
    "capa",
    "capa_action",
    "capa_entry",
    "complaint",
    "consignee",
    "consignee_case",
    "consignee_lot",
    "deadline",
    "deletion_request",
    "delivery",
    "delivery_inquiry",
    "disposition",
    "disposition_part",
    "effectiveness_check",
    "effectiveness_round",
    "evidence",
    "expert_review",
    "harm_page",
    "hold",
    "import_batch",
    "keeper_disposal",
    "keeper_hold",
    "keeper_lot_status",
    "keeper_shipment",
    "legal_hold",
    "logistics_request",
    "notice",
    "policy_version",
    "provisional_account",
    "recall",
    "recall_document",
    "record_code",
    "responsibility",
    "retained_sample",
    "scope_lot",
    "shortage",
    "signing_account",
    "signing_session",
    "staff_message",
    "stock_claim",
    "supplier_request",
    "task",
)
"""What changes while a recall runs, and stays."""
KEPT_IN_PART = {"supplier_answer": {"accepted", "review_reason", "reviewed_at", "reviewed_by"}}
"""What others gave us, and the columns with our word on it: only these change."""
DERIVED = {"scope_gap", "reply_draft"}
"""What a trace found out, written anew by the next one; an answer begun and not given, deleted when it has served."""


@pytest.fixture
def empty(postgres_server: ThrowAwayPostgres) -> PostgresForTests:
    """A database of its own, without any table."""
    return postgres_server.create_database(next(_names))


def _objects(database: PostgresForTests) -> set[str]:
    """Tables, sequences, functions and types of ours, without Alembic's own table."""
    with psycopg.connect(database.admin_url) as admin:
        found = admin.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname !~ '^alembic_version'"
            " UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " UNION SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace"
            "  AND typname !~ 'alembic_version'"
        )
        return {name for (name,) in found}


def _rights(database: PostgresForTests) -> Iterator[tuple[str, str]]:
    """(table, right) of the application's role."""
    with psycopg.connect(database.admin_url) as admin:
        yield from admin.execute(
            "SELECT table_name, privilege_type FROM information_schema.role_table_grants"
            " WHERE grantee = 'recall_app' AND table_schema = 'public'"
        )


def test_the_migrations_make_what_the_models_say(empty: PostgresForTests) -> None:
    upgrade(empty.owner_url)
    command.check(alembic_config(empty.owner_url))


def test_a_difference_between_models_and_database_is_found(empty: PostgresForTests) -> None:
    upgrade(empty.owner_url)
    with psycopg.connect(empty.owner_url) as owner:
        owner.execute("DROP INDEX ix_recall_phase")
    with pytest.raises(Exception, match="New upgrade operations detected"):
        command.check(alembic_config(empty.owner_url))


def test_everything_can_be_taken_back_and_made_again(empty: PostgresForTests) -> None:
    upgrade(empty.owner_url)
    made, rights = _objects(empty), set(_rights(empty))
    command.downgrade(alembic_config(empty.owner_url), "base")
    assert _objects(empty) == set()
    upgrade(empty.owner_url)
    assert _objects(empty) == made
    assert set(_rights(empty)) == rights


def test_the_application_adds_evidence_and_never_changes_it(postgres: PostgresForTests) -> None:
    rights = set(_rights(postgres))
    for table in EVIDENCE:
        assert {right for name, right in rights if name == table} == {"SELECT", "INSERT"}, table
    assert "TRUNCATE" not in {right for _, right in rights}
    assert {right for name, right in rights if name == "alembic_version"} == {"SELECT"}
    assert {right for name, right in rights if name == "audit_head"} == {"SELECT", "INSERT", "UPDATE"}


def test_the_application_changes_records_of_a_recall_and_never_deletes_them(postgres: PostgresForTests) -> None:
    rights = set(_rights(postgres))
    for table in KEPT:
        assert {right for name, right in rights if name == table} == {"SELECT", "INSERT", "UPDATE"}, table
    for table, columns in KEPT_IN_PART.items():
        assert {right for name, right in rights if name == table} == {"SELECT", "INSERT"}, table
        with psycopg.connect(postgres.admin_url) as admin:
            changed = admin.execute(
                "SELECT column_name FROM information_schema.column_privileges WHERE grantee = 'recall_app'"
                " AND table_name = %s AND privilege_type = 'UPDATE'",
                [table],
            ).fetchall()
        assert {name for (name,) in changed} == columns, table


def test_every_table_that_hangs_on_a_recall_is_evidence_or_kept() -> None:
    """Found by the foreign keys of the models: a new table is thought of here, or this fails."""
    hanging, grown = {"recall"}, True
    while grown:
        more = {
            table.name
            for table in tables.recall.Recall.metadata.sorted_tables
            for key in table.foreign_keys
            if key.column.table.name in hanging
        }
        grown = not more <= hanging
        hanging |= more
    assert hanging - DERIVED - {"recall"} <= {*EVIDENCE, *KEPT, *KEPT_IN_PART}


def test_the_application_makes_no_tables(postgres: PostgresForTests) -> None:
    with psycopg.connect(postgres.app_url) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("CREATE TABLE mine (id int)")


@pytest.mark.parametrize("table", EVIDENCE)
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {}", "UPDATE {} SET {} = {}"])
def test_evidence_is_refused_to_the_application(postgres: PostgresForTests, table: str, statement: str) -> None:
    with psycopg.connect(postgres.app_url) as app:
        first = app.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
            [table],
        ).fetchone()
        assert first is not None, f"no table {table}"
        column = sql.Identifier(first[0])
        query = sql.SQL(statement).format(sql.Identifier(table), column, column)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(query)


def test_a_failed_migration_leaves_nothing_behind(empty: PostgresForTests) -> None:
    with psycopg.connect(empty.owner_url) as owner:
        owner.execute("CREATE TABLE recall (in_the_way int)")
    with pytest.raises(SQLAlchemyError, match="already exists"):
        upgrade(empty.owner_url)
    engine = create_engine(async_url(empty.owner_url))
    with engine.connect() as connection:
        tables = set(connection.dialect.get_table_names(connection, schema="public"))
    engine.dispose()
    assert tables <= {"recall", "alembic_version"}
