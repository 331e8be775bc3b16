"""`recall retention list`: until when the file of each recall is kept, and what else keeps it.

Reads only; a file is deleted through the API, by two persons. Exit code 2: the database cannot be reached, or a day
cannot be read; one line says which.
"""

import json
import sys
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli_token import AsJson, DatabaseUrl, refuse, with_database
from db.engine import SessionFactory
from db.repositories import retention
from domain.retention_rules import reasons_to_keep

retention_app = typer.Typer(name="retention", help="How long files are kept.", no_args_is_help=True)
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


@retention_app.callback()
def _group() -> None:
    """Keeps `list` a subcommand while it is the only one."""


@retention_app.command("list")
def list_files(
    database_url: DatabaseUrl = "",
    due_by: Annotated[str, typer.Option(help="Only files kept until this day or earlier, YYYY-MM-DD")] = "",
    as_json: AsJson = False,
) -> None:
    """Every file with its retention date; a running recall as if it ended today."""
    until = _day(due_by) if due_by else None

    async def work(sessions: SessionFactory) -> list[dict[str, Any]]:
        now, found = datetime.now(UTC), []
        async with sessions() as session:
            for recall in await retention.files(session):
                standing = await retention.standing(session, recall, now)
                if until is not None and (standing.keep_until is None or standing.keep_until > until):
                    continue
                found.append(
                    {
                        "number": recall.number,
                        "phase": recall.phase,
                        "keep_until": standing.keep_until.isoformat() if standing.keep_until else None,
                        "must_stay_because": list(reasons_to_keep(standing, now.date())),
                    }
                )
        return found

    rows = with_database(database_url, work)
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return
    table = Table("recall", "phase", "kept until", "must stay because")
    for row in rows:
        table.add_row(row["number"], row["phase"], row["keep_until"] or "-", "; ".join(row["must_stay_because"]) or "-")
    _out.print(table)


def _day(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        refuse(f"--due-by: expected a day like 2043-04-01, got {given[:40]!r}")


__all__ = ["retention_app"]
