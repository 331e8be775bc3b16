"""The tables of the small dossier: the rows that a recall's file has at its end, as the product writes them."""

import hashlib

from demo.final_facts import Row
from tests.demo import world
from tests.demo.world import KIT, KIT_1, KIT_2, NUMBER, VIAL, VIAL_1, at

SECOND = "RC-2026-000002"
ZAMBIA, KENYA, GHANA, CLINIC = "Zambia / Z1", "Kenya / K1", "Ghana / G1", "Clinic X"
LOTS = {11: KIT_1, 12: KIT_2, 13: VIAL_1}
PLACES = {1: "Plant", 2: "DC", 3: ZAMBIA, 4: "DC-2", 5: KENYA}
_OWNERS = {ZAMBIA: 1, KENYA: 2}
"""Consignees that have a place on record; the others are known by name only."""
PARTNERS = {1: (ZAMBIA, "Zambia"), 2: (KENYA, "Kenya"), 3: ("onward-1-ff", CLINIC), 4: (GHANA, "Ghana")}


def sha256(content: bytes) -> str:
    """As evidence is named."""
    return hashlib.sha256(content).hexdigest()


def tables() -> dict[str, list[Row]]:
    """Every table the checker reads, by name."""
    return _scope_tables() | _message_tables() | _goods_tables() | _closing_tables()


def _scope_tables() -> dict[str, list[Row]]:
    products = {KIT: 1, VIAL: 2}
    return {
        "recall": [{"number": NUMBER, "phase": "terminated", "started_by": "Quinn"}],
        "product": [{"id": identity, "code": code} for code, identity in products.items()],
        "lot": [{"id": identity, "product_id": products[lot[0]], "number": lot[1], "site_id": 1}
                for identity, lot in LOTS.items()],
        "location": [{"id": identity, "code": code, "partner_id": 50 + _OWNERS.get(code, 9),
                      "custody": "customer" if code in _OWNERS else "own"} for identity, code in PLACES.items()],
        "partner": [{"id": 50 + identity, "code": code, "name": name} for identity, (code, name) in PARTNERS.items()],
        "consignee": [{"id": each, "partner_id": 50 + each, "state": state_of(each)} for each in PARTNERS],
        "consignee_lot": [
            {"consignee_id": consignee, "lot_id": lot, "shipped": shipped, "stated": stated, "withdrawn_in": None}
            for consignee, lot, shipped, stated in RECEIVED
        ],
        "scope_lot": [{"scope_version": version, "lot_id": lot} for version, lot in
                      ((1, 11), (1, 12), (2, 11), (2, 12), (2, 13))],
    }  # fmt: skip


RECEIVED = (
    (1, 11, "100", False),
    (1, 13, "4", False),
    (2, 12, "50", False),
    (3, 11, "10", True),
    (4, 12, "20", False),
)


def state_of(consignee: int) -> str:
    """How a consignee ended."""
    return "documented" if consignee == 4 else "answered"


def _message_tables() -> dict[str, list[Row]]:
    made = world.facts().notices[0]
    notices = [
        {"id": version, "version": version, "kind": kind, "scope_version": version, "sha256": made["sha256"],
         "drafted_by": "system", "approved_by": "Ada"}
        for version, kind in ((1, "initial"), (2, "amendment"))
    ]  # fmt: skip
    sent = [(1, 1, 1, "email"), (2, 2, 1, "sms"), (3, 3, 1, "email"), (4, 4, 1, "email"), (5, 1, 2, "email"),
            (6, 4, 1, "sms")]  # fmt: skip
    replies = [(1, 1, "page", "statement"), (2, 1, "page", "statement"), (3, 2, "sms", "acknowledgement"),
               (4, 3, "page", "statement"), (5, 2, "phone", "statement")]  # fmt: skip
    lines = [(1, 11, 60, 30, 60, 10), (2, 11, 60, 30, 60, 10), (2, 13, 4, 0, 4, 0), (4, 11, 5, 5, 5, 0),
             (5, 12, 20, 30, 20, 0)]  # fmt: skip
    names = ("reply_id", "lot_id", "on_hand", "used", "held", "passed_on")
    return {
        "notice": notices,
        "notice_body": [{"notice_id": row["id"]} | made["bodies"][0] for row in notices],
        "campaign": [{"id": 70 + row["id"], "notice_id": row["id"]} for row in notices],
        "delivery": [
            {"id": f"00000000-0000-4000-8000-00000000000{n}", "consignee_id": consignee, "campaign_id": 70 + campaign,
             "channel": channel, "state": "delivered", "submitted_at": at(5)}
            for n, consignee, campaign, channel in sent
        ],
        "staff_message": [{"channel": "email", "state": "sent", "provider_id": "<page-1@recall.invalid>"}],
        "reply": [dict(zip(("id", "consignee_id", "channel", "kind"), each, strict=True)) for each in replies],
        "reply_line": [dict(zip(names, each, strict=True)) for each in lines],
        "consignee_documented": [{"consignee_id": 4, "kind": "no_response", "signed_at": at(40)}],
        "contact_attempt": [{"consignee_id": 4, "channel": channel, "live": True, "at": at(30)}
                            for channel in ("phone", "visit")],
        "consignee_case": [{"id": 1, "reason": "silence", "state": "closed"}],
    }  # fmt: skip


def _goods_tables() -> dict[str, list[Row]]:
    done = [("release", 12, 4, None, 40), ("return_to_factory", 11, 2, None, 5), ("destroy", 11, 2, None, 30),
            ("destroy", 11, 1, None, 5), ("destroy", 11, None, 1, 55), ("destroy", 13, None, 1, 4),
            ("destroy", 11, None, 3, 5), ("destroy", 12, None, 2, 20)]  # fmt: skip
    dispositions = [
        {"id": n, "sequence": n, "kind": kind, "lot_id": lot, "location_id": place, "consignee_id": consignee,
         "quantity": str(quantity), "done": str(quantity), "state": "done", "proposed_by": "Quinn", "decided_by": "Ada"}
        for n, (kind, lot, place, consignee, quantity) in enumerate(done, start=1)
    ]  # fmt: skip
    moved = [("destruction", 11, 2, None, 30), ("destruction", 11, 1, None, 5), ("destruction", 11, 3, None, 55),
             ("destruction", 13, 3, None, 4), ("destruction", 12, 5, None, 20), ("return", 11, 3, 2, 5)]  # fmt: skip
    return {
        "stock": [{"lot_id": lot, "location_id": place, "on_hand": on_hand, "held": "0"}
                  for lot, place, on_hand in ((11, 2, "0"), (12, 4, "40"))],
        "stock_claim": [{"claimant": SECOND, "lot_id": 12, "location_id": 4, "position": "on_hand", "quantity": "40",
                         "released_at": at(60)}],
        "hold": [{"id": 1, "lot_id": 11, "location_id": 2, "quantity": "0", "state": "disposed"}],
        "disposition": dispositions,
        "disposition_part": [{"disposition_id": row["id"], "sequence": 1, "quantity": row["quantity"],
                              "witness": "Ms Bello", "done_by": "Walt"} for row in dispositions],
        "goods_return": [{"id": 1, "consignee_id": 1, "lot_id": 11, "location_id": 2, "quantity": "5"}],
        "allocation": [{"state": "shipped", "quantity": "9"}, {"state": "rejected", "quantity": "4"}],
        "movement": [{"kind": kind, "lot_id": lot, "from_location_id": source, "to_location_id": target,
                      "quantity": str(quantity)} for kind, lot, source, target, quantity in moved],
        "evidence_link": [{"subject": subject} for subject in
                          ("return:1", *(f"disposition:{row['id']}" for row in dispositions))],
    }  # fmt: skip


def _closing_tables() -> dict[str, list[Row]]:
    seed = "ab"
    first = sorted(PARTNERS, key=lambda each: sha256(f"{seed}/{each}".encode()))[:2]
    checks = [(1, first[0], False), (1, first[1], True), (2, first[0], True)]
    return {
        "task": [{"key": "completion:quality", "state": "done"}, {"key": "visit:4", "state": "cancelled"}],
        "deadline": [
            {"name": "final", "jurisdiction": "us-fda", "role": "regulatory", "complaint_id": None, "met_at": at(70),
             "stopped_at": None, "reference": "receipt 1"},
            {"name": "mdr:1", "jurisdiction": "us-fda", "role": "regulatory", "complaint_id": 8, "met_at": at(70),
             "stopped_at": None, "reference": "receipt 2"},
            {"name": "first_contact", "jurisdiction": "us-fda", "role": "regulatory", "complaint_id": None,
             "met_at": at(2), "stopped_at": None, "reference": None},
            {"name": "notify", "jurisdiction": "us-fda", "role": None, "complaint_id": None, "met_at": None,
             "stopped_at": None, "reference": None},
        ],
        "authority_answer": [{"id": 1, "jurisdiction": "us-fda", "answer": "more_ordered"},
                             {"id": 2, "jurisdiction": "us-fda", "answer": "terminated"},
                             {"id": 3, "jurisdiction": "eu-mdr", "answer": "no_authority"}],
        "sign_off": [{"step": f"completion:{capacity}"} for capacity in ("quality", "regulatory")]
        + [{"step": "strategy", "outcome": "signed"},
           {"step": "gate:us-fda:told", "outcome": "passed", "reference": "call of 9:00", "signed_at": at(2)}],
        "effectiveness_round": [
            {"id": 31, "sequence": 1, "percent": 50, "seed": seed, "candidates": list(PARTNERS), "outcome": "failed"},
            {"id": 32, "sequence": 2, "percent": 100, "seed": seed, "candidates": list(PARTNERS), "outcome": "passed"},
        ],
        "effectiveness_check": [{"round_id": 30 + number, "consignee_id": consignee, "state": "done", "passed": passed}
                                for number, consignee, passed in checks],
        "complaint": [{"id": 8, "sequence": 1, "state": "closed", "closed_by": "Quinn", "awareness_at": at(33),
                       "paged": "Hed"}],
        "clock_start": [{"name": "harm_awareness:1", "at": at(33)}, {"name": "awareness", "at": at(-9)}],
        "capa": [{"sequence": 1, "state": "closed", "closed_at": at(80), "closed_by": "Hed", "effective": True,
                  "plan_by": "Sue", "plan_approved_by": "Ada", "verified_by": "Quinn"}],
    }  # fmt: skip
