"""`recall audit verify NUMBER`: recompute a recall's audit chain and name the first broken link.

Exit code 0: the chain holds; 1: it is broken; 2: there is no such recall, or the database cannot be reached.
"""

import json
import sys
from typing import Annotated

import typer

from cli_token import AsJson, DatabaseUrl, refuse, with_database
from db.engine import SessionFactory
from db.repositories import audit
from db.repositories.recall_views import audit_head

audit_app = typer.Typer(name="audit", help="The hash-chained record of a recall.", no_args_is_help=True)


@audit_app.callback()
def _group() -> None:
    """Keeps `verify` a subcommand while it is the only one."""


@audit_app.command("verify")
def verify(
    number: Annotated[str, typer.Argument(help="Recall number, or `system`", show_default=False)],
    database_url: DatabaseUrl = "",
    as_json: AsJson = False,
) -> None:
    """Check every link from the first event to the head."""

    async def work(sessions: SessionFactory) -> tuple[int | None, str | None, int | None] | None:
        async with sessions() as session:
            head = await audit_head(session, number)
            broken = await audit.first_broken_link(session, number)
        if head is None:
            return None if broken is None else (None, None, broken)
        return head.seq, head.hash, broken

    found = with_database(database_url, work)
    if found is None:
        refuse(f"{number}: no audit trail has this name")
    events, head, broken = found
    if as_json:
        result = {"stream": number, "intact": broken is None, "events": events, "head": head, "first_broken": broken}
        sys.stdout.write(json.dumps(result) + "\n")
    elif broken is None:
        sys.stdout.write(f"{number}: {events} events, every link holds; head {head}\n")
    elif events is None:
        sys.stdout.write(f"{number}: broken at event {broken}: the chain's head, which says how it must end, is gone\n")
    else:
        sys.stdout.write(f"{number}: broken at event {broken} of {events}\n")
    if broken is not None:
        raise typer.Exit(1)


__all__ = ["audit_app"]
