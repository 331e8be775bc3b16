"""`recall token create|list|revoke`: bearer tokens of the HTTP API. A secret is printed once and never stored.

Exit code 2: the token or role is unknown, or the database cannot be reached; one line says which.
"""

import asyncio
import getpass
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from db.engine import SessionFactory, make_engine, make_session_factory
from db.repositories import tokens
from domain.roles import Role

T = TypeVar("T")
token_app = typer.Typer(name="token", help="Bearer tokens of the HTTP API.", no_args_is_help=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)

DatabaseUrl = Annotated[
    str, typer.Option("--database-url", envvar="DATABASE_URL", show_default=False, help="postgresql:// address")
]
Roles = Annotated[list[Role], typer.Option("--role", help="Role; repeatable", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON")]


def refuse(message: str) -> NoReturn:
    """One line on standard error and exit code 2."""
    _errors.print(message, markup=False)
    raise typer.Exit(2)


def with_database(url: str, work: Callable[[SessionFactory], Awaitable[T]]) -> T:
    """Run `work` over the database behind `url`; an unreachable one is one line, not a traceback."""
    if not url:
        refuse("DATABASE_URL is not set; start the embedded stack with `recall up` or give --database-url")

    async def run() -> T:
        engine = make_engine(url, application_name="recall-cli", pool_size=1)
        try:
            return await work(make_session_factory(engine))
        finally:
            await engine.dispose()

    try:
        return asyncio.run(run())
    except ValueError as error:
        refuse(str(error))
    except (DBAPIError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines() or ["unknown"]
        refuse(f"database: {reason[0]}")


@token_app.command("create")
def create(
    principal: Annotated[str, typer.Argument(help="The person the token speaks for", show_default=False)],
    role: Roles,
    database_url: DatabaseUrl = "",
    name: Annotated[str, typer.Option(help="What the token is for")] = "command line",
    days: Annotated[int, typer.Option(min=1, max=3660, help="Days until it expires")] = 365,
) -> None:
    """Make a token and print its secret, once."""
    if not principal.strip() or len(principal) > 120 or len(name) > 120:
        refuse("principal and --name: 1 to 120 characters")

    async def work(sessions: SessionFactory) -> str:
        now = datetime.now(UTC)
        async with sessions.begin() as session:
            _, secret = await tokens.create(
                session,
                principal=principal.strip(),
                name=name,
                roles=list(dict.fromkeys(role)),
                actor=getpass.getuser(),
                now=now,
                expires_at=now + timedelta(days=days),
            )
            return secret

    sys.stdout.write(with_database(database_url, work) + "\n")


@token_app.command("list")
def list_tokens(database_url: DatabaseUrl = "", as_json: AsJson = False) -> None:
    """Every token without its secret: whose, which roles, until when."""

    async def work(sessions: SessionFactory) -> list[dict[str, object]]:
        async with sessions() as session:
            return [row.model_dump(mode="json", exclude={"token_sha256"}) for row in await tokens.list_all(session)]

    rows = with_database(database_url, work)
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return
    columns = ("id", "principal", "name", "roles", "created_at", "expires_at", "revoked_at")
    table = Table(*columns)
    for row in rows:
        roles = row["roles"]
        shown = row | {"roles": ", ".join(roles) if isinstance(roles, list) else ""}
        table.add_row(*(str(shown[column] if shown[column] is not None else "") for column in columns))
    _out.print(table)


@token_app.command("revoke")
def revoke(
    token_id: Annotated[int, typer.Argument(help="Id as `recall token list` shows it", show_default=False)],
    database_url: DatabaseUrl = "",
) -> None:
    """End a token at once."""

    async def work(sessions: SessionFactory) -> bool:
        async with sessions.begin() as session:
            return await tokens.revoke(session, token_id, actor=getpass.getuser(), now=datetime.now(UTC))

    if not with_database(database_url, work):
        refuse(f"token {token_id}: there is none with this id, or it is revoked already")
    sys.stdout.write(f"token {token_id} is revoked\n")


__all__ = ["refuse", "token_app", "with_database"]
