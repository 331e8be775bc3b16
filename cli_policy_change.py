"""`recall policy list|show|submit|review|send-back|approve|activate|withdraw|rollback|diff|seed`: change control.

A quality manager's day: submit an edited YAML file, see its faults with their paths, see the difference in plain words,
have it reviewed and approved by two others, put it in force. What is shown before a signature is what is signed: its
hash goes with it. Exit code 2: refused; one line per fault.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from activities.policies import PolicyStore
from cli_policy_office import API, Api, As, Office, fail
from cli_token import AsJson, DatabaseUrl, with_database
from db.engine import SessionFactory
from db.repositories.policy_versions import Seeded
from domain.policy import Policy, PolicyError, parse_policy
from domain.policy_diff import policy_diff

_FOLDER: Final = Path(__file__).parent / "policies"
_out = Console(highlight=False, soft_wrap=True)
Which = Annotated[str, typer.Argument(metavar="ID:VERSION", help="For example us-fda:2", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Sign without asking")]
Chinese = Annotated[bool, typer.Option("--zh", help="In Chinese")]
Note = Annotated[str, typer.Option("--note", help="What is changed and why", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Why", show_default=False)]


def version_of(which: str) -> tuple[str, int]:
    """Profile and version of `us-fda:2`."""
    name, _, number = which.partition(":")
    if not name or not number.isdigit():
        fail(f"{which!r}: expected a profile and a version, for example us-fda:2")
    return name, int(number)


def path_of(which: str) -> str:
    """The version's address in the API."""
    name, number = version_of(which)
    return f"/v1/policies/{name}/versions/{number}"


def read_file(file: Path) -> str:
    """The text of a file, or one line that says why it cannot be read."""
    try:
        if file.exists() and not file.is_file():
            fail(f"{file}: expected a file, this is a folder or a device")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: {error}")


def read_policy(file: Path) -> Policy:
    """The profile in a file; each fault is one line with its path."""
    try:
        return parse_policy(read_file(file))
    except PolicyError as error:
        fail(*(f"{file}: {fault}" for fault in error.faults))


def list_policies(api: Api = API, role: As = "", as_json: AsJson = False) -> None:
    """Every version of every profile, with who wrote, reviewed and approved it."""
    office = Office(api, role)
    rows = [
        each for item in office.pages("/v1/policies") for each in office.pages(f"/v1/policies/{item['id']}/versions")
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    table = Table(
        "version", "state", "in force from", "until", "written by", "reviewed by", "approved by", "what and why"
    )
    for row in rows:
        cells = [f"{row['policy_id']}:{row['version']}", row["state"], row["in_force_from"], row["superseded_from"]]
        cells += [row["authored_by"], row["reviewed_by"], row["approved_by"], row["note"]]
        table.add_row(*(str(cell or "") for cell in cells))
    _out.print(table)


def show(which: Which, api: Api = API, role: As = "", as_json: AsJson = False) -> None:
    """One version as YAML with its comments (what to edit for the next one), or with --json as data."""
    office = Office(api, role)
    if as_json:
        typer.echo(json.dumps(office.get(path_of(which)), indent=2, ensure_ascii=False))
    else:
        typer.echo(office.text(f"{path_of(which)}/text"), nl=False)


def submit(
    file: Annotated[Path, typer.Argument(help="The edited profile (YAML)", show_default=False)],
    note: Note,
    api: Api = API,
    role: As = "",
    replace: Annotated[bool, typer.Option("--replace", help="Replace your own draft of this version")] = False,
) -> None:
    """Submit a profile as a draft. Its faults are shown with their paths; nothing is kept of a faulty one."""
    policy, text = read_policy(file), read_file(file)
    office = Office(api, role)
    body = {"text": text, "note": note}
    path = f"/v1/policies/{policy.id}/versions/{policy.version}" if replace else "/v1/policies"
    row = office.post(path, body, put=replace)
    typer.echo(f"{_name(row)} is a draft ({row['sha256'][:12]}). What it changes:")
    _say_diff(office, row, zh=False)


def review(which: Which, api: Api = API, role: As = "", yes: Yes = False) -> None:
    """Sign that you have reviewed a draft; its differences are shown first. Not for its author."""
    _sign(which, "review", Office(api, role), {}, yes=yes)


def approve(which: Which, api: Api = API, role: As = "", yes: Yes = False) -> None:
    """Approve a reviewed version; its differences are shown first. Not for its author or reviewer."""
    _sign(which, "approve", Office(api, role), {}, yes=yes)


def activate(
    which: Which,
    api: Api = API,
    role: As = "",
    yes: Yes = False,
    from_day: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC); today unless given")
    ] = None,
) -> None:
    """Put an approved version in force; recalls that run stay with theirs."""
    day = (from_day or datetime.now(UTC)).date().isoformat()
    _sign(which, "activate", Office(api, role), {"from_day": day}, yes=yes)


def _sign(which: str, step: str, office: Office, more: dict[str, Any], *, yes: bool) -> None:
    """Show what changes, ask, and sign exactly that content."""
    row = office.get(path_of(which))
    typer.echo(f"{_name(row)} ({row['sha256'][:12]}), {row['state']}, by {row['authored_by']}: {row['note']}")
    _say_diff(office, row, zh=False)
    if not yes and not typer.confirm(f"Sign: {step} {_name(row)}?"):
        fail("nothing was signed")
    _say_state(office.post(f"{path_of(which)}/{step}", {"sha256": row["sha256"], **more}))


def send_back(which: Which, reason: Reason, api: Api = API, role: As = "") -> None:
    """Send a version back to its author, with what is to be changed."""
    _say_state(Office(api, role).post(f"{path_of(which)}/send-back", {"reason": reason}))


def withdraw(which: Which, reason: Reason, api: Api = API, role: As = "") -> None:
    """Give up a version that is not in force yet; it stays on record."""
    _say_state(Office(api, role).post(f"{path_of(which)}/withdraw", {"reason": reason}))


def rollback(
    policy: Annotated[str, typer.Argument(metavar="ID", help="Profile, for example us-fda", show_default=False)],
    to: Annotated[int, typer.Option("--to", min=1, help="Version whose content comes back", show_default=False)],
    note: Note,
    api: Api = API,
    role: As = "",
) -> None:
    """A new draft with the content of an earlier version; it is reviewed and approved like any other."""
    office = Office(api, role)
    row = office.post(f"/v1/policies/{policy}/rollback", {"to": to, "note": note})
    typer.echo(f"{_name(row)} is a draft with the content of version {to}. What it changes:")
    _say_diff(office, row, zh=False)


def diff(
    which: Annotated[str, typer.Argument(metavar="ID:VERSION|FILE", help="us-fda:2, or a file", show_default=False)],
    against: Annotated[
        str, typer.Option("--against", help="ID:VERSION or FILE; the version in force unless given", show_default=False)
    ] = "",
    api: Api = API,
    role: As = "",
    zh: Chinese = False,
    as_json: AsJson = False,
) -> None:
    """What a version or an edited file changes, in plain words. With two files no server is needed."""
    if ":" in which and not Path(which).exists() and (not against or ":" in against):
        found = Office(api, role).get(f"{path_of(which)}/diff", against=version_of(against)[1] if against else None)
        changes: list[dict[str, Any]] = found["changes"]
    else:
        new = _profile(which, api, role)
        old = _profile(against, api, role) if against else _in_force(new.id, api, role)
        changes = [
            {
                "path": each.path,
                "kind": each.kind,
                "before": each.before,
                "after": each.after,
                "en": each.en,
                "zh": each.zh,
            }
            for each in policy_diff(old, new)
        ]
    if as_json:
        typer.echo(json.dumps(changes, indent=2, ensure_ascii=False))
        return
    for each in changes or [{"en": "no difference", "zh": "没有差别"}]:
        typer.echo(each["zh" if zh else "en"])


def _profile(which: str, api: str, role: str) -> Policy:
    if Path(which).is_file():
        return read_policy(Path(which))
    return Policy.from_pinned(Office(api, role).get(path_of(which))["body"])


def _in_force(policy_id: str, api: str, role: str) -> Policy:
    office = Office(api, role)
    number = next((each["in_force"] for each in office.pages("/v1/policies") if each["id"] == policy_id), None)
    if number is None:
        fail(f"no version of {policy_id} is in force to compare with; give --against")
    return Policy.from_pinned(office.get(f"/v1/policies/{policy_id}/versions/{number}")["body"])


def seed(
    database_url: DatabaseUrl = "",
    folder: Annotated[Path, typer.Option("--folder", help="Folder of shipped profiles")] = _FOLDER,
) -> None:
    """Enter shipped profiles that the database does not have; what it has is never changed."""
    try:
        store = PolicyStore.load(folder)
    except PolicyError as error:
        fail(*error.faults)

    async def work(sessions: SessionFactory) -> list[Seeded]:
        return await store.seed(sessions, datetime.now(UTC))

    found = with_database(database_url, work)
    for each in found:
        typer.echo(f"{each.policy_id}:{each.version}: {_SEEDED[each.outcome]}")
    if not found:
        typer.echo("nothing to enter")


_SEEDED: Final = {
    "in_force": "in force",
    "draft": "a draft now; it has to be reviewed and approved",
    "differs": "the file differs from the version in the database, which counts",
    "not_next": "left out: it is not the next version of those in the database",
}


def _name(row: dict[str, Any]) -> str:
    return f"{row['policy_id']}:{row['version']}"


def _say_state(row: dict[str, Any]) -> None:
    since = f" from {row['in_force_from']}" if row["in_force_from"] else ""
    typer.echo(f"{_name(row)}: {row['state'].replace('_', ' ')}{since}")


def _say_diff(office: Office, row: dict[str, Any], *, zh: bool) -> None:
    if row["based_on"] is None:
        typer.echo("  a new profile")
        return
    for each in office.get(f"{path_of(_name(row))}/diff")["changes"]:
        typer.echo(f"  {each['zh' if zh else 'en']}")


def register(app: typer.Typer) -> None:
    """Add the commands to `recall policy`."""
    app.command("list")(list_policies)
    app.command("send-back")(send_back)
    for command in (show, submit, review, approve, activate, withdraw, rollback, diff, seed):
        app.command()(command)


__all__ = ["read_file", "read_policy", "register", "version_of"]
