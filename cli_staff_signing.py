"""`recall staff password|unlock|train|untrained`: what our people need before they can sign.

A password is never an argument: it is asked for on a terminal, else read from RECALL_STAFF_PASSWORD or standard input.
It is an initial one, good only for choosing the next (`PUT /v1/me/password`). Exit code 2: a value cannot be, or the
database cannot be reached; one line says which.
"""

import getpass
import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli_token import DatabaseUrl, refuse, with_database
from db.engine import SessionFactory
from db.password_hash import hash_password
from db.repositories import signing_accounts
from db.repositories.signing_accounts import By
from domain.passwords import fault_of
from settings import get_settings

PASSWORD_VARIABLE = "RECALL_STAFF_PASSWORD"  # noqa: S105 - a name, not a password
Principal = Annotated[str, typer.Argument(help="Principal of the access tokens", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """The commands, as part of `recall staff`."""
    app.command("password")(password)
    app.command("unlock")(unlock)


def password(principal: Principal, database_url: DatabaseUrl = "") -> None:
    """Set a person's initial signing password; the person must change it before signing."""
    name = _principal(principal)
    given = _read_password()
    if fault := fault_of(given, principal=name, least=get_settings().password_min_length):
        refuse(f"password: {fault}")
    stored = hash_password(given)

    async def work(sessions: SessionFactory) -> None:
        async with sessions.begin() as session:
            await signing_accounts.set_password(session, name, given, _by(), initial=True, password_hash=stored)

    with_database(database_url, work)
    sys.stdout.write(f"{name}: initial password set; it must be changed before the first signature\n")


def unlock(
    principal: Principal,
    reason: Annotated[str, typer.Option(help="Why it is clear who typed the wrong passwords", show_default=False)],
    database_url: DatabaseUrl = "",
) -> None:
    """Let a person who is locked out after wrong passwords try again."""
    name = _principal(principal)
    if not reason.strip() or len(reason) > 2000:
        refuse("--reason: 1 to 2,000 characters")

    async def work(sessions: SessionFactory) -> bool:
        async with sessions.begin() as session:
            return await signing_accounts.unlock(session, name, _by(), reason.strip())

    if not with_database(database_url, work):
        refuse(f"{name}: not locked out")
    sys.stdout.write(f"{name}: may try again\n")


def _by() -> By:
    return By(getpass.getuser(), "command line", datetime.now(UTC))


def _principal(given: str) -> str:
    name = given.strip()
    if not name or len(name) > 120:
        refuse("principal: 1 to 120 characters")
    return name


def _read_password() -> str:
    """From the terminal, typed twice; else from the variable, else the first line of standard input."""
    if os.environ.get(PASSWORD_VARIABLE):
        return os.environ[PASSWORD_VARIABLE]
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Initial password: ")
    if getpass.getpass("Once more: ") != first:
        refuse("password: the two do not match")
    return first


__all__ = ["PASSWORD_VARIABLE", "add_to"]
