"""the records of the whole process stay

Revision: 0005, after: 0004

What a person stated once (an attempt to reach a consignee, an account that closes one, counts of patients, an
authority's answer, a scope version, goods counted at our dock, a cost entry, which file proves what) is only ever
added to. What changes while the process runs (cases, complaints, checks, CAPA, dispositions, shortages, messages to
staff) is never deleted.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

APPEND_ONLY = (
    "authority_answer",
    "consignee_documented",
    "contact_attempt",
    "cost_entry",
    "evidence_link",
    "goods_return",
    "patient_follow_up",
    "scope_version",
)
KEPT = (
    "allocation",
    "capa",
    "capa_action",
    "capa_entry",
    "complaint",
    "consignee_case",
    "disposition",
    "disposition_part",
    "effectiveness_check",
    "effectiveness_round",
    "retained_sample",
    "shortage",
    "staff_message",
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
    _on_the_role(f"REVOKE UPDATE, DELETE, TRUNCATE ON {', '.join(APPEND_ONLY)} FROM recall_app")
    _on_the_role(f"REVOKE DELETE, TRUNCATE ON {', '.join(KEPT)} FROM recall_app")


def downgrade() -> None:
    _on_the_role(f"GRANT UPDATE, DELETE ON {', '.join(APPEND_ONLY)} TO recall_app")
    _on_the_role(f"GRANT DELETE ON {', '.join(KEPT)} TO recall_app")
