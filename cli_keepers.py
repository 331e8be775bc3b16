"""`recall keepers set|assign|list|probe`: who keeps stock besides our own ledger, which places, and how they fare.

Exit code 2: a value cannot be, the keeper does not answer, or the database cannot be reached; one line says which.
"""

import asyncio
import getpass
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from adapters.inventory.assigned import AssignedKeeper
from adapters.inventory.base import InventoryError
from adapters.inventory.factory import builders
from adapters.inventory.routing import KeeperParts
from cli_token import AsJson, DatabaseUrl, refuse, with_database
from db.engine import SessionFactory
from db.repositories import keeper_book, keepers
from db.repositories.directory import KeeperDirectory
from db.repositories.keeper_book import AssignmentRefused, PlaceGiven, UnknownKeeper
from domain.keepers import LEDGER, KeeperAuth, KeeperKind, KeeperRecord, KeeperState, Skipped, reachable, secret_of
from models.schemas_keepers import KeeperIn

keepers_app = typer.Typer(name="keepers", help="Who keeps stock besides our own ledger.", no_args_is_help=True)
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
_ROLE = "command line"
Code = Annotated[str, typer.Argument(help="Code of the keeper, for example east", show_default=False)]


@keepers_app.command("set")
def set_keeper(
    code: Code,
    database_url: DatabaseUrl = "",
    kind: Annotated[KeeperKind | None, typer.Option(help="http or tryton")] = None,
    name: Annotated[str | None, typer.Option(help="What people call it; the code for a new keeper")] = None,
    url: Annotated[str | None, typer.Option("--url", help="Where its interface begins, https")] = None,
    database: Annotated[str | None, typer.Option(help="Name of its database, of Tryton only")] = None,
    auth: Annotated[KeeperAuth | None, typer.Option(help="bearer, hmac or password")] = None,
    credential: Annotated[
        str | None, typer.Option("--credential-variable", help="Environment variable RECALL_KEEPER_... of the secret")
    ] = None,
    webhook: Annotated[
        str | None, typer.Option("--webhook-variable", help="Environment variable of its webhooks' key")
    ] = None,
    per_second: Annotated[float | None, typer.Option(help="Most requests per second")] = None,
    timeout: Annotated[float | None, typer.Option(help="Longest request, seconds")] = None,
    give_up: Annotated[float | None, typer.Option(help="Longest call with its repeats, seconds")] = None,
    state: Annotated[KeeperState | None, typer.Option(help="active or suspended")] = None,
) -> None:
    """Enter a keeper, or change what is named and keep the rest."""
    given = {
        "kind": kind,
        "name": name,
        "base_url": url,
        "database": database,
        "auth": auth,
        "credential_variable": credential,
        "webhook_variable": webhook,
        "per_second": per_second,
        "timeout_seconds": timeout,
        "give_up_seconds": give_up,
        "state": state,
    }
    if code == LEDGER:
        refuse("code: our own ledger is always there and cannot be changed")

    async def work(sessions: SessionFactory) -> bool:
        async with sessions.begin() as session:
            row = await keeper_book.find(session, code)
            known = {each: getattr(row, each) for each in given} if row else {"name": code, "kind": "http"}
            body = _checked(known | {field: value for field, value in given.items() if value is not None})
            facts = KeeperRecord(code=code, **body.model_dump())
            return await keeper_book.put(session, facts, actor=getpass.getuser(), role=_ROLE, at=datetime.now(UTC))

    changed = with_database(database_url, work)
    sys.stdout.write(f"{code}: {'recorded' if changed else 'nothing to change'}\n")


def _checked(values: dict[str, Any]) -> KeeperIn:
    try:
        return KeeperIn.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "record"
        refuse(f"{where}: {str(fault['msg']).removeprefix('Value error, ')}")


@keepers_app.command("assign")
def assign(
    code: Annotated[str, typer.Argument(help="Code of the keeper; `ledger` takes places back", show_default=False)],
    places: Annotated[
        list[str], typer.Argument(help="Our code of each place, or OURS=THEIRS where it has another there")
    ],
    database_url: DatabaseUrl = "",
) -> None:
    """Give places to a keeper. Open holds there are asked for again at the next look of their recalls."""
    given = [PlaceGiven(ours, theirs or None) for ours, _, theirs in (each.partition("=") for each in places)]

    async def work(sessions: SessionFactory) -> keeper_book.Assigned:
        async with sessions.begin() as session:
            return await keeper_book.assign(
                session, code, given, actor=getpass.getuser(), role=_ROLE, at=datetime.now(UTC)
            )

    try:
        done = with_database(database_url, work)
    except UnknownKeeper:
        refuse(f"{code}: no keeper has this code")
    except AssignmentRefused as error:
        refuse(str(error))
    again = ", ".join(f"{number}: {holds} holds asked again" for number, holds in done.asked_again.items())
    sys.stdout.write(f"{code}: {done.moved} places moved{'; ' + again if again else ''}\n")


@keepers_app.command("list")
def list_keepers(database_url: DatabaseUrl = "", as_json: AsJson = False) -> None:
    """Every keeper on record and how it fares."""

    async def work(sessions: SessionFactory) -> list[dict[str, Any]]:
        async with sessions() as session:
            counts, skipped = await keeper_book.counts(session), await keepers.skip_counts(session)
            return [
                row.model_dump(mode="json")
                | {
                    "places": counts.get(row.code, 0),
                    "rows_skipped": skipped.get(row.code, 0),
                    "reachable": reachable(keepers.feed_of(row)),
                }
                for row in await keepers.listed(session)
            ]

    rows = with_database(database_url, work)
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return
    table = Table("code", "kind", "address", "places", "state", "reachable", "changes read", "skipped", "last error")
    for row in rows:
        fares = {True: "yes", False: f"no, {row['failures']} times", None: "not asked yet"}[row["reachable"]]
        cells = (row["code"], row["kind"], row["base_url"], row["places"], row["state"], fares, row["read_at"])
        table.add_row(*(str(each or "") for each in (*cells, row["rows_skipped"], row["last_error"])))
    _out.print(table)


@keepers_app.command("probe")
def probe(code: Code, database_url: DatabaseUrl = "") -> None:
    """Call a keeper from here with this environment, and say what came of it; nothing is stored."""
    notes: list[Skipped] = []

    async def note(rows: Sequence[Skipped]) -> None:
        notes.extend(rows)

    async def work(sessions: SessionFactory) -> int:
        async with sessions() as session:
            row = await keeper_book.find(session, code)
        if row is None:
            refuse(f"{code}: no keeper has this code")
        record = keepers.record_of(row)
        credential = secret_of(os.environ, record.credential_variable)
        build = builders(_ca_file()).get(record.kind)
        if credential is None:
            refuse(f"{code}: the environment variable {record.credential_variable} is not set")
        if build is None:
            refuse(f"{code}: no adapter for keepers of the kind {record.kind}")
        parts = KeeperParts(record, credential, KeeperDirectory(sessions, code), _Unpaced(), note)
        keeper = AssignedKeeper(build(parts), lambda _: True, None)
        try:
            return len((await keeper.changes(row.cursor, limit=100)).changes)
        except InventoryError as error:
            refuse(str(error))
        finally:
            await keeper.close()

    changes = with_database(database_url, work)
    sys.stdout.write(
        f"{code}: answers; {changes} changes of lots on record wait, {len(notes)} rows could not be taken\n"
    )


def _ca_file() -> Path | None:
    named = os.environ.get("RECALL_KEEPER_CA_FILE")
    return Path(named) if named else None


class _Unpaced:
    """The pace of one probe."""

    async def turn(self, priority: int, units: float, owner: object) -> bool:
        """At once."""
        del priority, units, owner
        return True

    async def too_fast(self, retry_after: object) -> None:
        """The next try waits by itself."""
        del retry_after
        await asyncio.sleep(0)


__all__ = ["keepers_app"]
