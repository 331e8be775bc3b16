"""`recall policy dry-run`: who would be asked what and when, for an invented case or a recall, under given versions.

A case is a YAML file (schema `recall-case/1`, docs/policies.md). Given files no server is needed; versions by number
and recalls are read through the API. With `--compare` a second run, and what it asks differently. Exit code 2: the case
or a version cannot be used; one line per fault with its path.
"""

import json
import os
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from activities.policies import PolicyStore
from cli_policy_change import Chinese, path_of, read_file, read_policy, version_of
from cli_policy_office import API, Api, As, Office, fail
from cli_token import AsJson
from domain.dry_run_asks import Ask, Difference, DryRun, differences
from domain.dry_run_case import parse_case
from domain.dry_run_inputs import run_case
from domain.policy import Policy, PolicyError

_SHIPPED: Final = Path(__file__).parent / "policies"
_TITLES: Final = {
    "branch": ("Branches that hold", "成立的分支"),
    "task": ("Tasks", "任务"),
    "extra_task": ("Extra tasks", "附加任务"),
    "signature": ("Signatures", "签字"),
    "gate": ("Before the notice", "通知之前"),
    "ladder": ("Silent consignees", "未答复单位"),
    "check": ("Effectiveness", "有效性"),
    "notice": ("Notices and reports, by due time", "通知与报告（按时限）"),
    "supplier": ("Answers of suppliers", "供应商答复"),
    "closing": ("Closing conditions", "关闭条件"),
}
_SAME_SECTION: Final[dict[str, str]] = {"report": "notice"}
_out = Console(highlight=False, soft_wrap=True, width=None if os.isatty(1) else 200)


def dry_run_command(
    case: Annotated[Path | None, typer.Argument(metavar="CASE.yaml", help="The case", show_default=False)] = None,
    policies: Annotated[
        Path | None, typer.Option("--policies", help="Folder of profiles to use; then no server is asked")
    ] = None,
    version: Annotated[
        list[str] | None, typer.Option("--version", help="ID:VERSION or FILE in place of the one in force; repeatable")
    ] = None,
    compare: Annotated[
        list[str] | None, typer.Option("--compare", help="ID:VERSION or FILE of a second run; repeatable")
    ] = None,
    recall: Annotated[str, typer.Option("--recall", help="A recall instead of a case", show_default=False)] = "",
    api: Api = API,
    role: As = "",
    zh: Chinese = False,
    as_json: AsJson = False,
) -> None:
    """Who would be asked what and when; nothing is written."""
    if (case is None) == (not recall):
        fail("give either a case file or --recall NUMBER")
    if recall:
        first, found = _of_recall(recall, version or [], compare or [], Office(api, role))
    else:
        assert case is not None  # noqa: S101 - checked above
        first, found = _of_case(case, policies, version or [], compare or [], api, role)
    if as_json:
        typer.echo(json.dumps(_data(first, found), indent=2, ensure_ascii=False))
        return
    if found is not None:
        _say_differences(found, zh=zh)
    else:
        _say(first, zh=zh)


def _data(first: DryRun, found: tuple[Difference, ...] | None) -> dict[str, Any]:
    data: dict[str, Any] = {
        "versions": list(first.versions),
        "asks": [ask.model_dump(mode="json") for ask in first.asks],
    }
    return data if found is None else data | {"differences": [each.model_dump(mode="json") for each in found]}


def _of_recall(
    number: str, version: list[str], compare: list[str], office: Office
) -> tuple[DryRun, tuple[Difference, ...] | None]:
    body = {"recall": number, "versions": dict(map(version_of, version)), "compare": dict(map(version_of, compare))}
    answer = office.post("/v1/policies/dry-run", body)
    run = DryRun(tuple(answer["versions"]), tuple(Ask.model_validate(each) for each in answer["asks"]))
    found = tuple(Difference.model_validate(each) for each in answer["differences"])
    return run, found if compare else None


def _of_case(
    file: Path, folder: Path | None, version: list[str], compare: list[str], api: str, role: str
) -> tuple[DryRun, tuple[Difference, ...] | None]:
    try:
        case = parse_case(read_file(file))
        store = PolicyStore.load(folder or _SHIPPED)
        base = _base(case.jurisdictions, folder, store, api, role)
        given = {policy.id: policy for policy in (_one(each, api, role) for each in version)}
        first = run_case(case, base | given, store.calendar)
        if not compare:
            return first, None
        other = {policy.id: policy for policy in (_one(each, api, role) for each in compare)}
        return first, differences(first, run_case(case, base | given | other, store.calendar))
    except PolicyError as error:
        fail(*(f"{file}: {fault}" for fault in error.faults))


def _base(ids: list[str], folder: Path | None, store: PolicyStore, api: str, role: str) -> dict[str, Policy]:
    """The profiles of a folder, those in force on the server, or without a token those that are shipped."""
    if folder is None and (role or os.environ.get("RECALL_TOKEN")):
        office = Office(api, role)
        current = {each["id"]: each["in_force"] for each in office.pages("/v1/policies") if each["in_force"]}
        return {
            name: Policy.from_pinned(office.get(path_of(f"{name}:{current[name]}"))["body"])
            for name in ids
            if name in current
        }
    today = datetime.now(UTC).date()
    return {name: policy for name in ids if (policy := store.shipped(name, today)) is not None}


def _one(which: str, api: str, role: str) -> Policy:
    if Path(which).is_file():
        return read_policy(Path(which))
    return Policy.from_pinned(Office(api, role).get(path_of(which))["body"])


def _say(run: DryRun, *, zh: bool) -> None:
    typer.echo(", ".join(run.versions))
    for section, asks in groupby(run.asks, key=_section):
        table = Table(
            "what", "who", "asked", "limit", "due (UTC)", "rule", title=_TITLES[section][zh], title_justify="left"
        )
        for ask in asks:
            table.add_row(*_cells(ask, zh=zh))
        _out.print(table)


def _section(ask: Ask) -> str:
    return _SAME_SECTION.get(ask.kind, ask.kind)


def _cells(ask: Ask, *, zh: bool) -> tuple[str, ...]:
    words = ask.what_zh if zh else ask.what
    what = words if ask.jurisdiction == "all" else f"{ask.jurisdiction}: {words}"
    due = _instant(ask.due_at) or (f"by hand: {ask.note}" if ask.kind in ("report", "notice") and ask.note else "")
    asked = f"{ask.asked_when} {_instant(ask.asked_at)}".strip()
    return what, ", ".join(ask.who), asked, ask.limit, due, ask.rule


def _instant(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def _say_differences(found: tuple[Difference, ...], *, zh: bool) -> None:
    if not found:
        typer.echo("没有差别" if zh else "nothing is asked differently")
    for each in found:
        shown = each.after or each.before
        assert shown is not None  # noqa: S101 - a difference has at least one side
        what = f"{shown.jurisdiction}: {shown.what_zh if zh else shown.what}"
        typer.echo(f"{each.kind}: {what}{_fields(each)}")


def _fields(each: Difference) -> str:
    if each.before is None or each.after is None:
        one = each.after or each.before
        due = f", due {_instant(one.due_at)}" if one and one.due_at else ""
        return f" ({', '.join(one.who)}; {one.limit or one.asked_when}{due})" if one else ""
    parts = [
        f"{name.replace('_', ' ')} {_plain(getattr(each.before, name))} -> {_plain(getattr(each.after, name))}"
        for name in each.fields
    ]
    return f": {'; '.join(parts)} ({each.after.rule})"


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, tuple):
        return ", ".join(value) or "nobody"
    return str(value) if value not in (None, "") else "(nothing)"


__all__ = ["dry_run_command"]
