"""versions of policies under change control

Revision: 0006, after: 0005

A version of a regulation profile is never deleted, and its content is frozen once it has left the state of a draft.
What a recall is pinned to becomes a history: moving a running recall adds a pin, the first one stays on record.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STATES = "'draft', 'reviewed', 'approved', 'in_force', 'superseded', 'withdrawn'"


def _on_the_role(statement: str) -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN {statement}; END IF;
        END $$
        """
    )


def upgrade() -> None:
    _versions()
    op.execute(
        """
        CREATE FUNCTION freeze_policy_version() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.policy_id <> OLD.policy_id OR NEW.version <> OLD.version OR NEW.shipped <> OLD.shipped
               OR (OLD.state <> 'draft' AND (NEW.body <> OLD.body OR NEW.text <> OLD.text OR NEW.sha256 <> OLD.sha256
                                             OR NEW.authored_by <> OLD.authored_by))
            THEN
                RAISE EXCEPTION '% % is frozen: its content was reviewed', OLD.policy_id, OLD.version
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER policy_version_frozen BEFORE UPDATE ON policy_version "
        "FOR EACH ROW EXECUTE FUNCTION freeze_policy_version()"
    )
    op.execute(
        "CREATE TRIGGER policy_version_stays BEFORE DELETE ON policy_version "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    _on_the_role("REVOKE DELETE, TRUNCATE ON policy_version FROM recall_app")
    op.add_column("pinned_policy", sa.Column("move", sa.Integer(), server_default="0", nullable=False))
    op.add_column("pinned_policy", sa.Column("pinned_by", sa.String(120), nullable=True))
    op.drop_constraint("pk_pinned_policy", "pinned_policy", type_="primary")
    op.create_primary_key("pk_pinned_policy", "pinned_policy", ["recall_number", "policy_id", "move"])


def _versions() -> None:
    op.create_table(
        "policy_version",
        sa.Column("policy_id", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("shipped", sa.Boolean(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("note", sa.String(2000), nullable=False),
        sa.Column("based_on", sa.Integer(), nullable=True),
        sa.Column("rollback_to", sa.Integer(), nullable=True),
        sa.Column("authored_by", sa.String(120), nullable=False),
        sa.Column("authored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reviewed_by", sa.String(120), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("review_signature", sa.String(36), nullable=True),
        sa.Column("approved_by", sa.String(120), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approval_signature", sa.String(36), nullable=True),
        sa.Column("activated_by", sa.String(120), nullable=True),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("activation_signature", sa.String(36), nullable=True),
        sa.Column("in_force_from", sa.Date(), nullable=True),
        sa.Column("superseded_from", sa.Date(), nullable=True),
        sa.Column("superseded_by", sa.Integer(), nullable=True),
        sa.Column("withdrawn_by", sa.String(120), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_policy_version_state_known")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_policy_version_version_from_one")),
        sa.CheckConstraint(
            "lower(reviewed_by) <> lower(authored_by)", name=op.f("ck_policy_version_reviewer_is_no_author")
        ),
        sa.CheckConstraint(
            "lower(approved_by) <> lower(authored_by)", name=op.f("ck_policy_version_approver_is_no_author")
        ),
        sa.CheckConstraint(
            "lower(approved_by) <> lower(reviewed_by)", name=op.f("ck_policy_version_approver_is_no_reviewer")
        ),
        sa.CheckConstraint(
            "state <> 'reviewed' OR reviewed_by IS NOT NULL", name=op.f("ck_policy_version_reviewed_by_somebody")
        ),
        sa.CheckConstraint(
            "state NOT IN ('approved', 'in_force', 'superseded')"
            " OR (reviewed_by IS NOT NULL AND approved_by IS NOT NULL) OR (shipped AND approved_by IS NULL)",
            name=op.f("ck_policy_version_approved_by_two"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('in_force', 'superseded') OR in_force_from IS NOT NULL",
            name=op.f("ck_policy_version_in_force_from_day"),
        ),
        sa.CheckConstraint(
            "(state = 'superseded') = (superseded_from IS NOT NULL)",
            name=op.f("ck_policy_version_superseded_from_day"),
        ),
        sa.PrimaryKeyConstraint("policy_id", "version", name=op.f("pk_policy_version")),
    )


def downgrade() -> None:
    op.drop_constraint("pk_pinned_policy", "pinned_policy", type_="primary")
    # An older program knows one pin per policy: the one the recall started with.
    op.execute("DELETE FROM pinned_policy WHERE move > 0")
    op.create_primary_key("pk_pinned_policy", "pinned_policy", ["recall_number", "policy_id"])
    op.drop_column("pinned_policy", "pinned_by")
    op.drop_column("pinned_policy", "move")
    op.drop_table("policy_version")
    op.execute("DROP FUNCTION freeze_policy_version()")
