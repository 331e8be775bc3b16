"""What keepers of stock are to know of the status of lots, and what they were told.

Every keeper is told of every lot of a running recall, whether or not it has any: it is to know it when the lot arrives.
Afterwards it is told what is left of that, also when units come back of a lot that was rejected or released before.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, lot_status
from domain.inventory import LotTold
from domain.lot_status import UNDECIDED, LotStatus
from domain.phases import FINAL_PHASES
from models.keeper_hold import KeeperLotStatus

AT_ONCE: Final = 500
"""Lots told in one call."""
UNSERVED_AGAIN: Final = timedelta(hours=1)
"""After how long a keeper that takes no status is asked again."""
_CONCERNED: Final = """running AS MATERIALIZED (
    SELECT r.number, r.phase, (SELECT max(v.scope_version) FROM scope_lot v WHERE v.recall_number = r.number) AS version
    FROM recall r WHERE NOT r.drill AND r.phase <> ALL(CAST(:ended AS text[]))
),
concerned AS MATERIALIZED (
    SELECT s.lot_id, n.number, n.phase
    FROM running n JOIN scope_lot s ON s.recall_number = n.number AND s.scope_version = n.version
    UNION
    SELECT h.lot_id, n.number, n.phase
    FROM running n JOIN hold h ON h.recall_number = n.number AND h.quantity > 0 AND h.ended_at IS NULL
)"""
_WANTED: Final = f"""
WITH {_CONCERNED},
wanted AS MATERIALIZED (
    SELECT lot_id, jsonb_agg(number ORDER BY number) AS recalls,
           CASE WHEN bool_or(phase <> ALL(CAST(:undecided AS text[]))) THEN CAST(:recalled AS text)
                ELSE CAST(:quarantined AS text) END AS status
    FROM concerned GROUP BY lot_id
)
INSERT INTO keeper_lot_status AS old (keeper, lot_id, status, recalls, state, attempts, changed_at)
SELECT k.keeper, w.lot_id, w.status, w.recalls, 'due', 0, CAST(:now AS timestamptz)
FROM wanted w CROSS JOIN unnest(CAST(:keepers AS text[])) AS k(keeper)
WHERE NOT EXISTS (SELECT FROM keeper_lot_status o WHERE o.keeper = k.keeper AND o.lot_id = w.lot_id
                     AND o.status = w.status AND o.recalls = w.recalls)
ORDER BY 1, 2
ON CONFLICT (keeper, lot_id) DO UPDATE
    SET status = excluded.status, recalls = excluded.recalls, state = 'due', attempts = 0, last_error = NULL,
        told_at = NULL, changed_at = excluded.changed_at
"""  # noqa: S608 - constants
_LEFT: Final = f"""
WITH {_CONCERNED}
SELECT DISTINCT o.lot_id FROM keeper_lot_status o
WHERE o.keeper = ANY(CAST(:keepers AS text[])) AND NOT EXISTS (SELECT FROM concerned c WHERE c.lot_id = o.lot_id)
  AND (o.status = ANY(CAST(:open AS text[])) OR EXISTS (
      SELECT FROM hold h WHERE h.lot_id = o.lot_id AND h.state = 'nonconformity' AND h.quantity > 0))
ORDER BY o.lot_id
"""  # noqa: S608 - constants
_AFTER: Final = """
UPDATE keeper_lot_status o
SET status = u.status, recalls = '[]', state = 'due', attempts = 0, last_error = NULL, told_at = NULL,
    changed_at = CAST(:now AS timestamptz)
FROM unnest(CAST(:lots AS bigint[]), CAST(:statuses AS text[])) AS u(lot_id, status)
WHERE o.lot_id = u.lot_id AND o.keeper = ANY(CAST(:keepers AS text[]))
  AND (o.status <> u.status OR o.recalls <> '[]')
"""
_DUE: Final = """
SELECT lot_id, status, recalls, changed_at FROM keeper_lot_status
WHERE keeper = :keeper AND state IN ('due', 'unserved')
  AND (state = 'due' OR asked_at <= CAST(:before AS timestamptz))
ORDER BY attempts, lot_id LIMIT :limit
"""
_ANSWERED: Final = """
UPDATE keeper_lot_status o
SET state = u.state, last_error = u.error, attempts = o.attempts + 1, asked_at = CAST(:now AS timestamptz),
    told_at = CASE u.state WHEN 'told' THEN CAST(:now AS timestamptz) END
FROM unnest(CAST(:lots AS bigint[]), CAST(:statuses AS text[]), CAST(:recalls AS jsonb[]), CAST(:states AS text[]),
            CAST(:errors AS text[])) AS u(lot_id, status, recalls, state, error)
-- What changed while the keeper was told stays due.
WHERE o.keeper = :keeper AND o.lot_id = u.lot_id AND o.status = u.status AND o.recalls = u.recalls
"""
_UNSERVED: Final = """
UPDATE keeper_lot_status SET state = 'unserved', last_error = :error, attempts = attempts + 1,
    asked_at = CAST(:now AS timestamptz)
WHERE keeper = :keeper AND state IN ('due', 'unserved')
"""


async def plan(session: AsyncSession, keepers: Sequence[str], now: datetime) -> None:
    """Bring what keepers are to know in line with recalls and holds."""
    running: dict[str, Any] = {"ended": [each.value for each in FINAL_PHASES]}
    wanted = {
        "undecided": [each.value for each in UNDECIDED],
        "recalled": LotStatus.recalled.value,
        "quarantined": LotStatus.quarantined.value,
        "keepers": sorted(keepers),
        "now": now,
    }
    await run(session, _WANTED, running | wanted)
    still = [LotStatus.recalled.value, LotStatus.quarantined.value, LotStatus.blocked.value]
    left = list((await run(session, _LEFT, running | {"open": still, "keepers": sorted(keepers)})).scalars())
    for at in range(0, len(left), AT_ONCE):
        found = await lot_status.after_recalls(session, left[at : at + AT_ONCE])
        statuses = [each.value for each in found.values()]
        after = {"lots": list(found), "statuses": statuses, "keepers": sorted(keepers), "now": now}
        await run(session, _AFTER, after)


async def due(session: AsyncSession, keeper: str, now: datetime) -> list[LotTold]:
    """Lots of whose status the keeper must be told; what was tried least comes first."""
    values = {"keeper": keeper, "before": now - UNSERVED_AGAIN, "limit": AT_ONCE}
    return [
        LotTold(row.lot_id, row.status, tuple(row.recalls), row.changed_at) for row in await run(session, _DUE, values)
    ]


async def answered(
    session: AsyncSession, keeper: str, told: Sequence[LotTold], refused: Mapping[int, str], now: datetime
) -> None:
    """The keeper took them, but for those it refused; audited in the stream `system`."""
    states = ["refused" if each.lot_id in refused else "told" for each in told]
    await _note(session, keeper, told, states, [refused.get(each.lot_id) for each in told], now)
    counts = Counter(each.status if state == "told" else state for each, state in zip(told, states, strict=True))
    lots = [each.lot_id for each in told]
    await audit.append(
        session,
        audit.SYSTEM,
        actor="system",
        role="system",
        action="keeper.lot_status_told",
        at=now,
        data={"keeper": keeper, "lots": lots} | counts,
    )


async def failed(session: AsyncSession, keeper: str, told: Sequence[LotTold], why: str, now: datetime) -> None:
    """The keeper did not answer: it is told again."""
    await _note(session, keeper, told, ["due"] * len(told), [why] * len(told), now)


async def unserved(session: AsyncSession, keeper: str, why: str, now: datetime) -> None:
    """The keeper takes no status of lots."""
    await run(session, _UNSERVED, {"keeper": keeper, "error": why[:500], "now": now})


async def _note(
    session: AsyncSession,
    keeper: str,
    told: Sequence[LotTold],
    states: Sequence[str],
    errors: Sequence[str | None],
    now: datetime,
) -> None:
    values: dict[str, Any] = {
        "keeper": keeper,
        "lots": [each.lot_id for each in told],
        "statuses": [each.status for each in told],
        "recalls": [json.dumps(each.recalls) for each in told],
        "states": list(states),
        "errors": [each[:500] if each else None for each in errors],
        "now": now,
    }
    await run(session, _ANSWERED, values)


async def of_lot(session: AsyncSession, lot_id: int) -> Sequence[KeeperLotStatus]:
    """What each keeper is to know of a lot, and whether it was told."""
    query = select(KeeperLotStatus).where(col(KeeperLotStatus.lot_id) == lot_id)
    return (await session.exec(query.order_by(col(KeeperLotStatus.keeper)))).all()


__all__ = ["AT_ONCE", "UNSERVED_AGAIN", "answered", "due", "failed", "of_lot", "plan", "unserved"]
