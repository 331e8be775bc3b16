"""corrective action requests to suppliers, with every answer and what was said to it

Revision: 0039, after: 0038
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel.sql.sqltypes import AutoString

from db.migrations.steps import file_deletion

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_REQUESTS = (
    "supplier_request.capa_id IN (SELECT capa.id FROM capa WHERE capa.recall_number = p_number)"
)
_OF_FILE = (
    (
        "supplier_answer",
        "supplier_answer.request_number IN (SELECT supplier_request.number FROM supplier_request"
        f" WHERE {_REQUESTS})",
    ),
    ("supplier_request", _REQUESTS),
)


def upgrade() -> None:
    op.create_table('supplier_request',
    sa.Column('number', AutoString(), nullable=False),
    sa.Column('supplier_id', sa.BigInteger(), nullable=False),
    sa.Column('contact_name', sa.String(length=200), nullable=False),
    sa.Column('contact_email', sa.String(length=320), nullable=False),
    sa.Column('language', sa.String(length=12), nullable=False),
    sa.Column('capa_id', sa.BigInteger(), nullable=True),
    sa.Column('nonconformity_number', AutoString(), nullable=True),
    sa.Column('question', sa.String(length=4000), nullable=False),
    sa.Column('stage', sa.String(length=12), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('acknowledge_due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('containment_due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('cause_due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('verification_due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('issued_by', sa.String(length=120), nullable=False),
    sa.Column('issued_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('accepted_by', sa.String(length=120), nullable=True),
    sa.Column('closed_by', sa.String(length=120), nullable=True),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closing_signature_id', sa.String(length=64), nullable=True),
    sa.Column('outcome', sa.String(length=2000), nullable=True),
    sa.CheckConstraint("stage IN ('acknowledge', 'containment', 'cause', 'verification')", name=op.f('ck_supplier_request_stage_known')),
    sa.CheckConstraint("state IN ('asked', 'answered', 'accepted', 'closed', 'withdrawn')", name=op.f('ck_supplier_request_state_known')),
    sa.CheckConstraint('num_nonnulls(capa_id, nonconformity_number) = 1', name=op.f('ck_supplier_request_of_one_file')),
    sa.ForeignKeyConstraint(['capa_id'], ['capa.id'], name=op.f('fk_supplier_request_capa_id_capa')),
    sa.ForeignKeyConstraint(['nonconformity_number'], ['nonconformity.number'], name=op.f('fk_supplier_request_nonconformity_number_nonconformity')),
    sa.ForeignKeyConstraint(['number'], ['quality_file.number'], name=op.f('fk_supplier_request_number_quality_file')),
    sa.ForeignKeyConstraint(['supplier_id'], ['partner.id'], name=op.f('fk_supplier_request_supplier_id_partner')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_supplier_request'))
    )
    op.create_index('ix_supplier_request_capa', 'supplier_request', ['capa_id'], unique=False)
    op.create_index('ix_supplier_request_nc', 'supplier_request', ['nonconformity_number'], unique=False)
    op.create_table('supplier_answer',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('request_number', AutoString(), nullable=False),
    sa.Column('stage', sa.String(length=12), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('account', sa.String(length=4000), nullable=False),
    sa.Column('action', sa.String(length=4000), nullable=True),
    sa.Column('action_due_on', sa.Date(), nullable=True),
    sa.Column('codes', postgresql.JSONB(astext_type=sa.Text()), server_default='[]', nullable=False),
    sa.Column('files', postgresql.JSONB(astext_type=sa.Text()), server_default='[]', nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('position', sa.String(length=200), nullable=False),
    sa.Column('late', sa.Boolean(), nullable=False),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('accepted', sa.Boolean(), nullable=True),
    sa.Column('review_reason', sa.String(length=2000), nullable=True),
    sa.Column('reviewed_by', sa.String(length=120), nullable=True),
    sa.Column('reviewed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("stage IN ('acknowledge', 'containment', 'cause', 'verification')", name=op.f('ck_supplier_answer_stage_known')),
    sa.CheckConstraint('(accepted IS NULL) = (reviewed_at IS NULL)', name=op.f('ck_supplier_answer_reviewed_whole')),
    sa.CheckConstraint('accepted IS NOT FALSE OR review_reason IS NOT NULL', name=op.f('ck_supplier_answer_sent_back_with_reason')),
    sa.ForeignKeyConstraint(['request_number'], ['supplier_request.number'], name=op.f('fk_supplier_answer_request_number_supplier_request')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_supplier_answer'))
    )
    op.create_index('ix_supplier_answer_request', 'supplier_answer', ['request_number', 'id'], unique=False)
    op.drop_constraint(op.f("ck_staff_message_kind_known"), "staff_message", type_="check")
    op.create_check_constraint(
        op.f("ck_staff_message_kind_known"),
        "staff_message",
        "kind IN ('reminder', 'hand_over', 'escalation', 'sent_back', 'assigned', 'page', 'expert_request',"
        " 'expert_reminder', 'supplier_request', 'supplier_remind', 'supplier_return', 'notice_test')",
    )
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                REVOKE DELETE, TRUNCATE ON supplier_request, supplier_answer FROM recall_app;
            END IF;
        END $$
        """
    )

    file_deletion.join(*_OF_FILE)


def downgrade() -> None:
    file_deletion.leave(*_OF_FILE)
    op.drop_index('ix_supplier_answer_request', table_name='supplier_answer')
    op.drop_table('supplier_answer')
    op.drop_index('ix_supplier_request_nc', table_name='supplier_request')
    op.drop_index('ix_supplier_request_capa', table_name='supplier_request')
    op.drop_table('supplier_request')
