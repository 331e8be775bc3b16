"""`recall staff password|unlock|train|untrained`: what our people need before they can sign.

A password is never an argument: it is asked for on a terminal, else read from RECALL_STAFF_PASSWORD or standard input.
It is an initial one, good only for choosing the next (`PUT /v1/me/password`). Exit code 2: a value cannot be, or the
database cannot be reached; one line says which.
"""

import getpass
import json
import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from cli_token import AsJson, DatabaseUrl, refuse, with_database
from db.engine import SessionFactory
from db.password_hash import hash_password
from db.repositories import signing_accounts, training
from db.repositories.signing_accounts import By
from db.repositories.training import Training
from domain.passwords import fault_of
from models.schemas_signing import TrainingIn
from settings import get_settings

PASSWORD_VARIABLE = "RECALL_STAFF_PASSWORD"  # noqa: S105 - a name, not a password
Principal = Annotated[str, typer.Argument(help="Principal of the access tokens", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """The commands, as part of `recall staff`."""
    app.command("password")(password)
    app.command("unlock")(unlock)
    app.command("train")(train)
    app.command("untrained")(untrained)


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


def train(
    principal: Principal,
    policy: Annotated[str, typer.Option(help="Id of the policy, for example us-fda", show_default=False)],
    version: Annotated[int, typer.Option(min=1, max=1_000_000, help="Version trained on", show_default=False)],
    evidence: Annotated[str, typer.Option(help="Reference of what proves it", show_default=False)],
    by: Annotated[str, typer.Option(help="Who vouches for it: another person", show_default=False)],
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of the training; today")] = None,
    database_url: DatabaseUrl = "",
) -> None:
    """Record that somebody was trained on a version of a policy; nobody vouches for their own, or types it in."""
    vouching = by.strip()
    if not vouching or len(vouching) > 120 or not vouching.isprintable():
        refuse("--by: expected a principal, 1 to 120 characters on one line")
    now = datetime.now(UTC)
    try:
        body = TrainingIn(
            principal=_principal(principal),
            policy_id=policy,
            version=version,
            trained_on=on.date() if on else now.date(),
            evidence=evidence,
        )
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        refuse(f"{'.'.join(str(part) for part in fault['loc'])}: {str(fault['msg']).removeprefix('Value error, ')}")
    if body.trained_on > now.date():
        refuse("--on: expected today or an earlier day")

    async def work(sessions: SessionFactory) -> bool:
        async with sessions.begin() as session:
            given = Training(**body.model_dump())
            return await training.record(
                session, given, by=vouching, role="command line", at=now, typed_by=getpass.getuser()
            )

    new = with_database(database_url, work)
    done = "recorded" if new else "on record already"
    sys.stdout.write(f"{body.principal}: {body.policy_id} version {body.version}: {done}\n")


def untrained(database_url: DatabaseUrl = "", as_json: AsJson = False) -> None:
    """Everybody whose function signs, with each policy in force they are not trained on."""
    now = datetime.now(UTC)

    async def work(sessions: SessionFactory) -> list[tuple[str, str, int, int | None]]:
        async with sessions() as session:
            return await training.gaps(session, await training.in_force(session, now.date()), now)

    rows = with_database(database_url, work)
    if as_json:
        names = ("principal", "policy_id", "version", "trained_version")
        sys.stdout.write(json.dumps([dict(zip(names, row, strict=True)) for row in rows], ensure_ascii=False) + "\n")
        return
    for principal, policy, version, has in rows:
        trained = f"trained on version {has}" if has else "not trained"
        sys.stdout.write(f"{principal}: {policy} version {version}: {trained}\n")
    if not rows:
        sys.stdout.write("everybody who signs is trained on what is in force\n")


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
