"""The parts of the archive that come from the database and the evidence store: record, audit, documents, evidence."""

import json
from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.evidence.base import EvidenceDamaged, EvidenceStore, EvidenceUnavailable
from db.repositories.audit import as_mapping
from db.repositories.dossier import Row, Snapshot
from domain.audit_chain import canonical_json, normalise
from dossier.archive import ArchiveWriter
from models.audit import AuditEvent

KEPT: Final = frozenset(
    {"audit_head", "campaign", "capa", "consignee_case", "evidence", "evidence_link", "notice", "notice_body"}
    | {"pinned_policy", "recall"}
)
"""Tables whose rows later parts are made from."""
_ENDINGS: Final = {
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/tiff": ".tif",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "message/rfc822": ".eml",
    "application/json": ".json",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that belongs into the dossier and could not be had."""

    kind: str
    """evidence or history."""
    what: str
    why: str


@dataclass
class Record:
    """What was written of the record: the manifest's view of each table, and the rows later parts need."""

    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


async def write_record(archive: ArchiveWriter, snapshot: Snapshot) -> Record:
    """`record/{table}.json`: one array per table, one row per line, values as the audit writes them."""
    record = Record()
    async for plan, rows in snapshot.tables():
        name, count, kept = plan.table.name, 0, []
        with archive.file(f"record/{name}.json") as file:
            async for row in rows:
                file.write(b",\n" if count else b"[\n")
                file.write(canonical_json(row).encode())
                count += 1
                if name in KEPT:
                    kept.append(normalise(row))
            file.write(b"\n]\n" if count else b"[]\n")
        record.tables[name] = {"rows": count, "owned": plan.owner_column, "references": plan.references}
        record.rows[name] = kept
    return record


async def write_audit(archive: ArchiveWriter, chain: AsyncIterable[AuditEvent], uploads: Sequence[Row]) -> None:
    """`audit/chain.jsonl`: the recall's stream; `audit/system.jsonl`: the uploads of its evidence."""
    with archive.file("audit/chain.jsonl") as file:
        async for event in chain:
            file.write(canonical_json(as_mapping(event)).encode() + b"\n")
    archive.add("audit/system.jsonl", b"".join(canonical_json(row).encode() + b"\n" for row in uploads))


def write_documents(archive: ArchiveWriter, record: Record) -> None:
    """`documents/notice-{version}/`: every text of every approved notice, byte by byte as approved."""
    approved = {notice["id"]: notice["version"] for notice in record.rows["notice"] if notice["approved_at"]}
    for row in record.rows["notice_body"]:
        if row["notice_id"] in approved:
            stem = f"documents/notice-{approved[row['notice_id']]}/{row['kind']}.{row['channel']}.{row['language']}"
            body = row["body"]
            for ending, content in (
                (".subject.txt", body["subject"]),
                (".txt", body["text"]),
                (".html", body["html"]),
            ):
                if content is not None:
                    archive.add(stem + ending, content.encode())


async def write_evidence(archive: ArchiveWriter, record: Record, store: EvidenceStore) -> list[Gap]:
    """`evidence/files/{hash}` and an index; a file that is damaged or gone is a gap, never left out silently."""
    index, gaps = [], []
    names: dict[str, str | None] = {}
    for row in record.rows["evidence"]:
        sha256 = row["sha256"]
        if sha256 not in names:
            name = f"evidence/files/{sha256}{_ENDINGS.get(row['content_type'], '.bin')}"
            try:
                archive.add(name, await store.read(sha256))
                names[sha256] = name
            except (EvidenceDamaged, EvidenceUnavailable) as error:
                names[sha256] = None
                gaps.append(Gap("evidence", row["id"], str(error)))
        elif names[sha256] is None:
            gaps.append(Gap("evidence", row["id"], "same content as another lost file"))
        index.append(_entry(row, names[sha256], record.rows["evidence_link"]))
    archive.add("evidence/index.json", readable(index))
    return gaps


def _entry(row: Mapping[str, Any], name: str | None, links: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    kept = ("id", "sha256", "size", "file_name", "content_type", "uploaded_by", "uploaded_at")
    subjects = sorted(link["subject"] for link in links if link["evidence_id"] == row["id"])
    return {key: row[key] for key in kept} | {"subjects": subjects, "file": name}


def readable(value: object) -> bytes:
    """JSON for people: sorted, indented, ending with a line end."""
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


__all__ = [
    "Gap",
    "Record",
    "readable",
    "write_audit",
    "write_documents",
    "write_evidence",
    "write_record",
]
