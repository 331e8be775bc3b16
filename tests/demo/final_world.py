"""The small world at its end: one lot joined later, one site silent, goods returned, destroyed and released."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from demo.chain import GENESIS, link_hash
from demo.final_facts import Dossier, FinalFacts, Row
from demo.truth import Doings, Told, Truth
from tests.demo import final_tables, world
from tests.demo.final_tables import (
    CLINIC,
    GHANA,
    KENYA,
    LOTS,
    PARTNERS,
    RECEIVED,
    SECOND,
    ZAMBIA,
    sha256,
    state_of,
)
from tests.demo.world import KIT, KIT_1, KIT_2, NUMBER, VIAL_1, at

ONCALL = "oncall@maker.example"
_REPORT, _PAPER, _OTHER = b"report", b"certificate", b"leaflet"
_TERMS = ("distributed", "own_stock", "at_maker", "retained", "scrapped", "own_use", "reworked", "residual", "returned",
          "returned_to_maker", "destroyed_in_place", "corrected", "released", "replaced", "used", "implanted",
          "held_pending", "unaccounted")  # fmt: skip


def units(*values: int) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """On hand, used, held, passed on."""
    on_hand, used, held, passed_on = (Decimal(value) for value in values)
    return on_hand, used, held, passed_on


def truth() -> Truth:
    """What the files and the diary say."""
    return Truth(
        lots={KIT_1, KIT_2, VIAL_1},
        wider={VIAL_1},
        received={
            (ZAMBIA, KIT_1): Decimal(100),
            (ZAMBIA, VIAL_1): Decimal(4),
            (KENYA, KIT_2): Decimal(50),
            (GHANA, KIT_2): Decimal(20),
        },
        distributed={KIT_1: Decimal(100), KIT_2: Decimal(70), VIAL_1: Decimal(4)},
        held={("DC", KIT_1): Decimal(30), ("DC-2", KIT_2): Decimal(40)},
        on_hand={("DC", KIT_1): Decimal(30), ("DC-2", KIT_2): Decimal(40)},
        ours={"Plant", "DC", "DC-2"},
        addresses={
            "lab@zambia.example": ZAMBIA,
            "+15557010001": KENYA,
            "clinic@x.example": CLINIC,
            "g@g.example": GHANA,
            "+15557010002": GHANA,
        },
        told=[
            Told(ZAMBIA, "page", "statement", {KIT_1: units(60, 30, 60, 10)}),
            Told(ZAMBIA, "page", "statement", {KIT_1: units(60, 30, 60, 10), VIAL_1: units(4, 0, 4, 0)}),
            Told(KENYA, "sms", "acknowledgement"),
            Told(CLINIC, "page", "statement", {KIT_1: units(5, 5, 5, 0)}),
        ],
        onward={(CLINIC, KIT_1): Decimal(10)},
        evidence={"report.txt": sha256(_REPORT)},
        papers={"certificate.txt": sha256(_PAPER), "leaflet.txt": sha256(_OTHER)},
        silent={GHANA},
        staff={ONCALL},
        doings=Doings(
            phone=[Told(KENYA, "phone", "statement", {KIT_2: units(20, 30, 20, 0)})],
            documented={GHANA},
            second=[(SECOND, KIT_2)],
            released={("DC-2", KIT_2): Decimal(40)},
            returned={(ZAMBIA, KIT_1): Decimal(5)},
            docked={("DC", KIT_1): Decimal(5)},
            to_factory={("DC", KIT_1): Decimal(5)},
            destroyed={("DC", KIT_1): Decimal(30), ("Plant", KIT_1): Decimal(5)},
            destroyed_in_place={
                (ZAMBIA, KIT_1): Decimal(55),
                (ZAMBIA, VIAL_1): Decimal(4),
                ("onward-1-ff", KIT_1): Decimal(5),
                (KENYA, KIT_2): Decimal(20),
            },
            replaced=Decimal(9),
        ),
    )


def end() -> FinalFacts:
    """What the product, its dossier and the sinks say."""
    dossier = _dossier()
    exported = _event(len(dossier.audit) + 1, "dossier.exported", dossier.audit[-1]["hash"], sha256=dossier.sha256)
    audit = [dict(event) for event in dossier.audit] + [exported]
    facts = replace(
        world.facts(),
        detail={
            "number": NUMBER,
            "started_by": "Quinn",
            "pace": world.PACE,
            "phase": "terminated",
            "created": {"at": at(0), "policy_at": at(0)},
            "scope": {"lots": 3},
            "jurisdictions": ["us-fda", "eu-mdr"],
            "counters": {"outstanding": 0, "consignees": {"answered": 3, "documented": 1}},
        },
        sites=[
            {"partner_code": ZAMBIA, "shipped": "104"},
            {"partner_code": KENYA, "shipped": "50"},
            {"partner_code": GHANA, "shipped": "20"},
            {"partner_code": "onward-1-ff", "shipped": "10"},
        ],
        consignees=[_consignee(each) for each in PARTNERS],
        deliveries=[_delivery(row) for row in dossier.rows("delivery")],
        replies=[_api_reply(row, dossier) for row in dossier.rows("reply")],
        notices=[row | {"bodies": _bodies(row["id"], dossier)} for row in dossier.rows("notice")],
        evidence=[{"file_name": row["file_name"], "sha256": row["sha256"]} for row in dossier.index],
        audit=audit,
        audit_verified={"intact": True, "events": len(audit), "head": audit[-1]["hash"]},
        mails=[
            _mail(1, "00000000-0000-4000-8000-000000000001", "lab@zambia.example", "lots PO-1"),
            _mail(2, "00000000-0000-4000-8000-000000000003", "clinic@x.example", "lot PO-1"),
            _mail(3, "00000000-0000-4000-8000-000000000004", "g@g.example", "lot PO-2"),
            _mail(4, "00000000-0000-4000-8000-000000000005", "lab@zambia.example", "lots PO-1"),
            _mail(5, "page-1", ONCALL, "harm"),
        ],
        mail_stats={"messages": 5, "duplicates": 0, "refused": 0},
        texts=[
            {"direction": "outbound-api", "sid": "SM2", "to": "+15557010001"},
            {"direction": "outbound-api", "sid": "SM6", "to": "+15557010002"},
        ],
    )
    return FinalFacts(
        facts=facts,
        dossier=dossier,
        balance=[_balance(KIT_1, distributed=100, own_stock=0, scrapped=35, returned=5, destroyed_in_place=60, used=35),
                 _balance(KIT_2, distributed=70, own_stock=40, destroyed_in_place=20, used=30, unaccounted=20),
                 _balance(VIAL_1, distributed=4, destroyed_in_place=4)],
        checklist={"items": [{"key": "tasks", "ok": True, "open": []}]},
        positions=[],
        obligations=[{"jurisdiction": "us-fda", "name": "final", "state": "met"}],
        effectiveness={"met": True},
        traced=[{"lot_id": 12, "location_code": "DC-2", "custody": "logistics", "on_hand": "40"},
                {"lot_id": 11, "location_code": ZAMBIA, "custody": "customer", "on_hand": "9"}],
        second_holds=[{"location_code": "DC-2", "product_code": KIT, "lot_number": "PO-2", "quantity": "0",
                       "state": "released"}],
        second_evidence=[{"file_name": "leaflet.txt", "sha256": sha256(_OTHER)}],
    )  # fmt: skip


def _dossier() -> Dossier:
    tables = final_tables.tables()
    files = {"report.txt": _REPORT, "certificate.txt": _PAPER}
    index = [
        {"id": name, "file_name": name, "sha256": sha256(content), "file": f"evidence/files/{sha256(content)}.txt"}
        for name, content in files.items()
    ]
    contents = {row["file"]: row["sha256"] for row in index}
    for notice in tables["notice"]:
        stem = f"documents/notice-{notice['version']}/initial.email.en"
        contents |= {f"{stem}.subject.txt": sha256(b"s"), f"{stem}.txt": sha256("t ⟦lot⟧".encode())}
    audit: list[Row] = []
    for seq, action in enumerate(("recall.started", "recall.terminated"), start=1):
        audit.append(_event(seq, action, audit[-1]["hash"] if audit else GENESIS))
    tables["audit_head"] = [{"stream": NUMBER, "seq": 2, "hash": audit[-1]["hash"]}]
    return Dossier(tables, contents, index, audit, sha256=sha256(b"the whole file"))


def _event(seq: int, action: str, previous: str, **data: Any) -> Row:
    event = {"seq": seq, "at": at(seq), "actor": "Quinn", "role": "qa", "action": action, "reason": None, "data": data,
             "prev_hash": previous}  # fmt: skip
    return event | {"hash": link_hash(previous, NUMBER, event)}


def _consignee(identity: int) -> Row:
    code, name = PARTNERS[identity]
    lots = [
        {"lot_id": lot, "product_code": LOTS[lot][0], "lot_number": LOTS[lot][1], "shipped": shipped, "stated": stated,
         "scope_version": 2 if lot == 13 else 1}
        for consignee, lot, shipped, stated in RECEIVED
        if consignee == identity
    ]  # fmt: skip
    return {"id": identity, "partner_code": code, "partner_name": name, "state": state_of(identity), "lots": lots}


def _delivery(row: Row) -> Row:
    provider = {2: "SM2", 6: "SM6"}.get(int(row["id"][-1]), f"<{row['id']}@recall.invalid>")
    return row | {"provider_id": provider}


def _api_reply(row: Row, dossier: Dossier) -> Row:
    return row | {"lines": [line for line in dossier.rows("reply_line") if line["reply_id"] == row["id"]]}


def _bodies(notice: int, dossier: Dossier) -> list[Row]:
    return [dict(row) for row in dossier.rows("notice_body") if row["notice_id"] == notice]


def _mail(identity: int, message: str, to: str, text: str) -> Row:
    return {"id": identity, "message_id": f"<{message}@recall.invalid>", "to": to, "text": text}


def _balance(lot: tuple[str, str, str], **terms: int) -> Row:
    said = dict.fromkeys(_TERMS, 0) | terms
    said["produced"] = said["distributed"] + said["own_stock"] + said["scrapped"] - said["returned"]
    return {"product_code": lot[0], "lot_number": lot[1], "site_code": lot[2],
            "terms": {name: f"{value}.000000" for name, value in said.items()}}  # fmt: skip
