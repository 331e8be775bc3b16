"""`recall costs import`, `recall accounts list|propose|approve|reject`, `recall journals list|close|export`.

Through the API as the person of the token: who may book, and that nobody approves an own proposal, is decided there.
Exit code 2: a file cannot be read, the API refuses or cannot be reached; each fault is one line.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from cli_policy_office import API, Api, As, Office, fail
from cli_token import AsJson
from domain.costs import CostKind
from models.money import MappingState

costs_app = typer.Typer(name="costs", help="Costs of a recall.", no_args_is_help=True)
accounts_app = typer.Typer(name="accounts", help="Accounts for each kind of cost.", no_args_is_help=True)
journals_app = typer.Typer(name="journals", help="Costs as journals of a recall.", no_args_is_help=True)
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
_RULES = "/v1/account-rules"
Number = Annotated[str, typer.Argument(help="Number of the recall", show_default=False)]
Rule = Annotated[int, typer.Argument(help="Row of the mapping, as `recall accounts list` shows it", min=1)]
Reason = Annotated[str, typer.Option("--reason", help="For the record", show_default=False)]
Key = Annotated[str | None, typer.Option(help="Only where this is so; everywhere if left out")]


@costs_app.callback()
def _group() -> None:
    """Keeps `import` a subcommand while it is the only one."""


@costs_app.command("import")
def import_costs(
    number: Number,
    file: Annotated[Path, typer.Argument(help="CSV with the columns of docs/money.md", show_default=False)],
    api: Api = API,
    role: As = "",
    as_json: AsJson = False,
) -> None:
    """Book a file of costs: all of it or nothing, and each reference once."""
    try:
        content = file.read_bytes()
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    done = Office(api, role).send(f"{_recall(number)}/costs/import", file.name, content)
    if as_json:
        _json(done)
        return
    sums = _sums(done["totals"])
    _line(f"{done['booked']} entries booked{f' ({sums})' if sums else ''}, {done['already_there']} on record already")


@accounts_app.command("list")
def list_rules(
    state: Annotated[MappingState | None, typer.Option("--state", help="Only rows in this state")] = None,
    api: Api = API,
    role: As = "",
    as_json: AsJson = False,
) -> None:
    """Every row ever proposed, in order."""
    rows = Office(api, role).pages(_RULES, state=state.value if state else None)
    columns = ("id", "kind", "company", "jurisdiction", "family", "debit", "credit", "cost_centre")
    _show(rows, (*columns, "valid_from", "valid_until", "state", "proposed_by", "decided_by"), as_json=as_json)


@accounts_app.command("propose")
def propose(
    kind: Annotated[CostKind, typer.Argument(help="Kind of cost", show_default=False)],
    valid_from: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD", show_default=False)],
    debit: Annotated[str | None, typer.Option(help="Account; without accounts the mapping ends")] = None,
    credit: Annotated[str | None, typer.Option(help="Account")] = None,
    cost_centre: Annotated[str | None, typer.Option(help="Cost centre")] = None,
    company: Key = None,
    jurisdiction: Key = None,
    family: Key = None,
    valid_until: Annotated[str | None, typer.Option("--until", help="Last day")] = None,
    note: Annotated[str | None, typer.Option(help="For the record")] = None,
    api: Api = API,
    role: As = "",
) -> None:
    """Propose a row; it counts once another person has approved it."""
    body = {
        "kind": kind.value,
        "valid_from": valid_from,
        "valid_until": valid_until,
        "debit": debit,
        "credit": credit,
        "cost_centre": cost_centre,
        "company": company,
        "jurisdiction": jurisdiction,
        "family": family,
        "note": note,
    }
    _decided(Office(api, role).post(_RULES, body))


@accounts_app.command("approve")
def approve(rule: Rule, reason: Reason, api: Api = API, role: As = "") -> None:
    """Approve a row that another person has proposed."""
    _decided(Office(api, role).post(f"{_RULES}/{rule}/approve", {"reason": reason}))


@accounts_app.command("reject")
def reject(rule: Rule, reason: Reason, api: Api = API, role: As = "") -> None:
    """Reject a row; its proposer takes it back by this."""
    _decided(Office(api, role).post(f"{_RULES}/{rule}/reject", {"reason": reason}))


@journals_app.command("list")
def list_journals(number: Number, api: Api = API, role: As = "", as_json: AsJson = False) -> None:
    """Closed journals of a recall."""
    rows = Office(api, role).pages(f"{_recall(number)}/journals")
    _show(rows, ("sequence", "name", "line_count", "totals", "left_open", "closed_by", "closed_at"), as_json=as_json)


@journals_app.command("close")
def close(
    number: Number,
    leave_unmapped: Annotated[
        bool, typer.Option("--leave-unmapped", help="Leave entries without accounts to a later journal")
    ] = False,
    note: Annotated[str | None, typer.Option(help="For the record")] = None,
    api: Api = API,
    role: As = "",
) -> None:
    """Close the next journal; entries without accounts refuse it, each on a line."""
    body = {"leave_unmapped": leave_unmapped, "note": note}
    done = Office(api, role).post(f"{_recall(number)}/journals", body)
    _line(f"{done['name']}: {done['line_count']} lines, {_sums(done['totals'])}, {done['left_open']} entries left")


@journals_app.command("export")
def export(
    number: Number,
    sequence: Annotated[int, typer.Argument(help="Number of the journal within the recall", min=1)],
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file [default: standard output]")] = None,
    api: Api = API,
    role: As = "",
) -> None:
    """A closed journal as CSV, the bytes its SHA-256 is of."""
    text = Office(api, role).text(f"{_recall(number)}/journals/{sequence}/lines.csv")
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_bytes(text.encode())
    except OSError as error:
        fail(f"{out}: {error.strerror}")


def _recall(number: str) -> str:
    return f"/v1/recalls/{quote(number, safe='')}"


def _decided(row: dict[str, Any]) -> None:
    by = row["decided_by"] or row["proposed_by"]
    accounts = f"{row['debit']} to {row['credit']}" if row["debit"] else "no accounts"
    _line(f"row {row['id']}: {row['kind']}, {accounts}, from {row['valid_from']}: {row['state']} by {by}")


def _show(rows: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        _json(rows)
        return
    table = Table(*(column.replace("_", " ") for column in columns))
    for row in rows:
        cells = (_sums(row[column]) if isinstance(row[column], dict) else row[column] for column in columns)
        table.add_row(*("" if cell is None else str(cell) for cell in cells))
    _out.print(table)


def _sums(totals: dict[str, str]) -> str:
    return ", ".join(f"{amount} {currency}" for currency, amount in totals.items())


def _json(found: object) -> None:
    sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")


__all__ = ["accounts_app", "costs_app", "journals_app"]
