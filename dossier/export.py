"""Writes one recall's dossier: all parts into one archive, then its hash into the recall's audit chain.

The database is read from one snapshot. The file appears under its name only together with the audit event that tells
of it; a process killed before leaves a `.part` file and no claim.
"""

import os
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from string import Template
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client

from adapters.evidence.base import EvidenceStore
from db.engine import SessionFactory
from db.repositories import audit, exposure
from db.repositories.dossier import Snapshot, snapshot, uploads
from db.repositories.retention import keeping
from dossier.archive import ArchiveWriter
from dossier.histories import Histories, TemporalUnavailable, expected_workflows
from dossier.parts import Gap, Record, readable, write_audit, write_documents, write_evidence, write_record
from dossier.verifier import verifier_source
from dossier.verify_file import FORMAT
from models.recall import Recall

_CURVE: Final = 5000
"""Steps of the curve of exposure in the file."""
README: Final = Path(__file__).parents[1] / "templates" / "dossier" / "README.md"


class UnknownRecall(LookupError):  # noqa: N818
    """No recall has this number."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who exports what, when."""

    number: str
    actor: str
    role: str
    now: datetime
    without_histories: str | None = None
    """Reason for leaving Temporal's histories out on purpose."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A written dossier."""

    sha256: str
    size: int
    files: int
    gaps: tuple[Gap, ...]


class Exporter:
    """Puts a dossier together from the database, the evidence store and Temporal."""

    def __init__(self, sessions: SessionFactory, store: EvidenceStore, client: Client | None) -> None:
        """`client` may be None when histories are left out on purpose or Temporal cannot be reached."""
        self._sessions = sessions
        self._store = store
        self._client = client

    async def export(self, order: Order, target: Path) -> Exported:
        """Write the dossier to `target` and the audit event `dossier.exported` beside it.

        Raises:
            UnknownRecall: no recall has this number.
            OSError: the file cannot be written; nothing is left of it.
        """
        part = target.with_name(target.name + ".part")
        try:
            with part.open("x+b") as file:
                exported = await self.write(order, ArchiveWriter(file))
                file.flush()
                os.fsync(file.fileno())
            async with self._sessions.begin() as session:
                await self._tell(session, order, exported)
                part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return exported

    async def write(self, order: Order, archive: ArchiveWriter) -> Exported:
        """All parts and the seal; the same state and order make the same bytes."""
        archive.add("README.md", _readme(order))
        archive.add("verify.py", verifier_source().encode())
        async with snapshot(self._sessions) as session:
            recall = await session.get(Recall, order.number)
            if recall is None:
                raise UnknownRecall(f"{order.number}: no recall has this number")
            record = await write_record(archive, Snapshot(await session.connection(), order.number))
            sent = await uploads(session, [row["id"] for row in record.rows["evidence"]])
            await write_audit(archive, audit.read_all(session, order.number), sent)
            retention = await _retention(session, recall, order.now)
            archive.add("derived/exposure.json", readable(await _exposure(session, order)))
        write_documents(archive, record)
        gaps = await write_evidence(archive, record, self._store)
        gaps += await self._write_histories(archive, order, record)
        archive.add("manifest.json", readable(_manifest(order, archive, record, gaps, retention)))
        sha256 = archive.seal()
        return Exported(sha256, archive.size, len(archive.files), tuple(gaps))

    async def _write_histories(self, archive: ArchiveWriter, order: Order, record: Record) -> list[Gap]:
        index: list[dict[str, Any]] = []
        gaps: list[Gap] = []
        if order.without_histories is None:
            expected = expected_workflows(
                order.number, *(record.rows[name] for name in ("campaign", "consignee_case", "capa"))
            )
            try:
                async for entry in self._runs(archive, order.number, expected, gaps):
                    index.append(entry)
            except TemporalUnavailable as error:
                there = {entry["workflow_id"] for entry in index}
                gaps += [Gap("history", f"{each}/", str(error)) for each in expected if each not in there]
                gaps = gaps or [Gap("history", f"recall:{order.number}/", str(error))]
        archive.add("temporal/index.json", readable(index))
        return gaps

    async def _runs(
        self, archive: ArchiveWriter, number: str, expected: list[str], gaps: list[Gap]
    ) -> AsyncIterator[dict[str, Any]]:
        if self._client is None:
            raise TemporalUnavailable("Temporal cannot be reached")
        histories = Histories(self._client, number)
        async for run in histories.fetch(expected):
            name = f"temporal/{run.workflow_id.replace(':', '_')}/{run.run_id}.json"
            archive.add(name, run.document())
            yield {
                "workflow_id": run.workflow_id,
                "run_id": run.run_id,
                "file": name,
                "events": len(run.events),
                "last_event": run.events[-1]["eventType"],
            }
        gaps += [Gap("history", f"{lost.workflow_id}/{lost.run_id}", lost.why) for lost in histories.lost]

    async def _tell(self, session: AsyncSession, order: Order, exported: Exported) -> None:
        await audit.append(
            session,
            order.number,
            actor=order.actor,
            role=order.role,
            action="dossier.exported",
            at=order.now,
            reason=order.without_histories,
            data={
                "sha256": exported.sha256,
                "size": exported.size,
                "files": exported.files,
                "gaps": [f"{gap.kind} {gap.what}" for gap in exported.gaps],
            },
        )


def _manifest(
    order: Order, archive: ArchiveWriter, record: Record, gaps: list[Gap], retention: dict[str, Any]
) -> dict[str, Any]:
    (head,) = record.rows["audit_head"]
    return {
        "format": FORMAT,
        "recall": order.number,
        "phase": record.rows["recall"][0]["phase"],
        "exported_at": order.now.isoformat(),
        "exported_by": order.actor,
        "product": f"recall-orchestrator {metadata.version('recall-orchestrator')}",
        "retention": retention,
        "audit_head": {"seq": head["seq"], "hash": head["hash"]},
        "without_histories": order.without_histories,
        "gaps": [asdict(gap) for gap in gaps],
        "tables": record.tables,
        "files": [asdict(entry) for entry in archive.files],
    }


async def _retention(session: AsyncSession, recall: Recall, now: datetime) -> dict[str, Any]:
    """How long this file is kept under each pinned policy, and the latest of these days."""
    found = await keeping(session, recall, now)
    return {"keep_until": found.until.isoformat() if found.until else None, "policies": found.as_json()}


async def _exposure(session: AsyncSession, order: Order) -> dict[str, Any]:
    """Unit-hours of exposure at the export; the record has everything they are counted from."""
    found = await exposure.exposure(session, order.number, order.now, points=_CURVE)
    assert found is not None  # noqa: S101 - read above
    over = found.window
    places = await exposure.by_place(session, order.number, over)
    return {
        "start": over.start.isoformat(),
        "until": over.until.isoformat(),
        "final": over.final,
        "pace": over.clock.pace,
        "unit_hours": str(found.unit_hours),
        "lots": [
            {
                "lot_id": lot.lot_id,
                "unit_hours": str(lot.unit_hours),
                "at_risk": str(lot.at_risk),
                "used": str(lot.used),
            }
            for lot in found.lots
        ],
        "places": [
            {
                "side": each.side,
                "consignee_id": each.consignee_id,
                "code": each.code,
                "unit_hours": str(each.unit_hours),
                "at_risk": str(each.at_risk),
                "used": str(each.used),
            }
            for each in places
        ],
        "curve": [[step.at.isoformat(), str(step.at_risk)] for step in found.curve],
    }


def _readme(order: Order) -> bytes:
    values = {"number": order.number, "exported_at": order.now.isoformat(), "exported_by": order.actor}
    return Template(README.read_text(encoding="utf-8")).substitute(values).encode()


__all__ = ["Exported", "Exporter", "Order", "UnknownRecall"]
