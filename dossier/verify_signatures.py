"""Verifier, part 4: signatures, each against the record, the audit and what was before the signer."""

from __future__ import annotations

from typing import Any, Callable  # noqa: UP035 - Python 3.9

from dossier.verify_file import Dossier, digest, need
from dossier.verify_rules import (
    CLASS,
    OPERATIONS,
    SIGNED,
    Rule,
    as_justified,
    as_owed,
    as_proposed,
    class_line,
    keeps,
    matches,
    same,
)


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
            fits = rule is None or matches(rule, found["document"], row)
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
                fits = len(rows) == 1 and matches(holds, each, rows[0])
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
