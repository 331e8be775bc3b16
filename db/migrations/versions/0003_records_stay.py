"""the application's role deletes no record of a recall

Revision: 0003, after: 0002

Rows that change while a recall runs (holds, tasks, deliveries, evidence bound to its recall) are never removed: the
application's role keeps the right to change them and loses the right to delete them. The head of an audit chain is
repeated here for databases made before 0002 named it, and moves forward only, one event at a time.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEPT = (
    "audit_head",
    "campaign",
    "consignee",
    "consignee_lot",
    "deadline",
    "delivery",
    "evidence",
    "hold",
    "import_batch",
    "notice",
    "recall",
    "scope_lot",
    "stock_claim",
    "task",
)


def _on_the_role(statement: str) -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN {statement}; END IF;
        END $$
        """
    )


def upgrade() -> None:
    _on_the_role(f"REVOKE DELETE ON {', '.join(KEPT)} FROM recall_app")
    op.execute(
        """
        CREATE FUNCTION refuse_jump() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.stream IS DISTINCT FROM OLD.stream OR NEW.seq <> OLD.seq + 1 THEN
                RAISE EXCEPTION 'the head of an audit chain moves by one event: % to % refused', OLD.seq, NEW.seq
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER audit_head_forward_only BEFORE UPDATE ON audit_head FOR EACH ROW EXECUTE FUNCTION refuse_jump()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER audit_head_forward_only ON audit_head")
    op.execute("DROP FUNCTION refuse_jump()")
    _on_the_role(f"GRANT DELETE ON {', '.join(KEPT[1:])} TO recall_app")
