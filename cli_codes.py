"""`recall codes import|search`: the IMDRF code list that causes, nonconformities and complaints are coded with.

Exit code 2: the file is no such list, a newer one is on record, or the database cannot be reached; one line says which.
"""

import getpass
import hashlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli_token import AsJson, DatabaseUrl, refuse, with_database
from db.engine import SessionFactory
from db.repositories import codes
from db.repositories.codes import ListFile, ListRefused, Loaded
from domain.codes import CodeListUnreadable, read_codes

codes_app = typer.Typer(name="codes", help="The IMDRF code list.", no_args_is_help=True)
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
_MOST_BYTES = 20_000_000


@codes_app.command("import")
def import_codes(
    file: Annotated[Path, typer.Argument(help="FDA's CSV of the annexes", show_default=False)],
    version: Annotated[str, typer.Option("--version", help="Version, as the publisher names it", show_default=False)],
    valid_from: Annotated[
        datetime | None, typer.Option("--valid-from", formats=["%Y-%m-%d"], help="First day [default: today]")
    ] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = "",
) -> None:
    """Enter a version of the list; terms it leaves out are retired from its first day."""
    if not version.strip() or len(version) > 60:
        refuse("--version: 1 to 60 characters")
    try:
        if file.stat().st_size > _MOST_BYTES:
            refuse(f"{file}: expected a list of at most {_MOST_BYTES:,} bytes")
        content = file.read_bytes()
        terms = read_codes(content.decode("utf-8"))
    except (OSError, UnicodeDecodeError, CodeListUnreadable) as error:
        refuse(f"{file}: {error}")
    now = datetime.now(UTC)
    first = valid_from.replace(tzinfo=UTC) if valid_from else now.replace(hour=0, minute=0, second=0, microsecond=0)
    given = ListFile(version.strip(), first, file.name, hashlib.sha256(content).hexdigest())

    async def work(sessions: SessionFactory) -> Loaded:
        async with sessions.begin() as session:
            return await codes.load(session, terms, given, by=getpass.getuser(), now=now)

    try:
        found = with_database(database_url, work)
    except ListRefused as error:
        refuse(str(error))
    annexes: dict[str, int] = {}
    for each in terms:
        annexes[each.annex] = annexes.get(each.annex, 0) + 1
    if as_json:
        facts = {"version": given.version, "terms": found.terms, "retired": found.retired, "new": found.new}
        sys.stdout.write(json.dumps(facts | {"annexes": annexes}) + "\n")
        return
    counted = ", ".join(f"{annex}: {count}" for annex, count in sorted(annexes.items()))
    _out.print(f"{given.version}: {found.terms} terms ({counted}), {found.retired} retired")


@codes_app.command("search")
def search(
    part: Annotated[str, typer.Argument(help="Part of a term, or the beginning of a code")],
    annex: Annotated[str | None, typer.Option("--annex", help="Only this annex, A to G")] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = "",
) -> None:
    """Terms in force that contain the text."""

    async def work(sessions: SessionFactory) -> list[dict[str, Any]]:
        async with sessions() as session:
            rows = await codes.search(session, part=part, annex=annex, parent=None, retired=False, after="", limit=200)
        return [row.model_dump(mode="json", include={"code", "annex", "term", "definition"}) for row in rows]

    found = with_database(database_url, work)
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        return
    table = Table("code", "term")
    for row in found:
        table.add_row(row["code"], row["term"])
    _out.print(table)


__all__ = ["codes_app"]
