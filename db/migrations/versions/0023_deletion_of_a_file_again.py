"""the one way a recall's file can be deleted, with the tables of notification; and the one for messages of strangers

Revision: 0023, after: 0022

Of `delete_recall_file` nothing but the statements differs from 0013, which says what the function is for.
`forget_strangers` deletes messages that belong to no recall two years after they were settled, or came in where nobody
has to read them; it decides by itself which these are, so that the application's role can delete nothing else.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

DELETIONS = """
    DELETE FROM inbound_message WHERE settled_in = p_number OR (settled_in IS NULL AND contact_id IN (SELECT
        contact_id FROM delivery JOIN campaign ON campaign.id = campaign_id WHERE recall_number = p_number)
        AND NOT EXISTS (SELECT FROM delivery AS other JOIN campaign ON campaign.id = other.campaign_id WHERE
        other.contact_id = inbound_message.contact_id AND campaign.recall_number <> p_number));
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('inbound_message', n);
    DELETE FROM idempotency_key WHERE recall_number = p_number OR (method_path LIKE '%/recalls/' || p_number
        || '/%' AND method_path NOT LIKE '%/deletion/approve');
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('idempotency_key', n);
    DELETE FROM stock_claim WHERE claimant = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('stock_claim', n);
    DELETE FROM refused_access WHERE recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('refused_access', n);
    DELETE FROM submission_event WHERE submission_event.submission_id IN (SELECT submission.id FROM submission
        WHERE submission.recall_number = p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('submission_event', n);
    DELETE FROM submission WHERE submission.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('submission', n);
    DELETE FROM staff_message WHERE staff_message.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('staff_message', n);
    DELETE FROM deadline WHERE deadline.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('deadline', n);
    DELETE FROM reply_line WHERE reply_line.reply_id IN (SELECT reply.id FROM reply WHERE reply.recall_number
        = p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('reply_line', n);
    DELETE FROM passed_on WHERE passed_on.consignee_id IN (SELECT consignee.id FROM consignee WHERE
        consignee.recall_number = p_number) OR passed_on.reply_id IN (SELECT reply.id FROM reply WHERE
        reply.recall_number = p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('passed_on', n);
    DELETE FROM goods_return WHERE goods_return.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('goods_return', n);
    DELETE FROM consignee_documented WHERE consignee_documented.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('consignee_documented', n);
    DELETE FROM complaint WHERE complaint.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('complaint', n);
    DELETE FROM webhook_answer WHERE webhook_answer.delivery_id IN (SELECT delivery.id FROM delivery WHERE
        delivery.campaign_id IN (SELECT campaign.id FROM campaign WHERE campaign.recall_number = p_number) OR
        delivery.consignee_id IN (SELECT consignee.id FROM consignee WHERE consignee.recall_number =
        p_number));
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('webhook_answer', n);
    DELETE FROM returned_mail WHERE returned_mail.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('returned_mail', n);
    DELETE FROM reply WHERE reply.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('reply', n);
    DELETE FROM disposition_part WHERE disposition_part.disposition_id IN (SELECT disposition.id FROM
        disposition WHERE disposition.recall_number = p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('disposition_part', n);
    DELETE FROM delivery_inquiry WHERE delivery_inquiry.delivery_id IN (SELECT delivery.id FROM delivery WHERE
        delivery.campaign_id IN (SELECT campaign.id FROM campaign WHERE campaign.recall_number = p_number) OR
        delivery.consignee_id IN (SELECT consignee.id FROM consignee WHERE consignee.recall_number =
        p_number));
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('delivery_inquiry', n);
    DELETE FROM delivery_event WHERE delivery_event.delivery_id IN (SELECT delivery.id FROM delivery WHERE
        delivery.campaign_id IN (SELECT campaign.id FROM campaign WHERE campaign.recall_number = p_number) OR
        delivery.consignee_id IN (SELECT consignee.id FROM consignee WHERE consignee.recall_number =
        p_number));
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('delivery_event', n);
    DELETE FROM cost_entry WHERE cost_entry.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('cost_entry', n);
    DELETE FROM allocation WHERE allocation.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('allocation', n);
    DELETE FROM scope_lot WHERE scope_lot.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('scope_lot', n);
    DELETE FROM retained_sample WHERE retained_sample.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('retained_sample', n);
    DELETE FROM hold WHERE hold.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('hold', n);
    DELETE FROM disposition WHERE disposition.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('disposition', n);
    DELETE FROM delivery WHERE delivery.campaign_id IN (SELECT campaign.id FROM campaign WHERE
        campaign.recall_number = p_number) OR delivery.consignee_id IN (SELECT consignee.id FROM consignee
        WHERE consignee.recall_number = p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('delivery', n);
    DELETE FROM contact_attempt WHERE contact_attempt.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('contact_attempt', n);
    DELETE FROM consignee_lot WHERE consignee_lot.consignee_id IN (SELECT consignee.id FROM consignee WHERE
        consignee.recall_number = p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('consignee_lot', n);
    DELETE FROM campaign_remainder WHERE campaign_remainder.campaign_id IN (SELECT campaign.id FROM campaign
        WHERE campaign.recall_number = p_number) OR campaign_remainder.consignee_id IN (SELECT consignee.id
        FROM consignee WHERE consignee.recall_number = p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('campaign_remainder', n);
    DELETE FROM task WHERE task.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('task', n);
    DELETE FROM shortage WHERE shortage.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('shortage', n);
    DELETE FROM reply_draft WHERE reply_draft.consignee_id IN (SELECT consignee.id FROM consignee WHERE
        consignee.recall_number = p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('reply_draft', n);
    DELETE FROM patient_follow_up WHERE patient_follow_up.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('patient_follow_up', n);
    DELETE FROM notice_text_review WHERE notice_text_review.notice_id IN (SELECT notice.id FROM notice WHERE
        notice.recall_number = p_number) OR notice_text_review.signature_id IN (SELECT signature.id FROM
        signature WHERE signature.recall_number = p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('notice_text_review', n);
    DELETE FROM notice_check WHERE notice_check.notice_id IN (SELECT notice.id FROM notice WHERE
        notice.recall_number = p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('notice_check', n);
    DELETE FROM notice_body WHERE notice_body.notice_id IN (SELECT notice.id FROM notice WHERE
        notice.recall_number = p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('notice_body', n);
    DELETE FROM effectiveness_check WHERE effectiveness_check.consignee_id IN (SELECT consignee.id FROM
        consignee WHERE consignee.recall_number = p_number) OR effectiveness_check.round_id IN (SELECT
        effectiveness_round.id FROM effectiveness_round WHERE effectiveness_round.recall_number = p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('effectiveness_check', n);
    DELETE FROM consignee_case WHERE consignee_case.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('consignee_case', n);
    DELETE FROM consignee_action WHERE consignee_action.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('consignee_action', n);
    DELETE FROM capa_entry WHERE capa_entry.capa_id IN (SELECT capa.id FROM capa WHERE capa.recall_number =
        p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('capa_entry', n);
    DELETE FROM capa_action WHERE capa_action.capa_id IN (SELECT capa.id FROM capa WHERE capa.recall_number =
        p_number);
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('capa_action', n);
    DELETE FROM campaign WHERE campaign.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('campaign', n);
    DELETE FROM sign_off WHERE sign_off.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('sign_off', n);
    DELETE FROM scope_version WHERE scope_version.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('scope_version', n);
    DELETE FROM notice WHERE notice.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('notice', n);
    DELETE FROM market_action_review WHERE market_action_review.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('market_action_review', n);
    DELETE FROM hazard_evaluation WHERE hazard_evaluation.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('hazard_evaluation', n);
    DELETE FROM evidence_link WHERE evidence_link.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('evidence_link', n);
    DELETE FROM consignee WHERE consignee.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('consignee', n);
    DELETE FROM class_decision WHERE class_decision.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('class_decision', n);
    DELETE FROM capa WHERE capa.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('capa', n);
    DELETE FROM authority_answer WHERE authority_answer.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('authority_answer', n);
    DELETE FROM signature WHERE signature.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('signature', n);
    DELETE FROM scope_gap WHERE scope_gap.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('scope_gap', n);
    DELETE FROM pinned_policy WHERE pinned_policy.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('pinned_policy', n);
    DELETE FROM market_action WHERE market_action.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('market_action', n);
    DELETE FROM legal_hold WHERE legal_hold.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('legal_hold', n);
    DELETE FROM expert_review WHERE expert_review.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('expert_review', n);
    DELETE FROM evidence WHERE evidence.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('evidence', n);
    DELETE FROM effectiveness_round WHERE effectiveness_round.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('effectiveness_round', n);
    DELETE FROM document_fields WHERE document_fields.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('document_fields', n);
    DELETE FROM deletion_request WHERE deletion_request.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('deletion_request', n);
    DELETE FROM clock_start WHERE clock_start.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('clock_start', n);
    DELETE FROM class_suggestion WHERE class_suggestion.recall_number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('class_suggestion', n);
    DELETE FROM recall WHERE recall.number = p_number;
    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('recall', n);
"""

FUNCTION = (  # names of our own tables, nothing from outside
    """
CREATE OR REPLACE FUNCTION delete_recall_file(
    p_number text, p_request bigint, p_approved_by text, p_keep_until date, p_policies jsonb, p_now timestamptz,
    p_signature uuid
) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    file recall%ROWTYPE;
    asked deletion_request%ROWTYPE;
    stored jsonb;
    counts jsonb := '{}';
    n bigint;
BEGIN
    SELECT * INTO file FROM recall WHERE number = p_number FOR UPDATE;
    IF NOT FOUND THEN RAISE EXCEPTION 'there is no recall %', p_number USING ERRCODE = 'no_data_found'; END IF;
    SELECT * INTO asked FROM deletion_request
        WHERE id = p_request AND recall_number = p_number AND withdrawn_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN RAISE EXCEPTION 'nobody asked for it' USING ERRCODE = 'check_violation'; END IF;
    IF lower(trim(asked.requested_by)) = lower(trim(p_approved_by)) THEN
        RAISE EXCEPTION 'requested and approved by one person' USING ERRCODE = 'check_violation';
    END IF;
    IF file.phase NOT IN ('terminated', 'rejected', 'cancelled') THEN
        RAISE EXCEPTION 'the recall has not ended' USING ERRCODE = 'check_violation';
    END IF;
    IF p_keep_until IS NULL OR greatest(p_keep_until, asked.keep_until) >= (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION 'the retention date has not passed' USING ERRCODE = 'check_violation'; END IF;
    IF EXISTS (SELECT FROM legal_hold WHERE recall_number = p_number AND lifted_at IS NULL) THEN
        RAISE EXCEPTION 'a legal hold is in force' USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM stock_claim WHERE claimant = p_number AND released_at IS NULL) THEN
        RAISE EXCEPTION 'stock is still locked' USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (
        SELECT FROM signature WHERE id = p_signature AND principal = p_approved_by AND operation = 'approve_deletion'
        AND document #>> '{stated,recall}' = p_number AND document #>> '{stated,request}' = p_request::text
    ) THEN RAISE EXCEPTION 'the order is not signed' USING ERRCODE = 'check_violation'; END IF;
    SELECT coalesce(jsonb_agg(jsonb_build_object('sha256', sha256, 'size', size) ORDER BY sha256), '[]')
        INTO stored FROM evidence WHERE recall_number = p_number;
"""  # noqa: S608
    + DELETIONS
    + """
    INSERT INTO tombstone (recall_number, title, keep_until, policies, reason, archive_sha256, requested_by,
                           approved_by, deleted_at, tables, files)
    VALUES (p_number, file.title, p_keep_until, p_policies, asked.reason, asked.archive_sha256, asked.requested_by,
            p_approved_by, p_now, counts, stored);
    RETURN counts;
END $$
"""
)


# What waits for a reader is what `db.repositories.unplaced` lists. Opt-outs are kept as their proof.
FORGET = """
CREATE FUNCTION forget_strangers(p_before timestamptz) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    old bigint[];
    keys text[];
    mails uuid[];
    shas jsonb;
BEGIN
    p_before := least(p_before, clock_timestamp() - interval '730 days');
    SELECT coalesce(array_agg(id), '{}'), coalesce(array_agg(mail_key) FILTER (WHERE mail_key IS NOT NULL), '{}'),
           coalesce(array_agg(evidence_id) FILTER (WHERE evidence_id IS NOT NULL), '{}')
    INTO old, keys, mails
    FROM (
        SELECT m.id, mail.mail_key, mail.evidence_id
        FROM inbound_message m
        LEFT JOIN returned_mail mail ON m.provider = 'email' AND mail.mail_key = m.provider_id
        WHERE m.settled_in IS NULL AND m.outcome NOT IN ('reply', 'opt_out')
          AND coalesce(m.settled_at, m.received_at) <= p_before
          AND (m.settled_as IN ('answered', 'not_ours')
               OR m.settled_at IS NULL AND mail.kind NOT IN ('person', 'unreadable') AND mail.outcome <> 'no_delivery')
          AND mail.recall_number IS NULL AND mail.delivery_id IS NULL
          AND NOT EXISTS (SELECT FROM delivery WHERE delivery.contact_id = m.contact_id)
          AND NOT EXISTS (SELECT FROM reply WHERE reply.form_id = left(m.provider || ':' || m.provider_id, 64))
          AND NOT EXISTS (SELECT FROM complaint WHERE complaint.form_id = left(m.provider || ':' || m.provider_id, 64))
        ORDER BY m.id LIMIT 1000
        FOR UPDATE OF m SKIP LOCKED
    ) found;
    DELETE FROM inbound_message WHERE id = ANY (old);
    DELETE FROM returned_mail WHERE mail_key = ANY (keys);
    WITH gone AS (
        DELETE FROM evidence WHERE id = ANY (mails) AND recall_number IS NULL
            AND NOT EXISTS (SELECT FROM evidence_link WHERE evidence_id = evidence.id)
        RETURNING sha256
    )
    SELECT coalesce(jsonb_agg(DISTINCT sha256), '[]') INTO shas FROM gone;
    RETURN jsonb_build_object('messages', cardinality(old), 'sha256', shas);
END $$
"""


def upgrade() -> None:
    op.execute(FUNCTION)
    op.execute(FORGET)
    op.execute("REVOKE ALL ON FUNCTION forget_strangers(timestamptz) FROM PUBLIC")
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recall_app') THEN
                GRANT EXECUTE ON FUNCTION forget_strangers(timestamptz) TO recall_app;
            END IF;
        END $$
        """
    )


def downgrade() -> None:
    """The function as it was, and none for strangers."""
    op.execute("DROP FUNCTION forget_strangers(timestamptz)")
    before = op.get_context().script
    assert before is not None, "alembic runs migrations with their scripts"
    op.execute(before.get_revision("0013").module.FUNCTION.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
