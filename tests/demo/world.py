"""A small world in which product and truth agree: two consignees by page, one by SMS, one site named by another."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from demo.chain import GENESIS, link_hash
from demo.facts import Facts
from demo.truth import Told, Truth

NUMBER = "RC-2026-000001"
CREATED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PACE = 5400.0
KIT, VIAL = "HIV kit", "Control vial"
SITE = "Plant"
KIT_1, KIT_2, VIAL_1 = (KIT, "PO-1", SITE), (KIT, "PO-2", SITE), (VIAL, "PO-1", SITE)


def at(seconds: float) -> str:
    """A real instant of the recall."""
    return (CREATED + timedelta(seconds=seconds)).isoformat()


def policy(seconds: float) -> str:
    """The policy instant that a real instant stands for."""
    return (CREATED + timedelta(seconds=seconds * PACE)).isoformat()


def truth() -> Truth:
    """What the raw files and the diary say."""
    return Truth(
        lots={KIT_1, KIT_2, VIAL_1},
        received={
            ("Zambia / Z1", KIT_1): Decimal(100),
            ("Zambia / Z1", VIAL_1): Decimal(4),
            ("Kenya / K1", KIT_2): Decimal("2.5"),
        },
        held={("DC", KIT_2): Decimal(40)},
        addresses={"lab@zambia.example": "Zambia / Z1", "+15557010001": "Kenya / K1", "clinic@x.example": "Clinic X"},
        told=[
            Told(
                "Zambia / Z1",
                "page",
                "statement",
                {KIT_1: _figures(60, 30, 60, 10), VIAL_1: _figures(4, 0, 4, 0)},
            ),
            Told("Kenya / K1", "sms", "acknowledgement"),
            Told("Clinic X", "page", "statement", {KIT_1: _figures(10, 0, 10, 0)}),
        ],
        onward={("Clinic X", KIT_1): Decimal(10)},
        evidence={"report.txt": "ab" * 32},
    )


def _figures(*values: int) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    on_hand, used, held, passed_on = (Decimal(value) for value in values)
    return on_hand, used, held, passed_on


def facts() -> Facts:
    """What the product and the sinks say."""
    audit = _audit()
    return Facts(
        detail={
            "number": NUMBER,
            "started_by": "Quinn",
            "pace": PACE,
            "created": {"at": at(0), "policy_at": at(0)},
            "scope": {"lots": 3},
            "counters": {"outstanding": 0, "consignees": {"acknowledged": 1, "answered": 2}},
        },
        lots=[_lot(11, KIT_1), _lot(12, KIT_2), _lot(13, VIAL_1)],
        sites=[
            {"partner_code": "Zambia / Z1", "tier": 1, "shipped": "104"},
            {"partner_code": "Kenya / K1", "tier": 1, "shipped": "2.5"},
            {"partner_code": "onward-1-ff", "tier": 2, "shipped": "10"},
        ],
        gaps_total=0,
        consignees=[
            _consignee(1, "Zambia / Z1", "Zambia", [(11, KIT, "PO-1", "100"), (13, VIAL, "PO-1", "4")]),
            _consignee(2, "Kenya / K1", "Kenya", [(12, KIT, "PO-2", "2.5")]),
            _consignee(3, "onward-1-ff", "Clinic X", [(11, KIT, "PO-1", "10")], stated=True),
        ],
        holds=[_hold(1, "DC", 12, "40")],
        deliveries=[
            _delivery("00000000-0000-4000-8000-000000000001", 1, "email"),
            _delivery("00000000-0000-4000-8000-000000000002", 2, "sms", provider_id="SM2"),
            _delivery("00000000-0000-4000-8000-000000000003", 3, "email"),
            _delivery("00000000-0000-4000-8000-000000000004", 2, "email", state="failed"),
        ],
        replies=[
            _reply(1, "page", "statement", [(11, "PO-1", 60, 30, 60, 10), (13, "PO-1", 4, 0, 4, 0)]),
            _reply(2, "sms", "acknowledgement", []),
            _reply(3, "page", "statement", [(11, "PO-1", 10, 0, 10, 0)]),
        ],
        deadlines=[_deadline("notify", 16), _deadline("first_contact", -100)],
        notices=[_notice()],
        evidence=[{"file_name": "report.txt", "sha256": "ab" * 32}],
        audit=audit,
        audit_verified={"intact": True, "events": len(audit), "head": audit[-1]["hash"]},
        mails=[
            _mail(1, "00000000-0000-4000-8000-000000000001", "lab@zambia.example", "lots PO-1"),
            _mail(2, "00000000-0000-4000-8000-000000000003", "clinic@x.example", "lot PO-1"),
        ],
        mail_stats={"messages": 2, "duplicates": 0, "refused": 1},
        texts=[
            {"direction": "outbound-api", "sid": "SM2", "to": "+15557010001"},
            {"direction": "inbound", "sid": "SM3", "to": "+15005550006"},
            {"direction": "outbound-reply", "sid": "SM4", "to": "+15557010001"},
        ],
    )


def _lot(identity: int, key: tuple[str, str, str]) -> dict[str, Any]:
    return {"lot_id": identity, "product_code": key[0], "number": key[1], "site_code": key[2]}


def _consignee(
    identity: int, code: str, name: str, lots: list[tuple[int, str, str, str]], *, stated: bool = False
) -> dict[str, Any]:
    shown = [
        {"lot_id": lot, "product_code": product, "lot_number": number, "shipped": shipped, "stated": stated}
        for lot, product, number, shipped in lots
    ]
    return {"id": identity, "partner_code": code, "partner_name": name, "state": "answered", "lots": shown}


def _hold(identity: int, location: str, lot: int, quantity: str) -> dict[str, Any]:
    return {
        "id": identity,
        "location_code": location,
        "custody": "logistics",
        "position": "on_hand",
        "lot_id": lot,
        "quantity": quantity,
        "state": "confirmed",
        "late": False,
        "requested_at": at(1),
    }


def _delivery(
    identity: str, consignee: int, channel: str, *, state: str = "delivered", provider_id: str = ""
) -> dict[str, Any]:
    return {
        "id": identity,
        "consignee_id": consignee,
        "channel": channel,
        "state": state,
        "provider_id": provider_id or f"<{identity}@recall.invalid>",
        "submitted_at": None if state == "failed" else at(5),
    }


def _reply(consignee: int, channel: str, kind: str, lines: list[tuple[int, str, int, int, int, int]]) -> dict[str, Any]:
    names = ("lot_id", "lot_number", "on_hand", "used", "held", "passed_on")
    shown = [dict(zip(names, (line[0], line[1], *(f"{q}.000000" for q in line[2:])), strict=True)) for line in lines]
    return {"consignee_id": consignee, "channel": channel, "kind": kind, "lines": shown}


def _deadline(name: str, seconds: float) -> dict[str, Any]:
    before = seconds <= 0
    return {
        "name": name,
        "jurisdiction": "us-fda",
        "due": {"at": at(seconds), "policy_at": at(seconds) if before else policy(seconds)},
    }


def _notice() -> dict[str, Any]:
    body = {"kind": "initial", "channel": "email", "language": "en", "subject": "s", "text": "t ⟦lot⟧", "html": None}
    sha256 = hashlib.sha256(
        json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()
    return {
        "id": 1,
        "sha256": hashlib.sha256(sha256.encode()).hexdigest(),
        "drafted_by": "system",
        "approved_by": "Ada",
        "bodies": [
            {
                "kind": "initial",
                "channel": "email",
                "language": "en",
                "sha256": sha256,
                "body": body | {"sha256": sha256},
            }
        ],
    }


def _mail(identity: int, delivery: str, to: str, text: str) -> dict[str, Any]:
    return {"id": identity, "message_id": f"<{delivery}@recall.invalid>", "to": to, "text": text}


def _audit() -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    previous = GENESIS
    for seq, action in enumerate(("recall.started", "scope.traced", "notice.approved"), start=1):
        event = {
            "seq": seq,
            "at": at(seq),
            "actor": "Quinn",
            "role": "qa",
            "action": action,
            "reason": None,
            "data": {"lots": 3, "名": "批次"},
            "prev_hash": previous,
        }
        event["hash"] = previous = link_hash(previous, NUMBER, event)
        events.append(event)
    return events
