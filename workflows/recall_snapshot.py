"""The query's answer: the recall as its workflow sees it, for people and for tests."""

from models.messages import RecallInput, Snapshot
from workflows.recall_state import RecallState
from workflows.recall_texts import companions, open_approvals


def snapshot_of(start: RecallInput, state: RecallState) -> Snapshot:
    """Everything of the state that somebody outside may ask for."""
    return Snapshot(
        number=start.number,
        phase=state.phase,
        recall_class=state.decided.recall_class if state.decided else None,
        scope=state.scope,
        holds=state.holds,
        proposal=state.proposal,
        strategy_signed_as=tuple(sorted(state.strategy_signers)),
        gates_open=state.open_gates(),
        notice=state.notice,
        outstanding=state.outstanding(),
        response_percent=state.response_percent(),
        waiting_for=state.waiting_for,
        next_deadline_at=state.next_deadline_at,
        next_deadline_name=state.next_deadline_name,
        overdue=bool(state.overdue),
        policies=state.figures.policies if state.figures else (),
        scope_version=state.scope_version,
        campaigns=tuple(report for _, report in sorted(state.campaigns.items())),
        approvals_open=tuple(open_approvals(state)),
        changes_waiting=sum(job.kind != "initial" for job in state.notices),
        effectiveness=state.effectiveness,
        checklist_open=tuple(state.checklist or ()),
        completion_signed_as=tuple(sorted(state.completion_signers)),
        authority_answers=dict(sorted(state.answers.items())),
        jurisdictions_open=tuple(each for each in start.jurisdictions if each not in state.answers),
        children=tuple(companions(state)),
        ended_reason=state.ended_reason,
    )


__all__ = ["snapshot_of"]
