"""the whole process

Revision: 0004, after: 0003
"""

from db.migrations.steps import (
    process_capa,
    process_columns,
    process_consignees,
    process_goods,
    process_recall,
    process_staff,
)

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    process_staff.create_staff()
    process_recall.create_authority_answer()
    process_capa.create_capa()
    process_recall.create_effectiveness_round()
    process_recall.create_scope_version()
    process_capa.create_capa_action()
    process_capa.create_capa_entry()
    process_recall.create_evidence_link()
    process_consignees.create_consignee_case()
    process_recall.create_effectiveness_check()
    process_consignees.create_patient_follow_up()
    process_goods.create_shortage()
    process_consignees.create_contact_attempt()
    process_goods.create_disposition()
    process_goods.create_retained_sample()
    process_goods.create_allocation()
    process_recall.create_complaint()
    process_consignees.create_consignee_documented()
    process_goods.create_cost_entry()
    process_goods.create_disposition_part()
    process_goods.create_goods_return()
    process_staff.create_staff_message()
    process_columns.add()


def downgrade() -> None:
    process_columns.drop()
    process_staff.drop_staff_message()
    process_goods.drop_goods_return()
    process_goods.drop_disposition_part()
    process_goods.drop_cost_entry()
    process_consignees.drop_consignee_documented()
    process_recall.drop_complaint()
    process_goods.drop_allocation()
    process_goods.drop_retained_sample()
    process_goods.drop_disposition()
    process_consignees.drop_contact_attempt()
    process_goods.drop_shortage()
    process_consignees.drop_patient_follow_up()
    process_recall.drop_effectiveness_check()
    process_consignees.drop_consignee_case()
    process_recall.drop_evidence_link()
    process_capa.drop_capa_entry()
    process_capa.drop_capa_action()
    process_recall.drop_scope_version()
    process_recall.drop_effectiveness_round()
    process_capa.drop_capa()
    process_recall.drop_authority_answer()
    process_staff.drop_staff()
