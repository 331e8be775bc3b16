"""`recall tasks list|move`: everybody's open tasks on the command line, and one command for an absent person's.

It works on the database directly and tells the workflows afterwards; a signal that is lost costs nothing. Exit code 2:
a person or recall is unknown, or the database cannot be reached; one line says which.
"""

import asyncio
import getpass
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from cli_token import AsJson, DatabaseUrl, refuse, with_database
from db.engine import SessionFactory
from db.repositories import recalls_read, staff, task_actions, task_list, unplaced
from domain.roles import Role
from plugin import recall_plugin

tasks_app = typer.Typer(name="tasks", help="What people have to do.", no_args_is_help=True)
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
_MOST = 1000

RecallOption = Annotated[str | None, typer.Option("--recall", help="Of one recall only")]


@tasks_app.command("list")
def list_tasks(
    database_url: DatabaseUrl = "",
    person: Annotated[str | None, typer.Option("--person", help="Whose day: a principal")] = None,
    recall: RecallOption = None,
    role: Annotated[Role | None, typer.Option("--role", help="Function a task is offered to")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Late ones only")] = False,
    as_json: AsJson = False,
) -> None:
    """Open tasks, oldest first; with --person somebody's whole day, including whom they stand in for."""

    async def work(sessions: SessionFactory) -> tuple[list[dict[str, Any]], tuple[int, int]]:
        now = datetime.now(UTC)
        async with sessions() as session:
            whose = None
            if person is not None:
                roles = await staff.roles_of(session, person, now)
                away = await staff.stands_in_for(session, person, now)
                more = [each for other in away for each in other.roles]
                whose = task_list.Whose([person, *(each.principal for each in away)], sorted({*roles, *more}))
            rows = await task_list.list_open(
                session, number=recall, mine=whose, role=role, overdue=overdue, limit=_MOST, now=now
            )
            messages = await unplaced.waiting(session)
        return [task.model_dump(mode="json") | {"overdue": task_list.is_late(task, now)} for task in rows], messages

    try:
        found, messages = with_database(database_url, work)
    except staff.UnknownPerson:
        refuse(f"{person}: nobody on staff and no token has this principal")
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
        return
    _show(found, messages)


def _show(found: list[dict[str, Any]], waiting: tuple[int, int]) -> None:
    table = Table("id", "recall", "what", "for", "assignee", "due", "state")
    for row in found:
        due = f"{row['due_at'] or ''}{' LATE' if row['overdue'] else ''}"
        cells = (
            row["id"],
            row["recall_number"] or row["file_number"],
            row["what"],
            row["role"],
            row["assignee"] or "",
            due,
            row["state"],
        )
        table.add_row(*map(str, cells))
    _out.print(table)
    if len(found) == _MOST:
        _out.print(f"only the first {_MOST} are shown; narrow the list")
    messages, harm = waiting
    if harm:
        _out.print(f"HARM that no recall has on record, in messages that wait for a reader: {harm}")
    if messages:
        _out.print(f"messages that belong to nobody and wait for a reader: {messages} (GET /v1/unplaced-messages)")


@tasks_app.command("move")
def move(
    leaver: Annotated[str, typer.Option("--from", help="Who is away", show_default=False)],
    taker: Annotated[str, typer.Option("--to", help="Who gets the tasks", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="For the record", show_default=False)],
    database_url: DatabaseUrl = "",
    recall: RecallOption = None,
) -> None:
    """Move everything assigned to one person to another; due times stay as they are."""
    if not reason.strip() or len(reason) > 2000:
        refuse("--reason: 1 to 2000 characters")
    if leaver == taker:
        refuse("--from and --to: expected two different people")

    async def work(sessions: SessionFactory) -> task_actions.Moved:
        async with sessions.begin() as session:
            if recall is not None and await recalls_read.find(session, recall) is None:
                refuse(f"--recall: there is no recall {recall}")
            doer = task_actions.Doer(getpass.getuser(), "command line")
            moved = await task_actions.move(
                session,
                doer=doer,
                leaver=leaver,
                taker=taker,
                reason=reason.strip(),
                number=recall,
                now=datetime.now(UTC),
            )
        await _tell(moved.owners)
        return moved

    # A refusal of the repository is a ValueError, which `with_database` shows as one line.
    moved = with_database(database_url, work)
    sys.stdout.write(f"{len(moved.assigned)} tasks moved to {taker}")
    if moved.offered:
        sys.stdout.write(f"; {len(moved.offered)} offered to their function again, which {taker} does not hold")
    sys.stdout.write("\n")


async def _tell(owners: Iterable[tuple[str, str]]) -> None:
    """Tell the workflows that run the timers; without Temporal the next due time finds out by itself."""
    by_owner = dict(owners)
    if not by_owner:
        return
    try:
        async with asyncio.timeout(5):
            config = ClientConfig.load_client_connect_config()
            client = await Client.connect(**config, plugins=[recall_plugin()])
            for owner, key in by_owner.items():
                try:
                    await client.get_workflow_handle(owner).signal("task_moved", key)
                except RPCError:
                    continue
    except (RuntimeError, TimeoutError):
        sys.stderr.write("Temporal does not answer; the workflows will notice at their next due time\n")


__all__ = ["tasks_app"]
