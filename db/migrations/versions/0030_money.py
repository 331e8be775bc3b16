"""what a cost belongs to, exchange rates, the account mapping, journals that balance

Revision: 0030, after: 0029

A journal is written once, by one statement for all its lines: after each statement the database checks that debits
equal credits per currency and that there are as many lines as the journal says, so no line is ever added to a closed
one.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from db.migrations.steps import file_deletion

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_MONEY = sa.Numeric(18, 4)
_COLUMNS = (
    ("lot_id", sa.BigInteger(), "lot"),
    ("consignee_id", sa.BigInteger(), "consignee"),
    ("location_id", sa.BigInteger(), "location"),
    ("cause", sa.String(24), None),
    ("quantity", sa.Numeric(20, 6), None),
    ("document_no", sa.String(80), None),
    ("company", sa.String(120), None),
    ("jurisdiction", sa.String(40), None),
    ("source_key", sa.String(160), None),
)
_GUARD = """
    DO $$ BEGIN
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
            {statements}
        END IF;
    END $$
"""
_CHECK = """
CREATE FUNCTION journals_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT j.id, line.currency INTO wrong FROM journal j JOIN journal_line line ON line.journal_id = j.id
    WHERE j.id IN (SELECT journal_id FROM added)
    GROUP BY j.id, line.currency
    HAVING sum(line.amount) FILTER (WHERE line.side = 'debit')
        IS DISTINCT FROM sum(line.amount) FILTER (WHERE line.side = 'credit')
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal %: debit and credit differ in %', wrong.id, wrong.currency
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT j.id INTO wrong FROM journal j
    WHERE j.id IN (SELECT journal_id FROM added)
      AND j.line_count <> (SELECT count(*) FROM journal_line line WHERE line.journal_id = j.id)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal % is closed with another number of lines', wrong.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""
_WHOLE = """
CREATE FUNCTION journal_has_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.line_count <> (SELECT count(*) FROM journal_line WHERE journal_id = NEW.id) THEN
        RAISE EXCEPTION 'journal % lacks lines', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""
_OF_FILE = (
    (
        "journal_line",
        "journal_line.cost_entry_id IN (SELECT cost_entry.id FROM cost_entry WHERE cost_entry.recall_number = p_number)"
        " OR journal_line.journal_id IN (SELECT journal.id FROM journal WHERE journal.recall_number = p_number)",
    ),
    ("journal", "journal.recall_number = p_number"),
)


def upgrade() -> None:
    _entries()
    _rates_and_rules()
    _journals()
    op.execute(_CHECK)
    op.execute(_WHOLE)
    op.execute(
        "CREATE TRIGGER journal_line_balance AFTER INSERT ON journal_line REFERENCING NEW TABLE AS added"
        " FOR EACH STATEMENT EXECUTE FUNCTION journals_balance()"
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER journal_whole AFTER INSERT ON journal DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION journal_has_lines()"
    )
    for table in ("journal", "journal_line"):
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        _GUARD.format(
            statements="REVOKE UPDATE, DELETE, TRUNCATE ON exchange_rate, journal, journal_line, account_rule"
            " FROM recall_app; GRANT UPDATE (state, decided_by, decided_at, decision_reason) ON account_rule"
            " TO recall_app;"
        )
    )
    file_deletion.join(*_OF_FILE)


def _entries() -> None:
    for name, kind, target in _COLUMNS:
        op.add_column("cost_entry", sa.Column(name, kind, nullable=True))
        if target is not None:
            op.create_foreign_key(op.f(f"fk_cost_entry_{name}_{target}"), "cost_entry", target, [name], ["id"])
    op.add_column("cost_entry", sa.Column("incurred_on", sa.Date(), nullable=True))
    op.add_column("cost_entry", sa.Column("source", sa.String(10), nullable=True))
    op.execute("UPDATE cost_entry SET incurred_on = (booked_at AT TIME ZONE 'UTC')::date, source = 'hand'")
    op.alter_column("cost_entry", "incurred_on", nullable=False)
    op.alter_column("cost_entry", "source", nullable=False)
    op.create_check_constraint(
        op.f("ck_cost_entry_source_known"), "cost_entry", "source IN ('hand', 'import', 'proposal')"
    )
    op.create_check_constraint(
        op.f("ck_cost_entry_one_site"), "cost_entry", "num_nonnulls(consignee_id, location_id) <= 1"
    )
    op.create_check_constraint(op.f("ck_cost_entry_quantity_positive"), "cost_entry", "quantity > 0")
    op.create_unique_constraint(
        op.f("uq_cost_entry_recall_number_source_key"), "cost_entry", ["recall_number", "source_key"]
    )


def _rates_and_rules() -> None:
    op.create_table(
        "exchange_rate",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("base", sa.String(3), nullable=False),
        sa.Column("rate", sa.Numeric(20, 10), nullable=False),
        sa.Column("valid_on", sa.Date(), nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("request", sa.String(120), nullable=False),
        sa.Column("recorded_by", sa.String(120), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "currency ~ '^[A-Z]{3}$' AND base ~ '^[A-Z]{3}$' AND currency <> base",
            name=op.f("ck_exchange_rate_two_currencies"),
        ),
        sa.CheckConstraint("rate > 0", name=op.f("ck_exchange_rate_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_rate")),
        sa.UniqueConstraint("request", name=op.f("uq_exchange_rate_request")),
    )
    op.create_index("ix_exchange_rate_pair", "exchange_rate", ["currency", "base", "valid_on"])
    op.create_table(
        "account_rule",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("company", sa.String(120), nullable=True),
        sa.Column("jurisdiction", sa.String(40), nullable=True),
        sa.Column("family", sa.String(120), nullable=True),
        sa.Column("debit", sa.String(40), nullable=True),
        sa.Column("credit", sa.String(40), nullable=True),
        sa.Column("cost_centre", sa.String(40), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("request", sa.String(120), nullable=False),
        sa.Column("proposed_by", sa.String(120), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(120), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.String(500), nullable=True),
        sa.CheckConstraint(
            "kind IN ('labour', 'logistics', 'destruction', 'replacement', 'credit', 'fines', 'material', 'rework',"
            " 'other')",
            name=op.f("ck_account_rule_kind_known"),
        ),
        sa.CheckConstraint("state IN ('proposed', 'approved', 'rejected')", name=op.f("ck_account_rule_state_known")),
        sa.CheckConstraint(
            "(debit IS NULL) = (credit IS NULL) AND debit <> credit", name=op.f("ck_account_rule_two_accounts")
        ),
        sa.CheckConstraint("valid_until >= valid_from", name=op.f("ck_account_rule_validity")),
        sa.CheckConstraint(
            "state <> 'approved' OR lower(trim(decided_by)) <> lower(trim(proposed_by))",
            name=op.f("ck_account_rule_four_eyes"),
        ),
        sa.CheckConstraint(
            "(state = 'proposed') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)",
            name=op.f("ck_account_rule_decided_whole"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_rule")),
        sa.UniqueConstraint("request", name=op.f("uq_account_rule_request")),
    )
    op.create_index("ix_account_rule_kind", "account_rule", ["kind", "valid_from"])


def _journals() -> None:
    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recall_number", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("totals", JSONB(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("left_open", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(500), nullable=True),
        sa.Column("request", sa.String(120), nullable=False),
        sa.Column("closed_by", sa.String(120), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("line_count >= 2 AND line_count % 2 = 0", name=op.f("ck_journal_pairs")),
        sa.ForeignKeyConstraint(["recall_number"], ["recall.number"], name=op.f("fk_journal_recall_number_recall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
        sa.UniqueConstraint("request", name=op.f("uq_journal_request")),
        sa.UniqueConstraint("recall_number", "sequence", name=op.f("uq_journal_recall_number_sequence")),
    )
    op.create_table(
        "journal_line",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journal_id", sa.BigInteger(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("cost_entry_id", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.String(6), nullable=False),
        sa.Column("account", sa.String(40), nullable=False),
        sa.Column("cost_centre", sa.String(40), nullable=True),
        sa.Column("amount", _MONEY, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=True),
        sa.Column("posted_on", sa.Date(), nullable=False),
        sa.Column("document_no", sa.String(80), nullable=True),
        sa.CheckConstraint("side IN ('debit', 'credit')", name=op.f("ck_journal_line_side_known")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_journal_line_positive")),
        sa.ForeignKeyConstraint(["journal_id"], ["journal.id"], name=op.f("fk_journal_line_journal_id_journal")),
        sa.ForeignKeyConstraint(
            ["cost_entry_id"], ["cost_entry.id"], name=op.f("fk_journal_line_cost_entry_id_cost_entry")
        ),
        sa.ForeignKeyConstraint(["rule_id"], ["account_rule.id"], name=op.f("fk_journal_line_rule_id_account_rule")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_line")),
        sa.UniqueConstraint("journal_id", "line_no", name=op.f("uq_journal_line_journal_id_line_no")),
        sa.UniqueConstraint("cost_entry_id", "side", name=op.f("uq_journal_line_cost_entry_id_side")),
    )


def downgrade() -> None:
    file_deletion.leave(*_OF_FILE)
    op.drop_table("journal_line")
    op.drop_table("journal")
    op.execute("DROP FUNCTION journals_balance()")
    op.execute("DROP FUNCTION journal_has_lines()")
    op.drop_table("account_rule")
    op.drop_table("exchange_rate")
    op.drop_constraint(op.f("uq_cost_entry_recall_number_source_key"), "cost_entry")
    for name in ("source_known", "one_site", "quantity_positive"):
        op.drop_constraint(op.f(f"ck_cost_entry_{name}"), "cost_entry")
    for name in ("source", "incurred_on"):
        op.drop_column("cost_entry", name)
    for name, _, _ in reversed(_COLUMNS):
        op.drop_column("cost_entry", name)
