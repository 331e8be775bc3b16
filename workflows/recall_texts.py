"""What the Temporal Web UI shows of a recall: its current details, in the words of the people who work on it."""

from datetime import datetime
from typing import Final

from domain.pace import policy_instant
from models.messages import RecallInput
from workflows.recall_state import RecallState

_CAPACITIES: Final = ("quality", "regulatory")


def details(start: RecallInput, state: RecallState, now: datetime) -> str:
    """Current details: a Markdown table of what an operator asks first, each time also as the policy time it is."""
    rows = [("Phase", state.phase.value), *_class(state), *_scope(state), ("Stock on hold", _holds(state))]
    if state.campaign:
        campaign = state.campaign
        rows.append(("Answered", f"{campaign.consignees - campaign.outstanding} of {campaign.consignees} consignees"))
    rows += [("Waiting for", state.waiting_for or "nobody"), *_open_decisions(state)]
    if state.next_deadline_at:
        late = " **overdue**" if state.next_deadline_at < now or state.overdue else ""
        rows.append(("Next deadline", f"{_time(start, state.next_deadline_at)}: {state.next_deadline_name}{late}"))
    if state.figures:
        rows.append(("Policies in force", ", ".join(state.figures.policies)))
    if start.pace != 1:
        rows.append(("Pace", f"{start.pace:g} seconds of policy time pass in one second"))
    if state.ended_reason:
        rows.append(("Ended because", state.ended_reason[:200]))
    title = f"### {start.number}" + (" (drill: nothing is sent to anybody)" if start.drill else "")
    return "\n".join([title, "", "| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in rows)])


def _class(state: RecallState) -> list[tuple[str, str]]:
    if state.decided:
        return [("Class", state.decided.recall_class)]
    if state.proposal is None:
        return []
    proposed = ", ".join(
        f"{each.local_term} for {each.product_line} ({each.jurisdiction})" for each in state.proposal.classes
    )
    return [("Proposed class", f"{proposed}; proposal {state.proposal.proposal_id}")]


def _scope(state: RecallState) -> list[tuple[str, str]]:
    if state.scope is None:
        return []
    scope = state.scope
    found = f"{scope.lots} lots, {scope.consignees} consignees, {scope.quantity} units shipped"
    gaps = f"{scope.gaps}; the trace of the recall lists them" if scope.gaps else "none found"
    return [("Scope", found), ("Not known (gaps in the trace)", gaps)]


def _holds(state: RecallState) -> str:
    holds = state.holds
    return f"{holds.confirmed} confirmed, {holds.requested} asked for and not confirmed yet, {holds.failed} failed"


def _open_decisions(state: RecallState) -> list[tuple[str, str]]:
    """Who still has to do what before the phase ends."""
    rows = []
    if state.scope and state.proposal is None and (missing := state.missing_lines()):
        rows.append(("Without evaluation", ", ".join(missing)))
    if state.strategy_signers and (unsigned := [each for each in _CAPACITIES if each not in state.strategy_signers]):
        rows.append(("Strategy not yet signed by", ", ".join(unsigned)))
    if state.decided and (closed := state.open_gates()):
        titles = [f"{gate.key} ({gate.title})" for gate in state.decided.gates if gate.key in closed]
        rows.append(("Open gates", "; ".join(titles)))
    if state.notice and not state.notice_approved:
        rows.append(("Notice to release", f"notice {state.notice.notice_id}"))
    return rows


def _time(start: RecallInput, at: datetime) -> str:
    real = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    if start.pace == 1:
        return real
    try:
        policy = policy_instant(at, start.created_at, start.pace)
    except ValueError:  # the fastest paces leave the calendar; the real time still says when
        return real
    return f"{real} (policy time {policy:%Y-%m-%d %H:%M} UTC)"


def _cell(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")


__all__ = ["details"]
