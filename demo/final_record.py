"""The way to the end and the file of it: tasks, reports, checks, complaints, authorities, evidence, the audit chain."""

import hashlib
from collections.abc import Iterator
from typing import Any

from demo import chain, checks
from demo.comparing import Comparison, holds, same, same_set
from demo.final_facts import FinalFacts, Row
from demo.truth import Truth

_OWED = frozenset({"open", "overdue"})
_LAST_WORDS = frozenset({"terminated", "no_authority"})
_SIGNED = frozenset({"completion:quality", "completion:regulatory"})
_EXPORTED = "dossier.exported"


def record(truth: Truth, end: FinalFacts) -> Iterator[Comparison]:
    """Every comparison of papers and of the way to the end."""
    yield from ended(end)
    yield from effectiveness(end)
    yield from quality(end)
    yield from papers(truth, end)
    yield from audit(end)


def ended(end: FinalFacts) -> Iterator[Comparison]:
    """Nothing is open, and every authority has said its last word."""
    dossier, recall = end.dossier, end.facts.detail
    yield same("phase", "terminated", recall["phase"])
    yield same(
        "phase in the dossier", ("terminated", recall["number"]), (dossier.recall["phase"], dossier.recall["number"])
    )
    items = end.checklist["items"]
    open_items = [f"{item['key']}: {'; '.join(item['open'][:3])}" for item in items if not item["ok"]]
    yield holds("completion checklist", f"{len(items)} lines", open_items if items else ["the checklist has no lines"])
    tasks = dossier.rows("task")
    undone = [f"{row['key']} is {row['state']}" for row in tasks if row["state"] not in {"done", "cancelled"}]
    yield holds("every task is done or cancelled", f"{len(tasks)} tasks", undone)
    cases = [
        f"case {row['id']} ({row['reason']})" for row in dossier.rows("consignee_case") if row["state"] != "closed"
    ]
    yield holds("every case is closed", f"{len(dossier.rows('consignee_case'))} cases", cases)
    owed = [
        f"{each['jurisdiction']} {each['name']} is {each['state']}"
        for each in end.obligations
        if each["state"] in _OWED
    ]
    yield holds("every obligation is met or stopped", f"{len(end.obligations)} obligations", owed)
    reports = [row for row in dossier.rows("deadline") if row["role"] is not None]
    yield holds(
        "every report in the dossier is met, with a reference, or stopped",
        f"{len(reports)} reports",
        _unmet(end, reports),
    )
    words: dict[str, str] = {}
    for row in sorted(dossier.rows("authority_answer"), key=lambda each: int(each["id"])):
        words[row["jurisdiction"]] = row["answer"]
    last = [jurisdiction for jurisdiction, word in words.items() if word in _LAST_WORDS]
    yield same_set("authorities that said their last word", recall["jurisdictions"], last, "jurisdictions")
    signed = [row for row in dossier.rows("sign_off") if row["step"] in _SIGNED]
    yield same_set("signatures under the completion", _SIGNED, [row["step"] for row in signed], "signatures")


def _unmet(end: FinalFacts, reports: list[Row]) -> Iterator[str]:
    # A report that an authority gate stands for is met by passing the gate, at that instant and with its reference.
    passed = {
        (row["step"].split(":")[1], row["signed_at"])
        for row in end.dossier.rows("sign_off")
        if row["step"].startswith("gate:") and row["outcome"] == "passed" and row["reference"]
    }
    for row in reports:
        name = f"{row['jurisdiction']} {row['name']}"
        if row["met_at"] is None and row["stopped_at"] is None:
            yield f"{name} is neither met nor stopped"
        if row["met_at"] is not None and not row["reference"] and (row["jurisdiction"], row["met_at"]) not in passed:
            yield f"{name} is met without a reference"


def effectiveness(end: FinalFacts) -> Iterator[Comparison]:
    """The level is met, the first check that failed is on record, and the sample can be drawn again."""
    rounds = sorted(end.dossier.rows("effectiveness_round"), key=lambda row: int(row["sequence"]))
    drawn = [row for row in end.dossier.rows("effectiveness_check") if row["state"] != "void"]
    yield same("effectiveness level met", True, end.effectiveness["met"])
    outcomes = [row["outcome"] for row in rounds]
    yield same("effectiveness rounds: the first failed, the last passed", ("failed", "passed"), _ends(outcomes))
    first = {row["id"] for row in rounds[:1]}
    failed = {row["consignee_id"] for row in drawn if row["round_id"] in first and row["passed"] is False}
    yield holds(
        "a failed check is on record", f"{len(failed)} of {len(drawn)} checks", [] if failed else ["none failed"]
    )
    newest: dict[int, Any] = {}
    order = {row["id"]: row["sequence"] for row in rounds}
    for row in sorted(drawn, key=lambda each: int(order[each["round_id"]])):
        newest[row["consignee_id"]] = row["passed"]
    codes = end.dossier.consignees
    bad = [f"{codes[consignee][0]}: {passed}" for consignee, passed in newest.items() if passed is not True]
    yield holds("whoever was checked has passed at last", f"{len(newest)} consignees", bad)
    expected = {(row["sequence"], each) for row in rounds[:1] for each in _sample(row)}
    found = [(order[row["round_id"]], row["consignee_id"]) for row in end.dossier.rows("effectiveness_check")
             if row["round_id"] in first]  # fmt: skip
    yield same_set("first sample, drawn again from its seed", expected, found, "consignees")


def _ends(outcomes: list[str | None]) -> tuple[str | None, str | None]:
    return (outcomes[0], outcomes[-1]) if outcomes else (None, None)


def _sample(drawn: Row) -> list[int]:
    """The first so many in the order of SHA-256(`{seed}/{consignee}`), the share rounded up."""
    size = -(-len(drawn["candidates"]) * drawn["percent"] // 100)
    order = sorted(drawn["candidates"], key=lambda each: hashlib.sha256(f"{drawn['seed']}/{each}".encode()).hexdigest())
    return order[:size]


def quality(end: FinalFacts) -> Iterator[Comparison]:
    """Harm has its own file and clocks; the CAPA's effect is verified by somebody else than its planner."""
    complaints, deadlines = end.dossier.rows("complaint"), end.dossier.rows("deadline")
    faults = [] if complaints else ["no complaint is on record"]
    for row in complaints:
        clocks = [
            each for each in end.dossier.rows("clock_start") if each["name"] == f"harm_awareness:{row['sequence']}"
        ]
        if row["state"] != "closed" or row["closed_by"] is None:
            faults.append(f"complaint {row['sequence']} is {row['state']}")
        if not any(each["complaint_id"] == row["id"] for each in deadlines):
            faults.append(f"complaint {row['sequence']} has no deadline of its own")
        if [each["at"] for each in clocks] != [row["awareness_at"]]:
            faults.append(f"complaint {row['sequence']} has {len(clocks)} clocks, or one that starts at another time")
        if row["paged"] is None:
            faults.append(f"nobody was paged for complaint {row['sequence']}")
    yield holds("harm: a closed complaint with clocks of its own", f"{len(complaints)} complaints", faults)
    capas = end.dossier.rows("capa")
    wrong = [] if capas else ["no CAPA is on record"]
    for row in capas:
        if row["closed_at"] is None or row["effective"] is not True:
            wrong.append(f"CAPA {row['sequence']} is {row['state']}, effective: {row['effective']}")
        if row["plan_approved_by"] in (None, row["plan_by"]) or row["closed_by"] in (
            None,
            row["verified_by"],
            row["plan_by"],
        ):
            wrong.append(f"CAPA {row['sequence']} was approved or signed off by whoever wrote it")
    yield holds("CAPA: effective, signed off by another person", f"{len(capas)} CAPAs", wrong)


def papers(truth: Truth, end: FinalFacts) -> Iterator[Comparison]:
    """Every paper anybody uploaded is in the file with its content; so is every notice as it was approved."""
    elsewhere = {(each["file_name"], each["sha256"]) for each in end.second_evidence}
    wanted = set(truth.evidence.items()) | (set(truth.papers.items()) - elsewhere)
    filed = {(row["file_name"], end.dossier.contents.get(row["file"] or "", "no content")) for row in end.dossier.index}
    yield same_set("evidence in the dossier, by the hash of its content", wanted, filed, "papers")
    kept = {(each["file_name"], each["sha256"]) for each in end.facts.evidence}
    yield same_set("evidence over the API", wanted, kept, "papers")
    bodies = end.dossier.rows("notice_body")
    notices = [
        row | {"bodies": [body for body in bodies if body["notice_id"] == row["id"]]}
        for row in end.dossier.rows("notice")
    ]
    faults = checks.notice_faults(notices, end.dossier.recall["started_by"])
    yield holds("notices in the dossier are what their hashes say", f"{len(notices)} notices", faults)
    kinds = [row["kind"] for row in sorted(notices, key=lambda row: int(row["version"]))]
    yield same("versions of the notice", ("initial", "amendment"), tuple(kinds))
    written, texts = set[tuple[str, str]](), set[tuple[str, str]]()
    for notice in notices:
        written |= {(name, _sha256(text)) for name, text in _texts(notice)}
    for name, sha256 in end.dossier.contents.items():
        if name.startswith("documents/"):
            texts.add((name, sha256))
    yield same_set("texts of the notices, as approved", written, texts, "texts")


def _texts(notice: Row) -> Iterator[tuple[str, str]]:
    for row in notice["bodies"]:
        stem = f"documents/notice-{notice['version']}/{row['kind']}.{row['channel']}.{row['language']}"
        body = row["body"]
        for ending, text in ((".subject.txt", body["subject"]), (".txt", body["text"]), (".html", body["html"])):
            if text is not None:
                yield stem + ending, text


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def audit(end: FinalFacts) -> Iterator[Comparison]:
    """The chain in the dossier holds, is the API's, and the API's goes on with nothing but the dossier's own hash."""
    number, filed, live = end.facts.detail["number"], end.dossier.audit, end.facts.audit
    faults = list(chain.faults(number, filed)) if filed else ["the chain is empty"]
    yield holds("audit chain in the dossier, recomputed", f"{len(filed)} events", faults)
    same_hashes = [event["hash"] for event in live[: len(filed)]] == [event["hash"] for event in filed]
    yield same("audit chain in the dossier is the API's", True, same_hashes)
    after = [(event["action"], event["data"].get("sha256")) for event in live[len(filed) :]]
    yield same("the audit names this dossier, and nothing came after it", [(_EXPORTED, end.dossier.sha256)], after)
    (head,) = end.dossier.rows("audit_head")
    last = filed[-1] if filed else {"seq": 0, "hash": None}
    yield same("head of the chain in the dossier", (last["seq"], last["hash"]), (head["seq"], head["hash"]))
    yield from checks.integrity(end.facts)
