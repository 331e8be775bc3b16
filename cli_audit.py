"""`recall audit verify NUMBER`: recompute a recall's audit chain and name the first broken link; check each signature.

Exit code 0: chain and signatures hold; 1: something does not; 2: there is no such recall, or the database cannot be
reached.
"""

import json
import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from cli_token import AsJson, DatabaseUrl, refuse, with_database
from db.engine import SessionFactory
from db.repositories import audit, signature_rows
from db.repositories.dossier import snapshot
from db.repositories.recall_views import audit_head
from dossier.verify_rules import SIGNED
from dossier.verify_signatures import Signatures

audit_app = typer.Typer(name="audit", help="The hash-chained record of a recall.", no_args_is_help=True)


@audit_app.callback()
def _group() -> None:
    """Keeps `verify` a subcommand while it is the only one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one stream."""

    events: int | None
    head: str | None
    broken: int | None
    signatures: int = 0
    faults: tuple[str, ...] = ()


@audit_app.command("verify")
def verify(
    number: Annotated[str, typer.Argument(help="Recall number, or `system`", show_default=False)],
    database_url: DatabaseUrl = "",
    as_json: AsJson = False,
) -> None:
    """Check every link from the first event to the head, and every signature with what it is under."""

    async def work(sessions: SessionFactory) -> Verdict | None:
        async with sessions() as session:
            head = await audit_head(session, number)
            broken = await audit.first_broken_link(session, number)
        if head is None:
            return None if broken is None else Verdict(None, None, broken)
        signatures, faults = await _signatures(sessions, number)
        return Verdict(head.seq, head.hash, broken, signatures, tuple(faults))

    found = with_database(database_url, work)
    if found is None:
        refuse(f"{number}: no audit trail has this name")
    if as_json:
        result = {
            "stream": number,
            "intact": found.broken is None and not found.faults,
            "events": found.events,
            "head": found.head,
            "first_broken": found.broken,
            "signatures": found.signatures,
            "signature_faults": list(found.faults),
        }
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    else:
        _print(number, found)
    if found.broken is not None or found.faults:
        raise typer.Exit(1)


async def _signatures(sessions: SessionFactory, number: str) -> tuple[int, list[str]]:
    """How many signatures the stream has, and what does not hold of them; read from one snapshot."""
    async with snapshot(sessions) as session:
        rows = await signature_rows.read(session, number, {table for table, *_ in SIGNED})
        found = Signatures(number, lambda table: rows.get(table, []), await signature_rows.chain(session, number))
    return len(found.known), found.check()


def _print(number: str, found: Verdict) -> None:
    if found.events is None:
        where = f"broken at event {found.broken}: the chain's head, which says how it must end, is gone"
    elif found.broken is not None:
        where = f"broken at event {found.broken} of {found.events}"
    else:
        where = f"{found.events} events, every link holds; head {found.head}"
    sys.stdout.write(f"{number}: {where}\n")
    if found.events is not None and not found.faults:
        sys.stdout.write(f"{number}: {found.signatures} signatures, each as it was made\n")
    for fault in found.faults:
        sys.stdout.write(f"{number}: {fault}\n")


__all__ = ["audit_app"]
