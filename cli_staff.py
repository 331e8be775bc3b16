"""`recall staff set|list`: who our people are, how to reach them, who is away and who stands in.

`set` changes what is named and keeps the rest. Exit code 2: a value cannot be, or the database cannot be reached; one
line says which.
"""

import getpass
import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

import cli_staff_signing
from cli_staff_responsible import responsible_app
from cli_token import AsJson, DatabaseUrl, refuse, with_database
from db.engine import SessionFactory
from db.repositories import staff
from domain.roles import Role
from models.schemas_tasks import StaffIn

staff_app = typer.Typer(name="staff", help="Our own people, their absence and stand-ins.", no_args_is_help=True)
cli_staff_signing.add_to(staff_app)
staff_app.add_typer(responsible_app)
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]
_PAGE = 500


@staff_app.command("set")
def set_person(
    principal: Annotated[str, typer.Argument(help="Principal of the access tokens", show_default=False)],
    database_url: DatabaseUrl = "",
    name: Annotated[str | None, typer.Option(help="Full name; the principal for a new person")] = None,
    role: Annotated[list[Role] | None, typer.Option("--role", help="Function; repeatable, replaces all")] = None,
    email: Annotated[str | None, typer.Option(help="E-mail address; empty removes it")] = None,
    phone: Annotated[str | None, typer.Option(help="E.164, for example +14155550123; empty removes it")] = None,
    language: Annotated[str | None, typer.Option(help="en or zh-CN")] = None,
    on_call: Annotated[bool | None, typer.Option(help="Paged when harm is reported")] = None,
    stand_in: Annotated[str | None, typer.Option(help="Who gets the tasks while absent; empty removes it")] = None,
    absent_from: Annotated[
        datetime | None, typer.Option(formats=_FORMATS, help="Beginning of the absence, UTC")
    ] = None,
    absent_until: Annotated[datetime | None, typer.Option(formats=_FORMATS, help="End of the absence, UTC")] = None,
    back: Annotated[bool, typer.Option("--back", help="Not absent any more")] = False,
) -> None:
    """Create or change a person's record."""
    if not principal.strip() or len(principal) > 120:
        refuse("principal: 1 to 120 characters")
    given: dict[str, Any] = {
        "name": name,
        "roles": role or None,
        "email": email,
        "phone": phone,
        "language": language,
        "on_call": on_call,
        "stand_in": stand_in,
        "absent_from": _utc(absent_from),
        "absent_until": _utc(absent_until),
    }

    async def work(sessions: SessionFactory) -> bool:
        async with sessions.begin() as session:
            row = await staff.find(session, principal)
            known: dict[str, Any] = row.model_dump(exclude={"principal"}) if row else {"name": principal, "roles": []}
            if back:
                known |= {"absent_from": None, "absent_until": None}
            changed = {field: value for field, value in given.items() if value is not None}
            facts = _checked({field: value if value != "" else None for field, value in (known | changed).items()})
            if facts.stand_in is not None and await staff.find(session, facts.stand_in) is None:
                refuse(f"--stand-in: {facts.stand_in} is not on staff; set that record first")
            actor = getpass.getuser()
            return await staff.put(session, principal, facts, actor=actor, role="command line", at=datetime.now(UTC))

    changed = with_database(database_url, work)
    sys.stdout.write(f"{principal}: {'recorded' if changed else 'nothing to change'}\n")


def _utc(given: datetime | None) -> datetime | None:
    return given.replace(tzinfo=UTC) if given else None


def _checked(values: dict[str, Any]) -> staff.StaffFacts:
    """The record, held to the same rules as the API's."""
    try:
        body = StaffIn.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "record"
        refuse(f"{where}: {str(fault['msg']).removeprefix('Value error, ')}")
    return staff.StaffFacts(**body.model_dump(exclude={"roles"}), roles=tuple(each.value for each in body.roles))


@staff_app.command("list")
def list_staff(database_url: DatabaseUrl = "", as_json: AsJson = False) -> None:
    """Everybody on record."""

    async def work(sessions: SessionFactory) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        now = datetime.now(UTC)
        async with sessions() as session:
            after = None
            while page := await staff.listed(session, after=after, limit=_PAGE):
                found += [row.model_dump(mode="json") | {"absent": staff.is_absent(row, now)} for row in page]
                after = page[-1].principal
        return found

    rows = with_database(database_url, work)
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return
    table = Table("principal", "name", "functions", "e-mail", "phone", "on call", "stand-in", "absent")
    for row in rows:
        away = f"until {row['absent_until'] or 'further notice'}" if row["absent"] else ""
        on_call = "yes" if row["on_call"] else ""
        cells = (row["principal"], row["name"], ", ".join(row["roles"]), row["email"], row["phone"], on_call)
        table.add_row(*(str(cell or "") for cell in (*cells, row["stand_in"], away)))
    _out.print(table)


__all__ = ["staff_app"]
