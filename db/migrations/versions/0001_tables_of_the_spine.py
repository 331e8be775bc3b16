"""tables of the spine

Revision: 0001, after:
"""

from db.migrations.steps import (
    spine_access,
    spine_chain,
    spine_master_data,
    spine_notices,
    spine_recall,
    spine_replies,
    spine_tasks,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    spine_access.create_api_token()
    spine_access.create_audit_event()
    spine_access.create_audit_head()
    spine_access.create_idempotency_key()
    spine_master_data.create_import_batch()
    spine_recall.create_recall()
    spine_access.create_refused_access()
    spine_recall.create_class_decision()
    spine_recall.create_clock_start()
    spine_recall.create_deadline()
    spine_recall.create_evidence()
    spine_recall.create_hazard_evaluation()
    spine_notices.create_notice()
    spine_master_data.create_partner()
    spine_recall.create_pinned_policy()
    spine_master_data.create_product()
    spine_recall.create_scope_gap()
    spine_recall.create_sign_off()
    spine_notices.create_campaign()
    spine_notices.create_consignee()
    spine_master_data.create_contact()
    spine_master_data.create_location()
    spine_notices.create_notice_body()
    spine_master_data.create_package_level()
    spine_notices.create_delivery()
    spine_replies.create_inbound_message()
    spine_chain.create_lot()
    spine_tasks.create_task()
    spine_notices.create_consignee_lot()
    spine_notices.create_delivery_event()
    spine_tasks.create_hold()
    spine_chain.create_lot_genealogy()
    spine_chain.create_movement()
    spine_replies.create_reply()
    spine_recall.create_scope_lot()
    spine_chain.create_serial()
    spine_chain.create_stock()
    spine_chain.create_stock_before()
    spine_chain.create_stock_claim()
    spine_replies.create_passed_on()
    spine_replies.create_reply_line()


def downgrade() -> None:
    spine_replies.drop_reply_line()
    spine_replies.drop_passed_on()
    spine_chain.drop_stock_claim()
    spine_chain.drop_stock_before()
    spine_chain.drop_stock()
    spine_chain.drop_serial()
    spine_recall.drop_scope_lot()
    spine_replies.drop_reply()
    spine_chain.drop_movement()
    spine_chain.drop_lot_genealogy()
    spine_tasks.drop_hold()
    spine_notices.drop_delivery_event()
    spine_notices.drop_consignee_lot()
    spine_tasks.drop_task()
    spine_chain.drop_lot()
    spine_replies.drop_inbound_message()
    spine_notices.drop_delivery()
    spine_master_data.drop_package_level()
    spine_notices.drop_notice_body()
    spine_master_data.drop_location()
    spine_master_data.drop_contact()
    spine_notices.drop_consignee()
    spine_notices.drop_campaign()
    spine_recall.drop_sign_off()
    spine_recall.drop_scope_gap()
    spine_master_data.drop_product()
    spine_recall.drop_pinned_policy()
    spine_master_data.drop_partner()
    spine_notices.drop_notice()
    spine_recall.drop_hazard_evaluation()
    spine_recall.drop_evidence()
    spine_recall.drop_deadline()
    spine_recall.drop_clock_start()
    spine_recall.drop_class_decision()
    spine_access.drop_refused_access()
    spine_recall.drop_recall()
    spine_master_data.drop_import_batch()
    spine_access.drop_idempotency_key()
    spine_access.drop_audit_head()
    spine_access.drop_audit_event()
    spine_access.drop_api_token()
