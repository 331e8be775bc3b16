"""For each item of the completion checklist: ways to open exactly that item in a recall that is complete."""

from tests.closing.complete import CompleteRecall
from tests.closing.world import HOUR, NUMBER, T0


def _consignee(recall: CompleteRecall) -> int:
    return recall.world.consignees[recall.second]


def consignee_owes_quantities(recall: CompleteRecall) -> str:
    """Acknowledged only; the earlier statement stays, so that nothing else opens."""
    recall.world.run("UPDATE consignee SET state = 'acknowledged' WHERE id = %s", _consignee(recall))
    return f"(consignee {_consignee(recall)}) acknowledged the notice and owes its quantities"


def consignee_is_silent(recall: CompleteRecall) -> str:
    recall.world.run("UPDATE consignee SET state = 'open' WHERE id = %s", _consignee(recall))
    return f"(consignee {_consignee(recall)}) has not answered"


def _case(recall: CompleteRecall, reason: str, subject: str | None = None) -> int:
    return recall.world.add(
        "consignee_case",
        recall_number=NUMBER,
        consignee_id=_consignee(recall),
        reason=reason,
        subject=subject,
        state="open",
        opened_at=T0,
    )


def query_is_open(recall: CompleteRecall) -> str:
    return f"its statement reply:7 cannot be as it is (case {_case(recall, 'statement', 'reply:7')})"


def query_task_is_open(recall: CompleteRecall) -> str:
    return f"task {recall.world.task('query:7', 'settle_query')} (query:7) is open, offered to qa"


def case_is_open(recall: CompleteRecall) -> str:
    return f"case {_case(recall, 'out_of_business')} (out of business) is open"


def call_is_open(recall: CompleteRecall) -> str:
    return f"task {recall.world.task('call:99', 'phone_call')} (call:99) is open"


def visit_is_accepted(recall: CompleteRecall) -> str:
    task = recall.world.task("visit:99", "visit", state="accepted", assignee="Quinn")
    return f"task {task} (visit:99) is open, accepted by Quinn"


def report_to_authority_is_open(recall: CompleteRecall) -> str:
    return f"task {recall.world.task('authority:99', 'visit', role='regulatory')} (authority:99)"


def task_is_open(recall: CompleteRecall) -> str:
    return f"task {recall.world.task('evaluation:kits', 'evaluation', role='medical')} (evaluation:kits) is open"


def task_was_sent_back(recall: CompleteRecall) -> str:
    return f"task {recall.world.task('records:x', 'records', state='sent_back')} (records:x)"


def due_time_is_not_worked_out(recall: CompleteRecall) -> str:
    """A tick on the task is no due instant."""
    task = recall.world.task("deadline:cn-nmpa:closure:2", "obligation", state="done", role="regulatory")
    return f"cn-nmpa: when closure:2 is due is not worked out (task {task})"


def check_is_pending(recall: CompleteRecall) -> str:
    recall.world.run("UPDATE effectiveness_round SET outcome = NULL")
    recall.world.run("UPDATE effectiveness_check SET state = 'pending', passed = NULL WHERE id = %s", recall.check)
    return f"check {recall.check} of "


def round_failed(recall: CompleteRecall) -> str:
    recall.world.run("UPDATE effectiveness_round SET outcome = 'failed'")
    return "round 1 (level A) failed and is to be widened"


def round_not_judged(recall: CompleteRecall) -> str:
    recall.world.run("UPDATE effectiveness_round SET outcome = NULL")
    return "round 1 (level A) is not judged yet"


def sample_not_drawn(recall: CompleteRecall) -> str:
    recall.world.run("DELETE FROM effectiveness_check")
    recall.world.run("DELETE FROM effectiveness_round")
    return "no sample is drawn yet"


def answer_is_newer_than_its_check(recall: CompleteRecall) -> str:
    recall.world.run("UPDATE consignee SET answered_at = %s WHERE id = %s", T0 + 9 * HOUR, _consignee(recall))
    return "passed, but consignees that joined or answered since are to be checked as well"


def strategy_is_half_signed(recall: CompleteRecall) -> str:
    recall.world.run("DELETE FROM sign_off WHERE step = 'strategy:regulatory'")
    return "no strategy is signed"


def hold_is_unconfirmed(recall: CompleteRecall) -> str:
    hold = recall.world.hold(recall.lot, recall.plant, 3, "requested")
    return f"hold {hold}: 3 units of lot L1 of "


def hold_failed(recall: CompleteRecall) -> str:
    hold = recall.world.hold(recall.lot, recall.plant, 3, "failed", last_error="no answer")
    return f"hold {hold}: 3 units of lot L1 of P5 at L1 could not be locked (no answer)"


def nonconformity_is_unconfirmed(recall: CompleteRecall) -> str:
    hold = recall.world.hold(recall.lot, recall.plant, 3, "nonconformity", ended_at=T0)
    return f"hold {hold}: "


def stock_is_held(recall: CompleteRecall) -> str:
    hold = recall.world.hold(recall.lot, recall.plant, 3, confirmed_at=T0, confirmed_by="wanda")
    return f"hold {hold}: 3 units of lot L1 of P5 at L1 are held"


def units_are_left_at_a_hospital(recall: CompleteRecall) -> str:
    recall.world.statement(recall.second, {recall.lot: {"used": 16, "on_hand": 4}})
    return f"(consignee {_consignee(recall)}): 4 units of lot L1 are still there"


def units_are_unaccounted_for(recall: CompleteRecall) -> str:
    recall.world.statement(recall.second, {recall.lot: {"used": 17}})
    return f"(id {recall.lot}): 3 of 60 distributed units are unaccounted for (5 %); 2 % may stay"


def more_is_accounted_for_than_was_sent(recall: CompleteRecall) -> str:
    recall.world.statement(recall.second, {recall.lot: {"used": 21}})
    return f"(id {recall.lot}): 1 more accounted for than distributed"


def our_own_units_are_missing(recall: CompleteRecall) -> str:
    recall.world.run("UPDATE lot SET quantity_made = 110")
    recall.world.moved("adjustment", recall.lot, -10, None, recall.plant, T0)
    return f"(id {recall.lot}): 10 of 110 produced units are not found on our side (9.0909 %)"


def disposition_is_proposed(recall: CompleteRecall) -> str:
    recall.world.disposed("release", recall.lot, 2, place=recall.depot, state="proposed", done=0)
    return "disposition 3 (release, 2 units of lot L1 of P5 at L2) waits for its approval"


def disposition_is_half_done(recall: CompleteRecall) -> str:
    recall.world.disposed("field_correction", recall.lot, 20, place=recall.second, state="approved", done=0)
    return "is approved, 0 done"


def disposition_has_no_evidence(recall: CompleteRecall) -> str:
    recall.world.run("DELETE FROM evidence_link WHERE subject = 'disposition:2'")
    return "disposition 2 (destroy, 50 units of lot L1 of P5 at L2) is done without an evidence file"


def execution_task_is_open(recall: CompleteRecall) -> str:
    return f"task {recall.world.task('execute:2', 'execution', role='warehouse')} (execute:2)"


def no_capa(recall: CompleteRecall) -> str:
    recall.world.run("DELETE FROM capa")
    return "no CAPA is opened"


def capa_without_cause(recall: CompleteRecall) -> str:
    recall.world.run("UPDATE capa SET cause = NULL")
    return "CAPA 1: the cause is not recorded"


def capa_without_approved_plan(recall: CompleteRecall) -> str:
    recall.world.run("UPDATE capa SET plan_approved_at = NULL")
    return "CAPA 1: the plan is not approved"


def report_is_due(recall: CompleteRecall) -> str:
    recall.world.run("UPDATE deadline SET due_at = %s, title = '806 report'", T0)
    return "us-fda: 806 report was due at 2026-04-11 00:00 UTC and is not submitted"


def sample_is_kept(recall: CompleteRecall) -> str:
    recall.world.run("UPDATE lot SET quantity_made = 106")
    sample = recall.world.add(
        "retained_sample",
        recall_number=NUMBER,
        lot_id=recall.lot,
        location_id=recall.plant,
        quantity=6,
        request="s",
        recorded_by="qa",
        recorded_at=T0,
    )
    return f"sample {sample}: 6 units of lot L1 of P5 at L1 are kept for the authority"


def _complain(recall: CompleteRecall, state: str) -> str:
    recall.world.add(
        "complaint",
        recall_number=NUMBER,
        sequence=1,
        source="staff",
        awareness_at=T0,
        severity="serious",
        description="d",
        state=state,
        recorded_by="qa",
        recorded_at=T0,
    )
    return f"complaint 1 (serious) is {state}"


def complaint_is_open(recall: CompleteRecall) -> str:
    return _complain(recall, "open")


def complaint_is_only_evaluated(recall: CompleteRecall) -> str:
    return _complain(recall, "evaluated")


def complaint_has_no_code(recall: CompleteRecall) -> str:
    recall.world.add(
        "code_list",
        version="2026",
        valid_from=T0,
        file_name="codes.csv",
        sha256="0" * 64,
        loaded_by="adam",
        loaded_at=T0,
        terms=1,
    )
    _complain(recall, "closed")
    return "complaint 1 (serious) carries no IMDRF code"


def complaint_task_is_open(recall: CompleteRecall) -> str:
    return f"task {recall.world.task('complaint:1', 'complaint')} (complaint:1)"


def patients_are_not_final(recall: CompleteRecall) -> str:
    return f"final counts of its patients are missing (case {_case(recall, 'patients')})"


def patients_task_is_open(recall: CompleteRecall) -> str:
    return f"task {recall.world.task('patients:9', 'patients')} (patients:9)"


def site_is_left_short(recall: CompleteRecall) -> str:
    shortage = recall.world.add(
        "shortage",
        recall_number=NUMBER,
        consignee_id=_consignee(recall),
        product_id=recall.world.chain.lots[recall.lot].product,
        removed=10,
        used=5,
        quantity=10,
        computed_at=T0,
    )
    recall.world.add(
        "allocation",
        recall_number=NUMBER,
        shortage_id=shortage,
        lot_id=recall.lot,
        location_id=recall.depot,
        quantity=4,
        state="shipped",
        proposed_at=T0,
    )
    return "6 of 10 units of P5 are neither supplied nor decided about"


def replacement_task_is_open(recall: CompleteRecall) -> str:
    return f"task {recall.world.task('replacement:9', 'replacement', role='warehouse')} (replacement:9)"


def amendment_waits_for_approval(recall: CompleteRecall) -> str:
    recall.world.add(
        "notice",
        recall_number=NUMBER,
        version=2,
        kind="amendment",
        sha256="1" * 64,
        drafted_by="qa",
        drafted_at=T0,
    )
    return "notice 2 (amendment) waits for its approval"


def amendment_is_not_sent(recall: CompleteRecall) -> str:
    amendment_waits_for_approval(recall)
    recall.world.run("UPDATE notice SET approved_at = %s WHERE version = 2", T0)
    return "notice 2 (amendment) is approved and not sent"


def channel_is_stopped(recall: CompleteRecall) -> str:
    return f"task {recall.world.task('campaign-stop:1:sms:1', 'notification')} (campaign-stop:1:sms:1)"


def message_is_not_sent(recall: CompleteRecall) -> str:
    partner = recall.world.chain.places[recall.second].partner
    contact = recall.world.add(
        "contact",
        partner_id=partner,
        position=1,
        name="n",
        role="r",
        email="n@hospital.example",
        channels="{email}",
        status="unverified",
    )
    recall.world.run(
        "INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, step, kind, channel, language, priority,"
        " state, attempt, ambiguous, created_at) SELECT gen_random_uuid(), campaign.id, %s, %s, 0, 'initial', 'email',"
        " 'en', 1, 'pending', 0, false, %s FROM campaign",
        _consignee(recall), contact, T0,
    )  # fmt: skip
    return "campaign 1: 1 messages are not handed to a provider yet"


OPENERS = {
    "campaign": [amendment_waits_for_approval, amendment_is_not_sent, channel_is_stopped, message_is_not_sent],
    "consignees": [consignee_owes_quantities, consignee_is_silent],
    "queries": [query_is_open, query_task_is_open],
    "cases": [case_is_open, call_is_open, visit_is_accepted, report_to_authority_is_open],
    "effectiveness": [
        check_is_pending,
        round_failed,
        round_not_judged,
        sample_not_drawn,
        answer_is_newer_than_its_check,
        strategy_is_half_signed,
    ],
    "holds": [hold_is_unconfirmed, hold_failed, nonconformity_is_unconfirmed],
    "held_pending": [stock_is_held, units_are_left_at_a_hospital],
    "unaccounted": [units_are_unaccounted_for, more_is_accounted_for_than_was_sent, our_own_units_are_missing],
    "dispositions": [
        disposition_is_proposed,
        disposition_is_half_done,
        disposition_has_no_evidence,
        execution_task_is_open,
    ],
    "capa": [no_capa, capa_without_cause, capa_without_approved_plan],
    "obligations": [report_is_due, due_time_is_not_worked_out],
    "evidence_hold": [sample_is_kept],
    "complaints": [complaint_is_open, complaint_is_only_evaluated, complaint_has_no_code, complaint_task_is_open],
    "patients": [patients_are_not_final, patients_task_is_open],
    "shortages": [site_is_left_short, replacement_task_is_open],
    "tasks": [task_is_open, task_was_sent_back],
}
"""Checklist item -> ways to open exactly it in a complete recall; each returns a part of the line that must name it."""
