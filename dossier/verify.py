#!/usr/bin/env python3
"""Checks a recall dossier without the product that wrote it: standard library only, Python 3.9 or newer.

    python3 verify.py DOSSIER.zip [--sha256 HASH]

One line per check. Exit code 0: everything holds; 1: something does not hold or is missing; 2: the file cannot be
read. HASH is what `recall dossier` printed when it wrote the file: only that proves that nobody wrote another one.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import sys
import zlib
from decimal import Decimal
from typing import Any, BinaryIO, Callable, Iterator  # noqa: UP035 - Python 3.9

FORMAT = "recall-dossier/1"
SEAL = b"recall-dossier/1 sha256="
GENESIS = "0" * 64
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
BIG, MANY, CHUNK = 0xFFFFFFFF, 0xFFFF, 1 << 20
STARTED, CONTINUED = "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED", "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW"


class Fault(Exception):  # noqa: N818
    """What does not hold."""


# The layout: every byte of a dossier that is not a file's content follows from the files' names, sizes and checksums.
def local_header(name: bytes, crc: int, size: int) -> bytes:
    return struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0x0800, 0, 0, 0x21, crc, size, size, len(name), 0) + name


def central_header(name: bytes, crc: int, size: int, offset: int) -> bytes:
    extra = struct.pack("<2HQ", 1, 8, offset) if offset >= BIG else b""
    fixed = ("<4s6H3L5H2L", b"PK\1\2", 0x0314, 45 if extra else 20, 0x0800, 0, 0, 0x21, crc, size, size)
    return struct.pack(*fixed, len(name), len(extra), 0, 0, 0, 0o100444 << 16, min(offset, BIG)) + name + extra


def ending(count: int, size: int, offset: int) -> bytes:
    out = b""
    if count >= MANY or size >= BIG or offset >= BIG:
        out = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 0x032D, 45, 0, 0, count, count, size, offset)
        out += struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1)
        count, size, offset = MANY, BIG, BIG
    return out + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, offset, len(SEAL) + 64)


def digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def link_hash(event: dict[str, Any]) -> str:
    content = {key: value for key, value in event.items() if key not in ("hash", "prev_hash")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(f"{event['prev_hash']}\n{text}".encode()).hexdigest()


def need(condition: object, fault: str) -> None:
    if not condition:
        raise Fault(fault)


class Dossier:
    """An open dossier; `files` is filled by the layout check: name -> (offset, size, crc)."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = file.seek(0, 2)
        self.files: dict[str, tuple[int, int, int]] = {}
        self.manifest: dict[str, Any] = {}
        self.notes: list[str] = []
        self._rows: dict[str, list[dict[str, Any]]] = {}

    def part(self, offset: int, size: int) -> bytes:
        self.file.seek(offset)
        data = self.file.read(size)
        need(len(data) == size, f"the file ends before byte {offset + size}")
        return data

    def chunks(self, offset: int, size: int) -> Iterator[bytes]:
        for start in range(offset, offset + size, CHUNK):
            yield self.part(start, min(CHUNK, offset + size - start))

    def content(self, name: str) -> bytes:
        need(name in self.files, f"{name} is missing")
        return self.part(*self.files[name][:2])

    def json(self, name: str) -> Any:
        return json.loads(self.content(name).decode())

    def rows(self, table: str) -> list[dict[str, Any]]:
        if table not in self._rows:
            self._rows[table] = self.json(f"record/{table}.json")
        return self._rows[table]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.content(name).decode().split("\n") if line]

    def lost(self, kind: str) -> set[str]:
        return {gap["what"] for gap in self.manifest["gaps"] if gap["kind"] == kind}


def check_seal(d: Dossier) -> str:
    end = d.size - len(SEAL) - 64
    need(end > 0 and d.part(end, len(SEAL)) == SEAL, "there is no seal at the end of the file")
    seal, found = d.part(end + len(SEAL), 64), hashlib.sha256()
    for chunk in d.chunks(0, end):
        found.update(chunk)
    need(found.hexdigest().encode() == seal, "the bytes before the seal are not those that were sealed")
    return f"{d.size} bytes"


def check_layout(d: Dossier) -> str:
    end = d.size - len(SEAL) - 64
    _, _, _, _, count, size, offset, _ = struct.unpack("<4s4H2LH", d.part(end - 22, 22))
    if count == MANY:
        *_, count, size, offset = struct.unpack("<4sQ2H2L4Q", d.part(end - 98, 56))
    tail = ending(count, size, offset)
    need(offset + size + len(tail) == end, "the directory does not end where it should")
    need(d.part(offset + size, len(tail)) == tail, "the directory's end is changed")
    directory, at, place, files = d.part(offset, size), 0, 0, {}
    for _ in range(count):
        crc, length, _, name_length = struct.unpack("<3LH", directory[at + 16 : at + 30])
        raw = directory[at + 46 : at + 46 + name_length]
        name, header = raw.decode("ascii"), central_header(raw, crc, length, place)
        need(NAME.fullmatch(name) and name not in files, f"file name {name!r} is not allowed or there twice")
        need(directory[at : at + len(header)] == header, f"directory entry of {name} is changed")
        local = local_header(raw, crc, length)
        need(d.part(place, len(local)) == local, f"header of {name} is changed")
        files[name] = (place + len(local), length, crc)
        at, place = at + len(header), place + len(local) + length
    need((at, place) == (size, offset), "there are bytes that belong to no file")
    d.files = files
    return f"{count} files"


def check_manifest(d: Dossier) -> str:
    d.manifest = d.json("manifest.json")
    need(d.manifest["format"] == FORMAT, f"format {d.manifest['format']!r}, this verifier knows {FORMAT}")
    listed = {entry["name"]: entry for entry in d.manifest["files"]}
    need(set(listed) | {"manifest.json"} == set(d.files), f"not the files listed: {sorted(set(listed) ^ set(d.files))}")
    for name, (offset, size, crc) in d.files.items():
        sha256, found = hashlib.sha256(), 0
        for chunk in d.chunks(offset, size):
            sha256.update(chunk)
            found = zlib.crc32(chunk, found)
        need(found == crc, f"{name} does not have its checksum")
        entry = listed.get(name, {"size": size, "sha256": sha256.hexdigest()})
        need((entry["size"], entry["sha256"]) == (size, sha256.hexdigest()), f"{name} does not have its hash")
    return f"{len(listed)} files have size and hash as listed"


def check_record(d: Dossier) -> str:
    number, tables = d.manifest["recall"], d.manifest["tables"]
    need({f"record/{name}.json" for name in tables} == {f for f in d.files if f.startswith("record/")}, "tables differ")
    need([row["number"] for row in d.rows("recall")] == [number], f"the record is not that of {number}")
    for name, table in tables.items():
        need(len(d.rows(name)) == table["rows"], f"{name}: {len(d.rows(name))} rows, {table['rows']} listed")
        need(not table["owned"] or all(r[table["owned"]] == number for r in d.rows(name)), f"{name}: of another recall")
    for name, table in tables.items():
        for column, target in table["references"].items():
            other, key = target.split(".")
            known = {row[key] for row in d.rows(other)} | {None}
            dangling = [row[column] for row in d.rows(name) if row[column] not in known]
            need(not dangling, f"{name}.{column}: no {target} {dangling[:3]}")
    return f"{sum(table['rows'] for table in tables.values())} rows in {len(tables)} tables, every reference resolves"


def check_chain(d: Dossier) -> str:
    number, previous, events = d.manifest["recall"], GENESIS, d.events("audit/chain.jsonl")
    for seq, event in enumerate(events, 1):
        at = f"event {event.get('seq')} at place {seq}"
        need((event["stream"], event["seq"]) == (number, seq), f"{at}: not the next event of {number}")
        need(event["prev_hash"] == previous, f"{at}: does not follow the event before it")
        need(event["hash"] == link_hash(event), f"{at}: was changed")
        previous = event["hash"]
    (head,) = d.rows("audit_head")
    need((head["stream"], head["seq"], head["hash"]) == (number, len(events), previous), "the chain's head is another")
    need(d.manifest["audit_head"] == {"seq": len(events), "hash": previous}, "the manifest names another head")
    last = 0
    for event in d.events("audit/system.jsonl"):
        need(event["stream"] == "system" and event["seq"] > last, f"system event {event['seq']}: out of order")
        need(event["hash"] == link_hash(event), f"system event {event['seq']}: was changed")
        last = event["seq"]
    return f"{len(events)} events, head {previous}"


def check_evidence(d: Dossier) -> str:
    links, lost, kept = d.rows("evidence_link"), d.lost("evidence"), set()
    records = {row["id"]: row for row in d.rows("evidence")}
    index = {entry["id"]: entry for entry in d.json("evidence/index.json")}
    need(set(index) == set(records), "the index names other files than the record")
    listed = {entry["name"]: entry for entry in d.manifest["files"]}
    for key, row in records.items():
        entry = index[key]
        same = all(entry[name] == row[name] for name in ("sha256", "size", "file_name", "content_type", "uploaded_by"))
        subjects = sorted(link["subject"] for link in links if link["evidence_id"] == key)
        need(same and entry["subjects"] == subjects, f"evidence {key}: index and record differ")
        if key in lost:
            need(entry["file"] is None, f"evidence {key}: said to be lost and there")
            continue
        kept.add(entry["file"])
        found = listed.get(entry["file"], {})
        same = (found.get("sha256"), found.get("size")) == (row["sha256"], row["size"])
        need(same, f"evidence {key}: its file is missing or another")
    extra = {name for name in d.files if name.startswith("evidence/files/")} - kept
    need(not extra, f"files nobody recorded: {sorted(extra)}")
    return f"{len(records)} files as recorded, {len(links)} links to what they prove"


def check_citations(d: Dossier) -> str:
    records, cited = {row["id"]: row for row in d.rows("evidence")}, set()
    for event in d.events("audit/chain.jsonl"):
        data = event["data"]
        refused = data.get("evidence_refused") or {}
        ids = [*(data.get("evidence_ids") or []), *((data.get("body") or {}).get("evidence_ids") or [])]
        unknown = [each for each in ids if each not in records and each not in refused]
        need(not unknown, f"event {event['seq']} cites evidence that is not there: {unknown}")
        if event["action"] == "evidence.linked":
            cited |= {(data["subject"], file["evidence_id"], file["sha256"]) for file in data["files"]}
    links = {(r["subject"], r["evidence_id"], records[r["evidence_id"]]["sha256"]) for r in d.rows("evidence_link")}
    need(links == cited, f"links of the record and of the audit differ: {sorted(links ^ cited)[:3]}")
    uploads = {(e["data"]["evidence_id"], e["data"]["sha256"]) for e in d.events("audit/system.jsonl")}
    need(uploads == {(k, r["sha256"]) for k, r in records.items()}, "uploads of the record and of the audit differ")
    return f"{len(cited)} links and {len(uploads)} uploads are in the audit with the same hashes"


def check_notices(d: Dossier) -> str:
    approvals = {(e["data"]["notice"], e["data"]["sha256"], e["actor"]) for e in d.events("audit/chain.jsonl")
                 if e["action"] == "notice.approved"}  # fmt: skip
    documents, count = {}, 0
    for notice in d.rows("notice"):
        bodies = [row for row in d.rows("notice_body") if row["notice_id"] == notice["id"]]
        for row in bodies:
            where, body = f"notice {notice['version']} {row['kind']}.{row['channel']}.{row['language']}", row["body"]
            found = digest({key: value for key, value in body.items() if key != "sha256"})
            need(found == row["sha256"] == body["sha256"], f"{where}: was changed")
            if notice["approved_at"]:
                stem = f"documents/notice-{notice['version']}/{row['kind']}.{row['channel']}.{row['language']}"
                parts = {".subject.txt": body["subject"], ".txt": body["text"], ".html": body["html"]}
                documents.update({stem + end: text for end, text in parts.items() if text is not None})
        joined = hashlib.sha256("\n".join(sorted(row["sha256"] for row in bodies)).encode()).hexdigest()
        need(joined == notice["sha256"], f"notice {notice['version']}: bodies were added, removed or changed")
        if notice["approved_at"]:
            approval = (notice["id"], notice["sha256"], notice["approved_by"])
            need(approval in approvals, f"notice {notice['version']}: the audit has no approval of this text")
            count += 1
    need(set(documents) == {name for name in d.files if name.startswith("documents/")}, "not the approved documents")
    for name, text in documents.items():
        need(d.content(name) == text.encode(), f"{name} is not the approved text")
    return f"{count} approved notices, {len(documents)} texts as approved"


_UNDECIDED = ("proposed", "withdrawn", "void")

# Where a signer's name is kept: table, column of the name, column of the signature, and which rows need none.
SIGNED: list[tuple[str, str, str, Callable[[dict[str, Any]], bool]]] = [
    ("sign_off", "actor", "signature_id", lambda row: row["actor"] == "system"),
    ("hazard_evaluation", "assessor", "signature_id", lambda row: False),
    ("class_decision", "decided_by", "signature_id", lambda row: row["kind"] == "proposed"),
    ("market_action", "decided_by", "signature_id", lambda row: False),
    ("market_action_review", "reviewed_by", "signature_id", lambda row: False),
    ("scope_version", "decided_by", "signature_id", lambda row: row["change"] == "initial"),
    ("authority_answer", "recorded_by", "signature_id", lambda row: False),
    ("consignee_documented", "signed_by", "signature_id", lambda row: False),
    ("submission", "submitted_by", "signature_id", lambda row: False),
    ("deadline", "met_by", "signature_id", lambda row: row["met_by"] in (None, "system")),
    ("notice", "approved_by", "signature_id", lambda row: row["approved_by"] is None and row["approved_at"] is None),
    ("capa", "plan_approved_by", "plan_signature_id", lambda row: row["plan_approved_by"] is None),
    ("capa", "closed_by", "closing_signature_id", lambda row: row["closed_by"] is None),
    ("disposition", "decided_by", "signature_id", lambda row: row["decided_by"] is None and row["state"] in _UNDECIDED),
    ("allocation", "decided_by", "signature_id", lambda row: row["decided_by"] is None and row["state"] in _UNDECIDED),
    ("shortage", "settled_by", "signature_id", lambda row: row["settled_by"] is None),
    ("policy_version", "reviewed_by", "review_signature", lambda row: row["reviewed_by"] is None),
    ("policy_version", "approved_by", "approval_signature", lambda row: row["approved_by"] is None),
    ("policy_version", "activated_by", "activation_signature", lambda row: row["activated_by"] is None),
]


# What a signature must say to stand under a record: (the document that was signed, the record's row) -> it does.
Rule = Callable[[dict[str, Any], dict[str, Any]], bool]


def says(**columns: str) -> Rule:
    """The signer named this record: said=column, each as the row has it."""
    return lambda signed, row: all(_plain(signed["stated"].get(k)) == _plain(row[c]) for k, c in columns.items())


def _plain(value: Any) -> str | None:
    """Numbers in a path were signed as text; no text is as good as an empty one."""
    return None if value in (None, "", 0) else str(value)


def _in_state(rule: Rule, *states: str) -> Rule:
    return lambda signed, row: row["state"] in states and rule(signed, row)


def _disposition(signed: dict[str, Any], row: dict[str, Any]) -> bool:
    proposals = signed["refers_to"].get("dispositions", [])
    return row["sequence"] in signed["stated"]["sequences"] and any(as_proposed(each, row) for each in proposals)


def _fits(rule: Rule, signed: dict[str, Any], row: dict[str, Any]) -> bool:
    """The rule's verdict; a document that lacks what the rule asks for does not fit."""
    try:
        return rule(signed, row)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return False


def same(then: dict[str, Any], row: dict[str, Any], *names: str) -> bool:
    return all(then[name] == row[name] for name in names)


def keeps(*names: str) -> Rule:
    return lambda then, row: same(then, row, *names)


def as_proposed(signed: dict[str, Any], row: dict[str, Any]) -> bool:
    """Withdrawing the rest of a disposition that is partly carried out leaves what was carried out, never more."""
    then, now = Decimal(signed["quantity"]), Decimal(row["quantity"])
    ended = row["state"] == "done" and Decimal(row["done"]) == now < then
    columns = ("sequence", "kind", "lot_id", "location_id", "consignee_id", "proposed_by", "reason")
    return same(signed, row, *columns) and (now == then or ended)


def as_justified(signed: dict[str, Any], row: dict[str, Any]) -> bool:
    texts = digest({name: row[name] for name in ("justification", "conclusions", "follow_up")})
    return signed["sha256"] == texts and same(signed, row, "product_line", "jurisdiction", "action", "decided_by")


def as_owed(signed: dict[str, Any], row: dict[str, Any]) -> bool:
    """A limit that is not met yet may come earlier, with its grounds, while a report is on its way; never later."""
    grounds = same(signed, row, "clock", "limit_text", "basis", "source")
    return row["due_at"] < signed["due_at"] or (row["due_at"] == signed["due_at"] and grounds)


CLASS = ("product_line", "jurisdiction", "class", "level", "market_action", "reasons_sha256")


def _class(signed: dict[str, Any], row: dict[str, Any]) -> bool:
    """The proposed class as it was signed, or the other one that the signer stated for this line and jurisdiction."""
    if row["kind"] == "approved":
        return class_line(row) in [tuple(c[name] for name in CLASS) for c in signed["refers_to"].get("classes", [])]
    given = signed["stated"].get("authority" if row["kind"] == "authority" else "overrides") or []
    wanted = tuple(row[name] for name in ("product_line", "jurisdiction", "recall_class"))
    named = [each for each in given if (each["product_line"], each["jurisdiction"], each["recall_class"]) == wanted]
    return any(each.get("level") in (None, row["level"]) for each in named)


def class_line(row: dict[str, Any]) -> tuple[Any, ...]:
    columns = ("product_line", "jurisdiction", "recall_class", "level", "market_action")
    return (*(row[name] for name in columns), digest(row["reasons"]))


def _market_action(signed: dict[str, Any], row: dict[str, Any]) -> bool:
    columns = ("product_line", "jurisdiction", "action", "justification", "conclusions", "follow_up")
    return any(all(each.get(name) == row[name] for name in columns) for each in signed["stated"]["actions"])


def _with_the_form(signed: dict[str, Any], row: dict[str, Any]) -> bool:
    said = signed["stated"]
    action = said["market_actions"].get(row["jurisdiction"])
    return (said["product_line"], action) == (row["product_line"], row["action"]) and row["justification"] is None


def _gate(signed: dict[str, Any], row: dict[str, Any]) -> bool:
    said = signed["stated"]
    return (said["gate"].split(":")[0], said["reference"]) == (row["jurisdiction"], row["reference"])


def _settled(signed: dict[str, Any], row: dict[str, Any]) -> bool:
    """A later look may lower the figures; one that raises them takes the decision back."""
    (then,) = signed["refers_to"]["shortage"]
    stands = row["settled_by"] is not None
    grown = stands and Decimal(row["quantity"]) > Decimal(then["quantity"])
    return then["id"] == row["id"] == signed["stated"]["shortage"] and not grown


# Which operation may stand under a record, by table and column of the signature, and what it must say about the record.
# A row of sign_off is not here: its hash is in the audit, with its signature.
OPERATIONS: dict[tuple[str, str], dict[str, Rule]] = {
    ("hazard_evaluation", "signature_id"): {"record_evaluation": says(product_line="product_line")},
    ("class_decision", "signature_id"): dict.fromkeys(("approve_assessment", "override_class", "reclassify"), _class),
    ("market_action", "signature_id"): {"record_market_actions": _market_action, "record_evaluation": _with_the_form},
    ("market_action_review", "signature_id"): {
        "review_market_action": says(market_action_id="market_action_id", outcome="outcome", evaluation="evaluation"),
    },
    ("scope_version", "signature_id"): {
        "expand_scope": lambda signed, row: row["change"] == "expand",
        "reduce_scope": lambda signed, row: row["change"] == "reduce",
    },
    ("authority_answer", "signature_id"): {
        "record_authority_answer": says(jurisdiction="jurisdiction", answer="answer", reference="reference"),
    },
    ("consignee_documented", "signature_id"): {
        "document_consignee": says(consignee="consignee_id", kind="kind", account="account"),
        "settle_query": says(consignee="consignee_id", reason="account"),
    },
    ("submission", "signature_id"): {"submit_obligation": says(obligation="deadline_id")},
    ("deadline", "signature_id"): {
        "submit_obligation": says(obligation="id"),
        "stop_obligation": says(obligation="id"),
        "pass_gate": _gate,
    },
    ("notice", "signature_id"): {"approve_notice": says(notice_id="id", sha256="sha256")},
    ("capa", "plan_signature_id"): {"approve_plan": says(capa="sequence")},
    ("capa", "closing_signature_id"): {"sign_off": says(capa="sequence")},
    ("disposition", "signature_id"): {
        "approve_disposition": _in_state(_disposition, "approved", "done", "withdrawn"),
        "reject_disposition": _in_state(_disposition, "rejected"),
    },
    ("allocation", "signature_id"): {
        "approve_allocation": _in_state(says(allocation="id"), "approved", "shipped", "void"),
        "reject_allocation": _in_state(says(allocation="id"), "rejected"),
    },
    ("shortage", "signature_id"): {"settle_shortage": _settled},
    ("policy_version", "review_signature"): {
        "policy:review": says(policy_id="policy_id", version="version", sha256="sha256"),
    },
    ("policy_version", "approval_signature"): {
        "policy:approve": says(policy_id="policy_id", version="version", sha256="sha256"),
    },
    ("policy_version", "activation_signature"): {
        "policy:manage": says(policy_id="policy_id", version="version", sha256="sha256"),
    },
}


class Signatures:
    """The signatures of a recall, or of `system`, against record and audit; `recall audit verify` uses it, too."""

    def __init__(self, stream: str, rows: Callable[[str], list[dict[str, Any]]], chain: list[dict[str, Any]]) -> None:
        self.stream, self.rows, self.faults = stream, rows, []  # type: ignore[var-annotated]
        number = None if stream == "system" else stream
        self.known = {row["id"]: row for row in rows("signature") if row["recall_number"] == number}
        self.made = [event for event in chain if event["action"] == "signature.made"]
        self.acts: dict[str, set[str]] = {}
        for event in chain:
            if event["action"] != "signature.made" and event["data"].get("signature"):
                self.acts.setdefault(event["data"]["signature"], set()).add(event["actor"])
        # With a file its signatures go; that they were there, and whose they were, stays in the audit.
        self.deleted = not self.known and any(event["action"] == "file.deleted" for event in chain)
        self.recorded = [event for event in chain if event["action"] == "sign_off.recorded"]

    def check(self) -> list[str]:
        """What does not hold, in plain words; empty: everything does."""
        if self.deleted:
            return []
        for row in self.known.values():
            self._document(row)
        self._need(len(self.made) == len(self.known), f"{len(self.known)} signatures, {len(self.made)} in the audit")
        for event in self.made:
            row = self.known.get(event["data"]["signature"], {})
            wanted = (row.get("sha256"), row.get("principal"), row.get("operation"), row.get("meaning"))
            data = event["data"]
            found = (data["sha256"], event["actor"], data["operation"], data["meaning"])
            self._need(found == wanted, f"event {event['seq']}: its signature is missing or another")
        for signature, actors in self.acts.items():
            by = self.known.get(signature, {}).get("principal")
            self._need(actors <= {by, "system"}, f"acts under signature {signature} are not by its signer")
        for table, name, column, unsigned in SIGNED:
            for row in self.rows(table):
                self._bound(table, column, row, row[name], unsigned(row))
        self._sign_offs()
        for row in self.known.values():
            if row["id"] in self.acts:
                self._refers_to(row["id"], row["document"])
                self._names_records(row["id"], row["document"]["refers_to"])
        return self.faults

    def _need(self, condition: object, fault: str) -> None:
        if not condition:
            self.faults.append(fault)

    def _document(self, row: dict[str, Any]) -> None:
        document, signer = row["document"], row["document"].get("signer", {})
        self._need(digest(document) == row["sha256"], f"signature {row['id']}: what was signed was changed")
        said = (document.get("recall"), signer.get("principal"), signer.get("name"), signer.get("role"))
        said += tuple(document.get(name) for name in ("meaning", "operation", "signed_at", "token", "session"))
        columns = ("recall_number", "principal", "printed_name", "role", "meaning", "operation", "signed_at")
        kept = tuple(row[name] for name in (*columns, "token_id", "session_id"))
        self._need(said == kept, f"signature {row['id']}: its row says something else than what was signed")

    def _bound(self, table: str, column: str, row: dict[str, Any], name: Any, unsigned: bool) -> None:
        where, signature = f"{table} {row.get('id') or row.get('version')}", row[column]
        if signature is None:
            self._need(unsigned or (table == "policy_version" and row["shipped"]), f"{where}: no signature of {name}")
            return
        found = self.known.get(signature)
        self._need(found is not None, f"{where}: its signature is not there")
        # A deadline stopped by a signed decision names nobody who met it.
        by = found["principal"] if found else None
        self._need(name in (by, None), f"{where}: says {name}, signed by {by}")
        self._need(by in self.acts.get(signature, ()), f"{where}: the audit has no act under its signature")
        if found and (table, column) in OPERATIONS:
            rule, does = OPERATIONS[table, column].get(found["operation"]), found["operation"]
            self._need(rule is not None, f"{where}: its signature was given for {does}, not for this")
            fits = rule is None or _fits(rule, found["document"], row)
            self._need(fits, f"{where}: its signature ({does}) was given for another record or another content")

    def _sign_offs(self) -> None:
        wanted = sorted(
            (row["step"], row["outcome"], row["actor"], row["signature_id"] or "",
             digest({key: value for key, value in row.items() if key != "id"}))
            for row in self.rows("sign_off")
        )  # fmt: skip
        told = sorted(
            (e["data"]["step"], e["data"]["outcome"], e["actor"], e["data"].get("signature") or "", e["data"]["sha256"])
            for e in self.recorded
        )
        for each in sorted(set(wanted) ^ set(told)):
            self._need(False, f"sign-off {each[0]} ({each[1]}) by {each[2]}: record and audit differ")
        self._need(len(wanted) == len(told), f"{len(wanted)} sign-offs, {len(told)} in the audit")

    def _refers_to(self, signature: str, document: dict[str, Any]) -> None:
        """What lay before the signer still is as it was."""
        refers, stated = document["refers_to"], document["stated"]
        files = {row["id"]: row["sha256"] for row in self.rows("evidence")}
        said = [(f"file {key}", sha256, files.get(key)) for key, sha256 in refers.get("evidence", {}).items()]
        pins = {(row["policy_id"], str(row["version"])): row for row in self.rows("pinned_policy")}
        for each in refers.get("policies", []):
            pin = pins.get((each["id"], str(each["version"])), {})
            said.append((f"policy {each['id']}", each["sha256"], pin.get("sha256")))
        forms = {row["id"]: digest(row["body"]) for row in self.rows("hazard_evaluation")}
        for each in [*refers.get("evaluations", []), *refers.get("supersedes", [])]:
            said.append((f"evaluation {each['id']}", each["sha256"], forms.get(each["id"])))
        entries = {row["id"]: digest(row["body"]) for row in self.rows("capa_entry")}
        for each in (refers.get("capa") or {}).get("entries", []):
            said.append((f"CAPA statement {each['id']}", each["sha256"], entries.get(each["id"])))
        texts = {(row["kind"], row["channel"], row["language"], row["sha256"]) for row in self.rows("notice_body")}
        for each in (refers.get("notice") or {}).get("bodies", []):
            key = (each["kind"], each["channel"], each["language"], each["sha256"])
            said.append((f"notice {'.'.join(key[:3])}", key, key if key in texts else None))
        classes = {class_line(row) for row in self.rows("class_decision")}
        for each in refers.get("classes", []):
            line = tuple(each[name] for name in CLASS)
            said.append((f"class of {line[0]} in {line[1]}", line, line if line in classes else None))
        if document["operation"] == "record_evaluation":
            kept = [r["body"]["evaluation"] for r in self.rows("hazard_evaluation") if r["signature_id"] == signature]
            said.append(("the evaluation", [stated["evaluation"]], kept))
        for what, then, now in said:
            self._need(then == now, f"signature {signature}: {what} is not what was signed")

    def _names_records(self, signature: str, refers: dict[str, Any]) -> None:
        """Each record that lay before the signer is there, once, and as it was as far as nothing may change it."""
        actions = [each for each in (refers.get("market_action"), *refers.get("before", [])) if each]
        report = [refers["obligation"]] if refers.get("obligation") else []
        named: list[tuple[str, tuple[str, ...], list[dict[str, Any]], Rule]] = [
            ("disposition", ("sequence",), refers.get("dispositions", []), as_proposed),
            (
                "allocation",
                ("id",),
                refers.get("allocation", []),
                keeps("shortage_id", "lot_id", "location_id", "quantity"),
            ),
            ("shortage", ("id",), refers.get("shortage", []), keeps("consignee_id", "product_id")),
            ("hold", ("id",), refers.get("holds", []), keeps("lot_id")),
            ("market_action", ("id",), actions, as_justified),
            ("deadline", ("name", "jurisdiction"), report, as_owed),
        ]
        for table, key, entries, holds in named:
            for each in entries:
                rows = [row for row in self.rows(table) if same(each, row, *key)]
                fits = len(rows) == 1 and _fits(holds, each, rows[0])
                what = " ".join(str(each[name]) for name in key)
                self._need(fits, f"signature {signature}: {table} {what} is not what was signed")


def check_signatures(d: Dossier) -> str:
    def rows(table: str) -> list[dict[str, Any]]:
        return d.rows(table) if table in d.manifest["tables"] else []

    found = Signatures(d.manifest["recall"], rows, d.events("audit/chain.jsonl"))
    faults = found.check()
    need(not faults, "; ".join(faults[:5]))
    used = sum(1 for key in found.known if key in found.acts)
    unused = len(found.known) - used
    return f"{used} signatures under {len(found.recorded)} sign-offs and other acts; {unused} attempts without an act"


def check_histories(d: Dossier) -> str:
    runs = {(run["workflow_id"], run["run_id"]): run for run in d.json("temporal/index.json")}
    listed, events = {run["file"] for run in runs.values()} | {"temporal/index.json"}, 0
    need(listed == {name for name in d.files if name.startswith("temporal/")}, "not the histories of the index")
    whole = not d.lost("history") and d.manifest["without_histories"] is None
    own = f"recall:{d.manifest['recall']}"
    need(not whole or any(workflow_id == own for workflow_id, _ in runs), f"no history of {own}")
    for (workflow_id, run_id), run in runs.items():
        history, where = d.json(run["file"])["events"], f"{workflow_id} run {run_id}"
        ids = [int(event["eventId"]) for event in history]
        need(ids and ids == list(range(1, len(ids) + 1)) and len(ids) == run["events"], f"{where}: events are missing")
        start = history[0].get("workflowExecutionStartedEventAttributes", {})
        need(history[0]["eventType"] == STARTED, f"{where}: does not begin with its start")
        need(history[-1]["eventType"] == run["last_event"], f"{where}: ends otherwise than the index says")
        before = start.get("continuedExecutionRunId")
        after = history[-1].get("workflowExecutionContinuedAsNewEventAttributes", {}).get("newExecutionRunId")
        for other in filter(None, (before, after)):
            known = (workflow_id, other) in runs or f"{workflow_id}/{other}" in d.lost("history")
            need(known, f"{where}: its neighbour run {other} is missing")
        need(history[-1]["eventType"] != CONTINUED or after, f"{where}: does not say how it goes on")
        events += len(ids)
    return f"{len(runs)} runs, {events} events without a hole"


def check_gaps(d: Dossier) -> str:
    gaps, accepted = d.manifest["gaps"], d.manifest["without_histories"]
    if accepted is not None:
        d.notes.append(f"exported without Temporal histories: {accepted}")
    for gap in gaps:
        d.notes.append(f"missing {gap['kind']} {gap['what']}: {gap['why']}")
    need(not gaps, f"{len(gaps)} parts were missing when it was written; see the notes")
    return "nothing was missing when it was written"


CHECKS: list[tuple[str, Callable[[Dossier], str]]] = [
    ("seal", check_seal), ("layout", check_layout), ("manifest", check_manifest), ("record", check_record),
    ("audit", check_chain), ("evidence", check_evidence), ("citations", check_citations), ("notices", check_notices),
    ("signatures", check_signatures), ("histories", check_histories), ("complete", check_gaps),
]  # fmt: skip


def verify(file: BinaryIO) -> Iterator[tuple[bool, str, str]]:
    """(holds, check, what was found); a check that cannot be made does not hold."""
    dossier = Dossier(file)
    for name, check in CHECKS:
        try:
            yield True, name, check(dossier)
        except Fault as fault:
            yield False, name, str(fault)
        except Exception as error:  # noqa: BLE001 - a damaged file may break anything, and must be told, not shown
            yield False, name, f"cannot be checked ({type(error).__name__}: {str(error)[:120]})"
    yield from ((True, "note", note) for note in dossier.notes)


def main(arguments: list[str]) -> int:
    wanted = arguments[2].lower() if len(arguments) == 3 and arguments[1] == "--sha256" else None
    if not arguments or (len(arguments) > 1 and not (wanted and re.fullmatch("[0-9a-f]{64}", wanted))):
        sys.stderr.write("use: python3 verify.py DOSSIER.zip [--sha256 HASH]   (HASH: 64 hex digits)\n")
        return 2
    try:
        with open(arguments[0], "rb") as file:  # noqa: PTH123
            whole = hashlib.sha256()
            for chunk in iter(lambda: file.read(CHUNK), b""):
                whole.update(chunk)
            found, held = whole.hexdigest(), True
            results = list(verify(file))
    except OSError as error:
        sys.stderr.write(f"{arguments[0]} cannot be read: {error.strerror or error}\n")
        return 2
    if wanted is not None:
        results.insert(0, (found == wanted, "sha256", found if found == wanted else f"is {found}"))
    for holds, name, text in results:
        held = held and holds
        mark = "note" if name == "note" else "ok  " if holds else "FAIL"
        line = f"{mark}  {name + ': ' if name != 'note' else ''}{text}"
        line, code = "".join(c if c.isprintable() else "?" for c in line), sys.stdout.encoding or "ascii"
        sys.stdout.write(line.encode(code, "backslashreplace").decode(code) + "\n")
    if wanted is None:
        sys.stdout.write(f"note  sha256 {found}: compare it with the hash printed when the file was written\n")
    sys.stdout.write("INTACT\n" if held else "NOT INTACT OR NOT COMPLETE\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
