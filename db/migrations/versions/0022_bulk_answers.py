"""answers that came in a group's file are told apart; messages that belong to nobody are settled by a person

Revision: 0022, after: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_BEFORE = "'page', 'sms', 'phone', 'email', 'voice', 'webhook'"
_SETTLED = (
    ("settled_at", sa.DateTime(timezone=True)),
    ("settled_by", sa.String(120)),
    ("settled_as", sa.String(12)),
    ("settled_note", sa.String(2000)),
    ("settled_in", sa.String(14)),
)
_GUARD = """
    DO $$ BEGIN
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
            {statements}
        END IF;
    END $$
"""


def upgrade() -> None:
    _channels(f"{_BEFORE}, 'file'")
    op.add_column("inbound_message", sa.Column("sender", sa.String(320), nullable=True))
    for name, kind in _SETTLED:
        op.add_column("inbound_message", sa.Column(name, kind, nullable=True))
    op.create_check_constraint(
        op.f("ck_inbound_message_settled_as_known"),
        "inbound_message",
        "settled_as IN ('recorded', 'answered', 'not_ours')",
    )
    op.create_check_constraint(
        op.f("ck_inbound_message_settled_whole"),
        "inbound_message",
        "(settled_at IS NULL) = (settled_as IS NULL) AND (settled_at IS NULL) = (settled_by IS NULL)"
        " AND (settled_at IS NULL) = (settled_note IS NULL)",
    )
    op.create_index(
        "ix_inbound_message_unplaced",
        "inbound_message",
        ["id"],
        postgresql_where=sa.text("outcome NOT IN ('reply', 'opt_out')"),
    )
    # A message is evidence: only what a person made of it is ever added.
    columns = ", ".join(name for name, _ in _SETTLED)
    op.execute(
        _GUARD.format(
            statements="REVOKE UPDATE, DELETE, TRUNCATE ON inbound_message FROM recall_app;"
            f" GRANT UPDATE ({columns}) ON inbound_message TO recall_app;"
        )
    )


def downgrade() -> None:
    op.execute(_GUARD.format(statements="GRANT UPDATE, DELETE ON inbound_message TO recall_app;"))
    op.drop_index("ix_inbound_message_unplaced", "inbound_message")
    op.drop_constraint(op.f("ck_inbound_message_settled_whole"), "inbound_message")
    op.drop_constraint(op.f("ck_inbound_message_settled_as_known"), "inbound_message")
    for name, _ in reversed(_SETTLED):
        op.drop_column("inbound_message", name)
    op.drop_column("inbound_message", "sender")
    _channels(_BEFORE)


def _channels(known: str) -> None:
    op.drop_constraint(op.f("ck_reply_channel_known"), "reply")
    op.create_check_constraint(op.f("ck_reply_channel_known"), "reply", f"channel IN ({known})")
