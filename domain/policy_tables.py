"""The figures of policies as Markdown tables: what is owed when, by which clock, on which basis and source."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from domain.policy import Policy
from domain.policy_approvals import ApprovalRule
from domain.policy_branches import STEPS_OF_LADDER, Branch
from domain.policy_figures import Sourced
from domain.policy_parts import Gate, LadderRules, Obligation, QuietHours, Trigger
from domain.supplier_request import Stage

_WHEN: Final = {
    Trigger.ALWAYS: "",
    Trigger.IF_ASKED: " (if the authority asks)",
    Trigger.ON_HARM: " (for each report of harm)",
    Trigger.ON_EXTENSION: " (when the scope grows)",
    Trigger.ON_AUTHORITY_ORDER: " (when the authority orders it)",
}
_LADDER: Final = dict(zip(STEPS_OF_LADDER, ("Reminder", "Escalation", "Telephone"), strict=True))
_HEAD: Final = (
    "# Where each deadline comes from\n\n"
    "Made by `make deadlines` from `policies/*.yaml`; do not edit. *law* and *guidance* name their source, *house* is\n"
    "a figure of this project, yours to change. h = hours elapsed, cd = calendar days, wd = working days of the\n"
    "profile's calendar. A clock is a recorded fact with instant, source and author. A branch counts while its\n"
    "condition holds; approvals add signatures to the usual ones ([how to write and change a profile](policies.md)).\n"
)


def deadline_tables(policies: Sequence[Policy]) -> str:
    """The whole document."""
    return "\n".join([_HEAD, *(line for policy in policies for line in _profile(policy))])


def _profile(policy: Policy) -> Iterator[str]:
    yield f"## {policy.title} · {policy.title_zh}\n"
    days, zone = policy.calendar.working_days, policy.zone.zone
    kept = f"{policy.retention.years} years"
    if policy.retention.implantable_years:
        kept += f" ({policy.retention.implantable_years} for implantables)"
    yield (
        f"`{policy.id}` version {policy.version}, valid from {policy.valid_from}, working days `{days}`, zone {zone}.\n"
        f"Kept {kept} after: {policy.retention.after} ({_source(policy.retention)}).\n"
    )
    yield from _table(("What", "Level", "Limit", "Clock", "Basis", "Source"), _rows(policy))
    if policy.branches:
        yield from _table(
            ("Branch", "While", "What it changes", "Basis", "Source"),
            (row for branch in policy.branches for row in _branch(branch)),
        )
    rules = [(rule, "") for rule in policy.approvals]
    rules += [(rule, branch.when) for branch in policy.branches for rule in branch.approvals]
    if rules:
        yield from _table(("Approval", "While", "Signed by", "Basis", "Source"), (_approval(*each) for each in rules))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _line(head)
    yield "|" + "---|" * len(head)
    yield from map(_line, rows)
    yield ""


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def _rows(policy: Policy) -> Iterator[tuple[str, ...]]:
    for gate in policy.gates:
        yield from _gate(gate)
    for item in policy.obligations:
        yield _obligation(item, "all")
    for code, level in policy.levels.items():
        notify = level.notify
        yield _row("First notice to every consignee", code, str(notify.due), str(notify.runs_from), notify)
        yield from _ladder(level.ladder, code)
        checks = level.effectiveness
        yield _row("Effectiveness checks", code, f"level {checks.level}, {checks.percent} % of consignees", "-", checks)
        for item in level.obligations:
            yield _obligation(item, code)
    for step, rule in policy.tasks.items():
        what = f"Task: {step.replace('_', ' ')} ({rule.role}, then {rule.stand_in})"
        yield _row(what, "all", f"{rule.due}, reminder after {rule.remind}", "task offered", rule)
    if policy.quiet_hours:
        yield _quiet_hours(policy.quiet_hours)
    closing = policy.closing
    tried = f"{closing.attempts} attempts, {closing.channels} channels, {closing.live} live"
    yield _row("Silence may be documented after", "all", tried, "-", closing)
    if policy.destruction:
        where = ", ".join(policy.destruction.countries)
        waiver = "" if policy.destruction.waivable else " (no waiver)"
        told = f"authority told, appointment, witness of the authority{waiver}"
        yield _row(f"Destruction of units in {where}", "all", told, "-", policy.destruction)
    if policy.release:
        for check in policy.release.checks:
            asked = f"passed: {', '.join(check.inspections)}"
            yield _row(f"Release while {check.when}", "all", asked, "-", policy.release)
    if policy.supplier_answers:
        for stage in Stage:
            limit = str(getattr(policy.supplier_answers, stage.value))
            yield _row(f"Supplier answers: {stage.value}", "all", limit, "request issued", policy.supplier_answers)


def _quiet_hours(rule: QuietHours) -> tuple[str, ...]:
    days = ", on working days there" if rule.working_days else ""
    hours = f"{rule.opens:%H:%M} to {rule.closes:%H:%M} where the recipient is{days}"
    levels = f"all but class {', '.join(rule.except_classes)}"
    return _row(f"Messages that can wait ({', '.join(rule.channels)})", levels, hours, "-", rule)


def _gate(gate: Gate) -> Iterator[tuple[str, ...]]:
    levels = ", ".join(gate.levels) or "all"
    waiver = "" if gate.waivable else " (no waiver)"
    yield _row(f"Gate: {gate.title} · {gate.title_zh}{waiver}", levels, str(gate.due), str(gate.clock), gate)
    if gate.comment_window:
        yield _row(f"Gate: {gate.title}: time to comment", levels, str(gate.comment_window), "gate opened", gate)


def _ladder(ladder: LadderRules, code: str) -> Iterator[tuple[str, ...]]:
    for field, name in _LADDER.items():
        step = getattr(ladder, field)
        yield _row(f"{name} to silent consignees", code, str(step.after), "first notice", step)
        if field == "first_reminder" and ladder.deputy:
            deputy = ladder.deputy
            yield _row("Deputy of silent consignees told", code, str(deputy.after), "first notice", deputy)
    for rules, owed, since in (
        (ladder.quantities, "the quantities", "acknowledgement"),
        (ladder.action, "what was done", "quantities stated"),
    ):
        for kind in ("reminder", "escalation", "phone") if rules else ():
            stage_step = getattr(rules, kind)
            word = "telephone" if kind == "phone" else kind
            yield _row(f"Asking for {owed}: {word}", code, str(stage_step.after), since, stage_step)


def _obligation(item: Obligation, level: str) -> tuple[str, ...]:
    clock = str(item.runs_from) if item.runs_from else "-"
    days = f" (until {item.valid_to})" if item.valid_to else ""
    return _row(f"{item.title} · {item.title_zh}{_WHEN[item.trigger]}{days}", level, _limit(item), clock, item)


def _limit(item: Obligation) -> str:
    limit = f"none; {item.record_instead}" if item.record_instead else str(item.due)
    return f"{limit}, then every {item.every}" if item.every else limit


def _row(what: str, level: str, limit: str, clock: str, figure: Sourced) -> tuple[str, ...]:
    return (what, level, limit, clock.replace("_", " "), figure.basis.value, _source(figure))


def _source(figure: Sourced) -> str:
    source = figure.source
    if figure.law_text:
        source += f" (the law says: {figure.law_text})"
    return f"{source} (not yet verified)" if figure.unverified else source


def _branch(branch: Branch) -> Iterator[tuple[str, ...]]:
    for what in _changes(branch):
        yield (f"{branch.title} · {branch.title_zh}", f"`{branch.when}`", what, branch.basis.value, _source(branch))


def _changes(branch: Branch) -> Iterator[str]:
    if branch.notify:
        yield f"first notice within {branch.notify.due}"
    if branch.ladder:
        steps = (f"{name.lower()} {getattr(branch.ladder, field)}" for field, name in _LADDER.items())
        yield f"after the first notice: {', '.join(steps)}"
    if branch.effectiveness:
        yield f"effectiveness level {branch.effectiveness.level}, {branch.effectiveness.percent} % of consignees"
    for step, change in branch.tasks.items():
        given = {name: getattr(change, name) for name in ("due", "remind", "role", "stand_in") if getattr(change, name)}
        yield f"task {step.replace('_', ' ')}: " + ", ".join(f"{name} {value}" for name, value in given.items())
    for task in branch.extra_tasks:
        proof = ", with a file" if task.evidence_required else ""
        who = f"{task.role}, then {task.stand_in}"
        yield f"further task in {task.phase}: {task.title} · {task.title_zh} ({who}; {task.due}{proof})"
    for item in branch.obligations:
        clock = f" from {str(item.runs_from).replace('_', ' ')}" if item.runs_from else ""
        yield f"report: {item.title} · {item.title_zh}{_WHEN[item.trigger]}: {_limit(item)}{clock} ({item.source})"
    for gate in branch.gates:
        yield f"gate: {gate.title} · {gate.title_zh}: {gate.due} ({gate.source})"


def _approval(rule: ApprovalRule, when: str) -> tuple[str, ...]:
    held = " and ".join(f"`{text}`" for text in (when, rule.when) if text and text != "true") or "always"
    return (rule.step.value, held, ", ".join(rule.signers), rule.basis.value, _source(rule))
