"""Verifier, part 3: where signers are kept, and what each signature must say about the record it stands under."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Callable  # noqa: UP035 - Python 3.9

from dossier.verify_file import digest

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
    ("keeper_shipment", "abandoned_by", "signature_id", lambda row: row["abandoned_by"] is None),
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


def matches(rule: Rule, signed: dict[str, Any], row: dict[str, Any]) -> bool:
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
    ("keeper_shipment", "signature_id"): {"abandon_order": says(allocation="allocation_id")},
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
