"""append-only records, role grants, and the recall number sequence

Revision: 0002, after: 0001

What is evidence (audit events, sign-offs, class decisions, replies, provider events) may be inserted and read by
the application's role, never changed; the audit refuses even its owner by trigger.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = (
    "audit_event",
    "class_decision",
    "clock_start",
    "delivery_event",
    "hazard_evaluation",
    "inbound_message",
    "notice_body",
    "passed_on",
    "pinned_policy",
    "refused_access",
    "reply",
    "reply_line",
    "sign_off",
)


def upgrade() -> None:
    op.execute("CREATE SEQUENCE recall_number_seq")
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    # The grants hold only where the role exists: a server that runs everything as one role keeps the triggers.
    op.execute(
        f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                GRANT USAGE ON SCHEMA public TO recall_app;
                GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO recall_app;
                GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO recall_app;
                ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO recall_app;
                ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO recall_app;
                REVOKE UPDATE, DELETE, TRUNCATE ON {", ".join(APPEND_ONLY)} FROM recall_app;
                REVOKE DELETE ON audit_head FROM recall_app;
                REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM recall_app;
            END IF;
        END $$
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER audit_event_no_truncate ON audit_event")
    op.execute("DROP TRIGGER audit_event_append_only ON audit_event")
    op.execute("DROP FUNCTION refuse_change()")
    op.execute("DROP SEQUENCE recall_number_seq")
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM recall_app;
                ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM recall_app;
                REVOKE ALL ON ALL TABLES IN SCHEMA public FROM recall_app;
                REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM recall_app;
                REVOKE USAGE ON SCHEMA public FROM recall_app;
            END IF;
        END $$
        """
    )
