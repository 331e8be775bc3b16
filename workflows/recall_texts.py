"""What the Temporal Web UI and the read model say of a recall, in the words of the people who work on it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from domain.pace import policy_instant
from domain.phases import Phase
from models.messages import RecallInput
from workflows.recall_state import RecallState

_CAPACITIES: Final = ("quality", "regulatory")
_OF_THE: Final = {
    "initial": "the notice",
    "amendment": "the amended notice",
    "retraction": "the retraction",
    "closure": "the notice that the recall has ended",
}


_PHASES: Final = {
    Phase.INTAKE: "the trace and the first holds",
    Phase.STRATEGY: "two signatures on the strategy",
    Phase.GATES: "the authority steps before the notice",
    Phase.COMPLETED: "the final reports to the authorities",
}


def waiting_for(state: RecallState, jurisdictions: Sequence[str]) -> str | None:
    """Whom or what the recall waits for now, in one line; None when nobody is to do anything."""
    match state.phase:
        case Phase.ASSESSMENT:
            return _assessment(state)
        case Phase.NOTIFICATION | Phase.RESOLUTION:
            return _notice(state) or _consignees(state) or _result(state)
        case Phase.AWAITING_AUTHORITY:
            return f"the authorities' answers: {', '.join(each for each in jurisdictions if each not in state.answers)}"
        case Phase.CANCELLED if state.told and not state.retracted:
            return _notice(state) or "the retraction to reach everybody who was told"
        case Phase.TERMINATED if state.closure_wanted and not state.announced:
            return _notice(state) or "the notice of the end to reach everybody who was told"
        case phase:
            return _PHASES.get(phase)


def _assessment(state: RecallState) -> str:
    if state.proposal is None or state.missing_lines():
        return "the medical assessor's health-hazard evaluation"
    return "the approver's decision on the class"


def _notice(state: RecallState) -> str | None:
    """What holds up the next notice."""
    if not state.notices:
        return None
    job = state.notices[0]
    if state.notice_fault:
        return f"{_OF_THE[job.kind]} cannot be drafted: {state.notice_fault}"[:200]
    if job.stage == "waiting" and (lines := state.unclassified()):
        return f"the class of {', '.join(lines)}"[:200]
    if not job.released and not state.ended and state.open_gates():
        return "the authority steps before the notice"
    if state.notice_open():
        return f"the approver's release of {_OF_THE[job.kind]}"
    return f"{_OF_THE[job.kind]} to be drafted and sent"


def _consignees(state: RecallState) -> str | None:
    """Whom the campaigns still wait for."""
    stopped = [report.stopped for _, report in sorted(state.campaigns.items()) if report.stopped]
    if stopped:
        return f"the notices are stopped: {'; '.join(stopped)}"[:200]
    if not state.everybody_heard():
        return "the consignees' acknowledgements"
    if state.effective():
        return None
    checked = state.effectiveness is not None and state.effectiveness.sequence > 0
    return "the effectiveness checks" if checked else "the consignees' quantities"


def _result(state: RecallState) -> str:
    """What a resolution waits for."""
    return "two signatures under the completion" if state.checklist == {} else "corrective action and disposition"


def next_deadline(
    state: RecallState, task: tuple[datetime, str] | None, notice_limit_name: str
) -> tuple[datetime, str] | None:
    """The earliest of the tasks' due times, the notice limit and the campaigns' next steps, with its name."""
    if waiting_for(state, ()) is None:
        return None
    dues = [task] if task else []
    if state.decided is not None and not state.notice_limit_met:
        dues.append((state.decided.notify_due_at, notice_limit_name))
    steps = [report.next_due_at for report in state.campaigns.values() if report.next_due_at is not None]
    if steps:
        dues.append((min(steps), "next step for silent consignees"))
    return min(dues, default=None)


def details(start: RecallInput, state: RecallState, now: datetime) -> str:
    """Current details: a Markdown table of what an operator asks first, each time also as the policy time it is."""
    rows = [("Phase", state.phase.value), *_class(state), *_scope(state), ("Stock on hold", _holds(state))]
    if state.campaigns:
        total, silent = state.consignees(), state.outstanding() or 0
        rows.append(("Answered", f"{total - silent} of {total} consignees"))
    rows += [*_campaigns(state), ("Waiting for", state.waiting_for or "nobody"), *_open_decisions(state)]
    rows += [*_closing(start, state), *_beside(state)]
    if state.next_deadline_at:
        late = " **overdue**" if state.next_deadline_at < now or state.overdue else ""
        rows.append(("Next deadline", f"{_time(start, state.next_deadline_at)}: {state.next_deadline_name}{late}"))
    if state.figures:
        rows.append(("Policies in force", ", ".join(state.figures.policies)))
        rows += _branches(start, state)
    if start.pace != 1:
        rows.append(("Pace", f"{start.pace:g} seconds of policy time pass in one second"))
    if state.ended_reason:
        rows.append(("Ended because", state.ended_reason[:200]))
    title = f"### {start.number}" + (" (drill: nothing is sent to anybody)" if start.drill else "")
    return "\n".join([title, "", "| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in rows)])


def _branches(start: RecallInput, state: RecallState) -> list[tuple[str, str]]:
    """Branches of the policies that hold, in their own words, and since when."""
    found: dict[str, list[str]] = {}
    since: dict[str, datetime] = {}
    for each in state.figures.fired if state.figures else ():
        found.setdefault(each.title, []).append(each.policy)
        since[each.title] = min(each.since, since.get(each.title, each.since))
    return [
        ("Because", f"{title} ({', '.join(policies)}), since {_time(start, since[title])}")
        for title, policies in found.items()
    ]


def _class(state: RecallState) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = [("Class", state.decided.recall_class)] if state.decided else []
    rows += _classes(state)
    if state.proposal is None or (state.decided is not None and not state.proposal_open()):
        return rows
    proposed = ", ".join(
        f"{each.local_term} for {each.product_line} ({each.jurisdiction})" for each in state.proposal.classes
    )
    return [*rows, ("Proposed class", f"{proposed}; proposal {state.proposal.proposal_id}")]


def _classes(state: RecallState) -> list[tuple[str, str]]:
    """What the table proposed, the approver decided and the authority says, side by side."""
    if state.decided is None:
        return []
    rows = []
    for each in state.decided.classes:
        stands = f"proposed {each.proposed or 'nothing'}; approver {each.decided or 'nothing'}"
        line = f"{each.product_line} ({each.jurisdiction}, {each.market_action.replace('_', ' ')})"
        rows.append((_cell(line), f"{stands}; authority {each.authority or 'nothing yet'}"))
    more = state.decided.classes_more
    return [*rows, ("Further lines", f"{more}; the assessment of the recall lists them")] if more else rows


def _scope(state: RecallState) -> list[tuple[str, str]]:
    if state.scope is None:
        return []
    scope = state.scope
    version = f" (version {state.scope_version})" if state.scope_version > 1 else ""
    found = f"{scope.lots} lots, {scope.consignees} consignees, {scope.quantity} units shipped{version}"
    gaps = f"{scope.gaps}; the trace of the recall lists them" if scope.gaps else "none found"
    return [("Scope", found), ("Not known (gaps in the trace)", gaps)]


def _holds(state: RecallState) -> str:
    holds = state.holds
    return f"{holds.confirmed} confirmed, {holds.requested} asked for and not confirmed yet, {holds.failed} failed"


def _campaigns(state: RecallState) -> list[tuple[str, str]]:
    """One line per campaign where there are several: amendments go out beside the first notice."""
    if state.campaigns_started < 2:
        return []
    return [
        (f"Campaign {sequence}", f"{report.consignees - report.outstanding} of {report.consignees} answered")
        for sequence, report in sorted(state.campaigns.items())
    ]


def open_approvals(state: RecallState) -> list[str]:
    """What waits for an approver, in plain words."""
    found = []
    if state.proposal is not None and not state.missing_lines() and (state.decided is None or state.proposal_open()):
        found.append(f"class: proposal {state.proposal.proposal_id}")
    if state.notice_open() and state.notice is not None:
        found.append(f"{state.notices[0].kind} notice {state.notice.notice_id}")
    unreviewed = sorted(key for key, stands in state.justified.items() if stands == "unreviewed")
    return [*found, *(f"review of why nothing is reported: {key}" for key in unreviewed)]


def _open_decisions(state: RecallState) -> list[tuple[str, str]]:
    """Who still has to do what before the phase ends."""
    rows = []
    if state.scope and (missing := state.missing_lines()):
        rows.append(("Without evaluation", ", ".join(missing)))
    if state.strategy_signers and (unsigned := [each for each in _CAPACITIES if each not in state.strategy_signers]):
        rows.append(("Strategy not yet signed by", ", ".join(unsigned)))
    if state.decided and (closed := state.open_gates()):
        titles = [f"{gate.key} ({gate.title})" for gate in state.decided.gates if gate.key in closed]
        rows.append(("Open gates", "; ".join(titles)))
    if approvals := open_approvals(state):
        rows.append(("Waiting for an approver", "; ".join(approvals)))
    if len(state.notices) > 1:
        rows.append(("Further notices in the queue", str(len(state.notices) - 1)))
    return rows


def _closing(start: RecallInput, state: RecallState) -> list[tuple[str, str]]:
    rows = []
    if state.phase is Phase.RESOLUTION and state.checklist is not None:
        named = ", ".join(f"{key} ({count})" for key, count in state.checklist.items())
        rows.append(("Completion checklist", f"{len(state.checklist)} open: {named}" if named else "nothing is open"))
    if state.completion_signers:
        rows.append(("Completion signed for", ", ".join(sorted(state.completion_signers))))
    if state.phase is Phase.COMPLETED and state.reports_open is not None:
        rows.append(("Reports still owed", str(state.reports_open)))
    if state.phase is Phase.AWAITING_AUTHORITY or state.answers:
        answered = ", ".join(f"{place}: {answer.replace('_', ' ')}" for place, answer in sorted(state.answers.items()))
        known = f"{len(state.answers)} of {len(start.jurisdictions)} jurisdictions"
        rows.append(("Authorities answered", f"{known}; {answered}" if answered else known))
    return rows


def companions(state: RecallState) -> list[str]:
    """The workflows beside the recall, each with what it last reported."""
    found = []
    for sequence, capa in sorted(state.capas.items()):
        found.append(f"CAPA {sequence}: {capa.state}")
    if "capa" in state.children and not state.capas:
        found.append("CAPA 1")
    if "disposition" in state.children:
        report = state.disposition
        found.append(f"disposition: {report.open_positions} positions open" if report else "disposition")
    if "obligations" in state.children:
        owed = state.obligations
        found.append(f"obligations: {owed.open} open, {owed.overdue} overdue" if owed else "obligations")
    return found


def _beside(state: RecallState) -> list[tuple[str, str]]:
    found = companions(state)
    return [("Beside it", "; ".join(found))] if found else []


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


__all__ = ["companions", "details", "next_deadline", "open_approvals", "waiting_for"]
