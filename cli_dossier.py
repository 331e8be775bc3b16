"""`recall dossier NUMBER --out FILE`: the whole file of one recall as one archive, and its verifier.

Exit code 0: written and complete; 1: written, but parts could not be had (named in the file and on standard error);
2: nothing was written: no such recall, the file exists, or the database cannot be reached.
"""

import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from temporalio.client import Client
from temporalio.envconfig import ClientConfig

from adapters.evidence.factory import build_evidence_store
from cli_token import DatabaseUrl, refuse, with_database
from db.engine import SessionFactory
from domain.recall_number import RecallNumber, RecallNumberError
from domain.roles import Role
from dossier.export import Exported, Exporter, Order, UnknownRecall
from dossier.verifier import verifier_source
from plugin import recall_plugin
from settings import get_settings
from stack.commands import leave


def dossier(
    number: Annotated[str, typer.Argument(help="Recall number", show_default=False)] = "",
    out: Annotated[Path | None, typer.Option("--out", help="Archive to write (.zip)", show_default=False)] = None,
    without_histories: Annotated[
        str, typer.Option("--without-histories", metavar="REASON", help="Leave Temporal's histories out, and say why")
    ] = "",
    verifier: Annotated[bool, typer.Option("--verifier", help="Print the stand-alone verifier and do nothing else")] = (
        False
    ),
    database_url: DatabaseUrl = "",
) -> None:
    """Write the evidence file of a recall: record, documents, evidence, audit, histories, manifest, verifier."""
    if verifier:
        sys.stdout.write(verifier_source())
        return
    order, target = _order(number, without_histories), _target(out)
    clients: list[Client | None] = []

    async def work(sessions: SessionFactory) -> Exported:
        store = build_evidence_store(get_settings())
        try:
            clients.append(None if order.without_histories else await _temporal())
            return await Exporter(sessions, store, clients[0]).export(order, target)
        except UnknownRecall as error:
            refuse(str(error))
        except OSError as error:
            refuse(f"{target}: {error.strerror or error}")
        finally:
            await store.close()

    try:
        exported = with_database(database_url, work)
    except typer.Exit as refused:
        if any(clients):
            leave(refused.exit_code)  # Temporal's client may abort an orderly exit, and with it the exit code
        raise
    sys.stdout.write(f"{target}: {exported.files} files, {exported.size} bytes\nsha256 {exported.sha256}\n")
    for gap in exported.gaps:
        sys.stderr.write(f"missing {gap.kind} {gap.what}: {gap.why}\n")
    leave(1 if exported.gaps else 0)


def _order(number: str, without_histories: str) -> Order:
    if not number:
        refuse("NUMBER: expected a recall number, as RC-2026-000001")
    try:
        number = str(RecallNumber.parse(number))
    except RecallNumberError as error:
        refuse(str(error))
    reason = without_histories.strip()
    if len(reason) > 500:
        refuse("--without-histories: a reason of at most 500 characters")
    return Order(number, getpass.getuser(), Role.AUDITOR.value, datetime.now(UTC), reason or None)


def _target(out: Path | None) -> Path:
    if out is None:
        refuse("--out: expected the archive to write")
    if out.exists():
        refuse(f"{out} exists; a dossier is never written over another file")
    if not out.absolute().parent.is_dir():
        refuse(f"{out.absolute().parent} is no folder")
    return out


async def _temporal() -> Client | None:
    """A connected client, or None; the export then names every history it misses."""
    try:
        config = ClientConfig.load_client_connect_config()
        return await Client.connect(**config, plugins=[recall_plugin()])
    except RuntimeError:
        return None


__all__ = ["dossier"]
