"""`recall staff responsible add|end|list`: who answers for a function, a product line and a place.

Exit code 2: a value cannot be, or the database cannot be reached; one line says which.
"""

import getpass
import json
import sys
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from cli_token import AsJson, DatabaseUrl, refuse, with_database
from db.engine import SessionFactory
from db.repositories import responsibilities
from db.repositories.responsibilities import By, ResponsibilityFacts, ResponsibilityRefused
from domain.roles import Role
from models.responsibility import Responsibility
from models.schemas_responsibility import ResponsibilityIn

responsible_app = typer.Typer(
    name="responsible", help="Who answers for a function, a product and a place.", no_args_is_help=True
)
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
_DAYS = ["%Y-%m-%d"]
_PAGE = 500


@responsible_app.command("add")
def add(
    principal: Annotated[str, typer.Argument(help="Principal of the access tokens", show_default=False)],
    role: Annotated[Role, typer.Option(help="Function", show_default=False)],
    database_url: DatabaseUrl = "",
    product: Annotated[str | None, typer.Option(help="Product line; * for any characters; none: every one")] = None,
    country: Annotated[str | None, typer.Option(help="ISO code, or EU; none: every place")] = None,
    region: Annotated[str | None, typer.Option(help="Region of the country, as the partners' records name it")] = None,
    stand_in: Annotated[str | None, typer.Option(help="Who is asked while the person is away")] = None,
    first_day: Annotated[datetime | None, typer.Option("--from", formats=_DAYS, help="First day; today")] = None,
    last_day: Annotated[datetime | None, typer.Option("--to", formats=_DAYS, help="Last day; none: no end")] = None,
) -> None:
    """Record who answers for what."""
    given = {
        "role": role,
        "principal": principal,
        "product": product,
        "country": country,
        "region": region,
        "stand_in": stand_in,
        "valid_from": first_day.date() if first_day else datetime.now(UTC).date(),
        "valid_to": last_day.date() if last_day else None,
    }
    try:
        facts = ResponsibilityFacts(**ResponsibilityIn.model_validate(given).model_dump())
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        refuse(f"{f'{where}: ' if where else ''}{str(fault['msg']).removeprefix('Value error, ')}")

    async def work(sessions: SessionFactory) -> int:
        async with sessions.begin() as session:
            try:
                return (await responsibilities.add(session, facts, _by())).id or 0
            except ResponsibilityRefused as error:
                refuse(f"{error.field}: {error}")

    sys.stdout.write(f"{principal}: recorded as {with_database(database_url, work)}\n")


@responsible_app.command("end")
def end(
    responsibility: Annotated[int, typer.Argument(min=1, help="Its number in the list", show_default=False)],
    database_url: DatabaseUrl = "",
    on: Annotated[datetime | None, typer.Option(formats=_DAYS, help="Last day; today")] = None,
) -> None:
    """Set the last day; nothing is deleted."""
    day: date = on.date() if on else datetime.now(UTC).date()

    async def work(sessions: SessionFactory) -> Responsibility | None:
        async with sessions.begin() as session:
            try:
                return await responsibilities.end(session, responsibility, day, _by())
            except ResponsibilityRefused as error:
                refuse(f"{error.field}: {error}")

    row = with_database(database_url, work)
    if row is None:
        refuse(f"{responsibility}: no such responsibility")
    sys.stdout.write(f"{row.principal}: until {day}\n")


@responsible_app.command("list")
def list_all(
    database_url: DatabaseUrl = "",
    role: Annotated[Role | None, typer.Option(help="Only this function")] = None,
    on: Annotated[datetime | None, typer.Option(formats=_DAYS, help="Only what counts on this day")] = None,
    as_json: AsJson = False,
) -> None:
    """Everything on record, in the order it was recorded."""

    async def work(sessions: SessionFactory) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with sessions() as session:
            after, day = 0, on.date() if on else None
            while page := await responsibilities.listed(session, role=role, on=day, after=after, limit=_PAGE):
                found += [row.model_dump(mode="json") for row in page]
                after = page[-1].id or 0
        return found

    rows = with_database(database_url, work)
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return
    names = ("id", "role", "product", "country", "region", "principal", "stand_in", "valid_from", "valid_to")
    table = Table(*(name.replace("_", " ") for name in names))
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in names))
    _out.print(table)


def _by() -> By:
    return By(getpass.getuser(), "command line", datetime.now(UTC))


__all__ = ["responsible_app"]
