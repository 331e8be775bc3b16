"""`recall nonconformities list`: nonconformities with their state, on the command line.

Exit code 2: the database cannot be reached; one line says why.
"""

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli_token import AsJson, DatabaseUrl, with_database
from db.engine import SessionFactory
from db.repositories import nonconformity_read
from domain.nonconformity import NcState

nonconformities_app = typer.Typer(
    name="nonconformities", help="Product and processes that do not conform.", no_args_is_help=True
)
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
_MOST = 1000


@nonconformities_app.command("list")
def list_nonconformities(
    state: Annotated[NcState | None, typer.Option("--state", help="Only in this state")] = None,
    recall: Annotated[str | None, typer.Option("--recall", help="Linked with this recall")] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = "",
) -> None:
    """By number, the first thousand."""

    async def work(sessions: SessionFactory) -> list[dict[str, Any]]:
        async with sessions() as session:
            rows = await nonconformity_read.listed(
                session, state=state, source=None, recall_number=recall, code=None, after="", limit=_MOST
            )
        return [row.model_dump(mode="json") | {"title": file.title} for row, file in rows]

    found = with_database(database_url, work)
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
        return
    table = Table("number", "title", "source", "severity", "state", "detected")
    for row in found:
        table.add_row(*(str(row[name]) for name in ("number", "title", "source", "severity", "state", "detected_at")))
    _out.print(table)


__all__ = ["nonconformities_app"]
