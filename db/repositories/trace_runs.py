"""Freezing what a trace found: a run of its own when anything differs, nothing when all is as it was.

The hash of a run is over the whole result, not over the difference that is stored: whoever holds the rows can rebuild
the result and compute it again (docs/trace.md).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run as execute
from db.repositories import trace_sql
from db.repositories.trace_runs_sql import (
    ADD_RUN,
    FREEZE_GAPS,
    FREEZE_LOTS,
    IS_FROZEN,
    NEXT_ID,
    SOURCES,
    VOLATILE,
)


@dataclass(frozen=True, slots=True)
class FrozenSites:
    """What the statement that froze the positions answered."""

    changed: int
    total: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Frozen:
    """The run that a trace made."""

    run: int
    sha256: str


async def next_run_id(session: AsyncSession) -> int:
    """An id for the run a trace may make; one that is not used leaves a hole."""
    return int((await execute(session, NEXT_ID)).scalar_one())


async def finish(
    session: AsyncSession,
    recall_number: str,
    scope_version: int,
    run_id: int,
    sites: FrozenSites,
    found: Mapping[str, Any],
    now: datetime,
) -> Frozen | None:
    """Freeze lots and gaps beside the positions, and add the run; None when the run before says the same.

    The first trace of a scope version is a run in any case.
    """
    of: dict[str, Any] = {"recall_number": recall_number, "scope_version": scope_version}
    was_frozen = (await execute(session, IS_FROZEN, of)).scalar_one()
    lots = (await execute(session, FREEZE_LOTS, of | {"run_id": run_id})).one()
    gaps = (await execute(session, FREEZE_GAPS, of | {"run_id": run_id, "volatile": list(VOLATILE)})).one()
    if was_frozen and not (lots.changed or gaps.changed or sites.changed):
        return None
    digest = digest_of(lots.sha256, sites.sha256, gaps.sha256)
    sources = await execute(session, f"WITH {trace_sql.SCOPE_OF_RECALL} {SOURCES}", of)
    values = {
        "run_id": run_id,
        "now": now,
        "found": json.dumps(dict(found) | {"positions": sites.total}, default=str),
        "sources": json.dumps([dict(row) for row in sources.mappings()], default=_instant),
        "sha256": digest,
    }
    number = (await execute(session, ADD_RUN, of | values)).scalar_one()
    return Frozen(int(number), digest)


def digest_of(lots: str, sites: str, gaps: str) -> str:
    """SHA-256 of a run from those of its three parts."""
    return sha256(f"lots:{lots}\nsites:{sites}\ngaps:{gaps}\n".encode()).hexdigest()


def _instant(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"expected an instant, got {type(value).__name__}")


__all__ = ["Frozen", "FrozenSites", "digest_of", "finish", "next_run_id"]
