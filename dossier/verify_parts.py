"""Verifier, part 2: what is in the file. Record, audit chain, evidence, notices, histories, and what is missing."""

from __future__ import annotations

import hashlib

from dossier.verify_file import CONTINUED, GENESIS, STARTED, Dossier, digest, link_hash, need


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
            # What is enclosed is part of the text; a body without files is hashed as before there were any.
            bare = {"sha256"} if body.get("enclosed") is not None else {"sha256", "enclosed"}
            found = digest({key: value for key, value in body.items() if key not in bare})
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
