"""`recall policy deadlines`: every time limit of the regulation profiles with its clock, basis and source.

Printed as Markdown; `docs/deadlines.md` is exactly this output (`make deadlines`), so the document cannot drift from
the figures a recall runs on. Exit code 2: a profile cannot be read; one line says why.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli_policy_change import register
from cli_policy_check import check
from cli_policy_dry_run import dry_run_command
from domain.policy import Policy, PolicyError, parse_policy
from domain.policy_parts import Gate, LadderRules, Obligation, Sourced, Trigger
from stack.shared_environment import borrow

policy_app = typer.Typer(name="policy", help="Regulation profiles.", no_args_is_help=True)
policy_app.command()(check)
policy_app.command("dry-run")(dry_run_command)
register(policy_app)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)
_PROFILES = Path(__file__).parent / "policies"
_WHEN = {
    Trigger.ALWAYS: "",
    Trigger.IF_ASKED: " (if the authority asks)",
    Trigger.ON_HARM: " (for each report of harm)",
    Trigger.ON_EXTENSION: " (when the scope grows)",
    Trigger.ON_AUTHORITY_ORDER: " (when the authority orders it)",
}
_HEAD = (
    "# Where each deadline comes from\n\n"
    "Made by `make deadlines` from `policies/*.yaml`; do not edit. *law* and *guidance* name their source, *house* is\n"
    "a figure of this project, yours to change. h = hours elapsed, cd = calendar days, wd = working days of the\n"
    "profile's calendar. A clock is a recorded fact with instant, source and author.\n"
)


@policy_app.callback()
def _group(context: typer.Context) -> None:
    """Regulation profiles."""
    if context.invoked_subcommand == "seed":
        borrow(Path(os.environ.get("RECALL_STATE_DIR", ".recall")))


@policy_app.command()
def deadlines(
    folder: Annotated[Path, typer.Option("--folder", help="Folder of regulation profiles")] = _PROFILES,
) -> None:
    """Print every time limit of the profiles as Markdown."""
    try:
        policies = [parse_policy(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))]
    except (OSError, PolicyError) as error:
        _errors.print(f"{folder}: {' '.join(str(error).split())}", markup=False)
        raise typer.Exit(2) from error
    if not policies:
        _errors.print(f"{folder}: there is no regulation profile here", markup=False)
        raise typer.Exit(2)
    typer.echo(deadline_tables(policies), nl=False)


def deadline_tables(policies: list[Policy]) -> str:
    """The whole document."""
    return "\n".join([_HEAD, *(line for policy in policies for line in _profile(policy))])


def _profile(policy: Policy) -> Iterator[str]:
    yield f"## {policy.title} · {policy.title_zh}\n"
    days, zone = policy.calendar.working_days, policy.zone.zone
    yield f"`{policy.id}` version {policy.version}, working days `{days}`, zone {zone}.\n"
    yield "| What | Level | Limit | Clock | Basis | Source |"
    yield "|---|---|---|---|---|---|"
    for gate in policy.gates:
        yield _row(f"Gate: {gate.title} · {gate.title_zh}", "all", str(gate.due), str(gate.clock), gate)
        if gate.comment_window:
            yield _row(f"Gate: {gate.title}: time to comment", "all", str(gate.comment_window), "gate opened", gate)
    for item in policy.obligations:
        yield _obligation(item, "all")
    for code, level in policy.levels.items():
        yield _row(
            "First notice to every consignee", code, str(level.notify.due), str(level.notify.runs_from), level.notify
        )
        yield from _ladder(level.ladder, code)
        for item in level.obligations:
            yield _obligation(item, code)
    for step, rule in policy.tasks.items():
        what = f"Task: {step.replace('_', ' ')} ({rule.role}, then {rule.stand_in})"
        yield _row(what, "all", f"{rule.due}, reminder after {rule.remind}", "task offered", rule)
    yield ""


def _ladder(ladder: LadderRules, code: str) -> Iterator[str]:
    steps = (("Reminder", ladder.first_reminder), ("Escalation", ladder.escalation), ("Telephone", ladder.phone))
    for name, step in steps:
        yield _row(f"{name} to silent consignees", code, str(step.after), "first notice", step)


def _obligation(item: Obligation, level: str) -> str:
    limit = f"none; {item.record_instead}" if item.record_instead else str(item.due)
    if item.every:
        limit += f", then every {item.every}"
    clock = str(item.runs_from) if item.runs_from else "-"
    return _row(f"{item.title} · {item.title_zh}{_WHEN[item.trigger]}", level, limit, clock, item)


def _row(what: str, level: str, limit: str, clock: str, figure: Sourced | Gate) -> str:
    source = figure.source or "house rule"
    if figure.law_text:
        source += f" (the law says: {figure.law_text})"
    if figure.unverified:
        source += " (not yet verified)"
    cells = (what, level, limit, clock.replace("_", " "), figure.basis.value, source)
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"
