"""What the Temporal Web UI says of a recall, in every situation an operator may find it in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.phases import Phase
from models.messages import (
    ClassFacts,
    DecisionFigures,
    Gate,
    HoldFigures,
    ProductLine,
    Proposal,
    ProposedClass,
    RecallInput,
    ScopeFigures,
)
from tests.campaign.world import LADDER
from workflows.recall_state import RecallState
from workflows.recall_texts import details

pytestmark = pytest.mark.unit
T0 = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
SCOPE = ScopeFigures(
    scope_version=1,
    lots=2,
    consignees=10,
    quantity="1200",
    gaps=7,
    countries=("DE",),
    product_lines=(ProductLine(key="kits"), ProductLine(key="sets")),
)
GATES = (
    Gate(key="us-fda:fda_informed", title="FDA informed", waivable=True, source="21 CFR 7.46(a)"),
    Gate(key="cn-nmpa:event_form", title="Form | sent", waivable=False, source="Order 29"),
)


def shown(state: RecallState, now: datetime = T0, **start: Any) -> str:
    given = {"number": "RC-2026-000001", "started_by": "qa", "created_at": T0, "jurisdictions": ("us-fda",)}
    return details(RecallInput.model_validate(given | start), state, now)


def decided(**changes: Any) -> DecisionFigures:
    given = {"recall_class": "I", "ladder": LADDER, "gates": GATES, "notify_due_at": T0, "decided_at": T0}
    return DecisionFigures.model_validate(given | changes)


def test_an_assessment_names_the_product_lines_that_still_need_an_evaluation() -> None:
    text = shown(RecallState(phase=Phase.ASSESSMENT, scope=SCOPE, assessors={"kits": "Mei"}))
    assert "| Without evaluation | sets |" in text
    assert "| Scope | 2 lots, 10 consignees, 1200 units shipped |" in text
    assert "| Not known (gaps in the trace) | 7;" in text


def test_an_open_proposal_is_shown_in_the_jurisdictions_own_words() -> None:
    each = ProposedClass(product_line="kits", jurisdiction="us-fda", recall_class="I", local_term="Class I")
    proposal = Proposal(proposal_id=3, classes=(each,), geographic_scope="global")
    text = shown(
        RecallState(phase=Phase.ASSESSMENT, scope=SCOPE, proposal=proposal, assessors={"kits": "Mei", "sets": "Mei"})
    )
    assert "| Proposed class | Class I for kits (us-fda); proposal 3 |" in text
    assert "Without evaluation" not in text


def test_our_class_the_approvers_and_the_authoritys_are_shown_side_by_side() -> None:
    ours = ClassFacts(
        product_line="kits|A",
        jurisdiction="us-fda",
        market_action="market_withdrawal",
        proposed="Class III",
        decided="Class II",
    )
    state = RecallState(phase=Phase.STRATEGY, scope=SCOPE, decided=decided(classes=(ours,), classes_more=4))
    text = shown(state)
    assert (
        "| kits\\|A (us-fda, market withdrawal) | proposed Class III; approver Class II; authority nothing yet |"
        in text
    )
    assert "| Further lines | 4;" in text
    state.decided = decided(classes=(ours.model_copy(update={"authority": "Class I"}),))
    assert "approver Class II; authority Class I |" in shown(state)
    assert "Further lines" not in shown(state)


def test_a_justification_nobody_has_reviewed_is_named_as_open() -> None:
    state = RecallState(phase=Phase.ASSESSMENT, scope=SCOPE, justified={"us-fda:kits": "unreviewed"})
    assert "review of why nothing is reported: us-fda:kits" in shown(state)
    state.justified["us-fda:kits"] = "accepted"
    assert "review of why nothing is reported" not in shown(state)


def test_open_gates_and_missing_signatures_are_named_and_done_ones_are_not() -> None:
    state = RecallState(phase=Phase.STRATEGY, scope=SCOPE, decided=decided(), strategy_signers={"quality": "Quinn"})
    text = shown(state)
    assert "| Strategy not yet signed by | regulatory |" in text
    assert "us-fda:fda_informed (FDA informed); cn-nmpa:event_form (Form \\| sent)" in text
    state.gates_done = {"us-fda:fda_informed": "passed"}
    assert "fda_informed" not in shown(state)


def test_a_deadline_reads_as_a_time_with_its_policy_time_and_says_when_it_is_over() -> None:
    due = T0 + timedelta(minutes=10)
    state = RecallState(next_deadline_at=due, next_deadline_name="the first notice")
    assert "| Next deadline | 2026-11-20 14:10:00 UTC: the first notice |" in shown(state)
    paced = shown(state, now=due + timedelta(seconds=1), pace=144)
    assert "2026-11-20 14:10:00 UTC (policy time 2026-11-21 14:00 UTC): the first notice **overdue**" in paced
    assert "| Pace | 144 seconds of policy time pass in one second |" in paced


def test_a_pace_that_leaves_the_calendar_still_shows_the_real_time() -> None:
    state = RecallState(next_deadline_at=T0 + timedelta(days=3650), next_deadline_name="the last answer")
    assert "| Next deadline | 2036-11-17 14:00:00 UTC: the last answer |" in shown(state, pace=10_000_000)


def test_a_drill_and_an_ended_recall_say_so() -> None:
    text = shown(RecallState(phase=Phase.REJECTED, ended_reason="no\ndefect", holds=HoldFigures(failed=1)), drill=True)
    assert text.startswith("### RC-2026-000001 (drill: nothing is sent to anybody)")
    assert "| Ended because | no defect |" in text
    assert "| Waiting for | nobody |" in text
    assert "0 confirmed, 0 asked for and not confirmed yet, 1 failed" in text
