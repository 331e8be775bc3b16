"""Corrective action asked of a supplier: by signed link, stage by stage with deadlines, judged and closed by others."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlmodel import select

from activities.quality import QualityActivities
from activities.staff_rendering import StaffRenderer
from db.engine import SessionFactory
from db.repositories import policy_versions, staff_messages
from db.repositories.policy_versions import Shipped
from domain.channels import Channel
from domain.links import LinkBadSignature
from domain.policy import parse_policy
from domain.policy_supplier import supplier_limits
from domain.roles import Role
from domain.supplier_request import Stage, deadlines, link_until, make_supplier_token, read_supplier_token
from models.messages_quality import TurnQuality
from models.staff import MessageKind, StaffMessage
from models.supplier_request import SupplierRequest
from tests.api.conftest import *  # noqa: F403 - the API's fixtures
from tests.quality.test_codes import SAMPLE, load
from tests.quality.test_nonconformities import found, ok
from tests.support.api import LINK_SECRET, Callers
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
URL = "/v1/supplier-requests"
WHO = {"name": "Sara Supplier", "position": "Quality manager", "round": 1}
PDF = ("report.pdf", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n", "application/pdf")


def ask(nc: str, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "title": "Wet resin",
        "supplier_code": "T1001",
        "contact_name": "Sara Supplier",
        "contact_email": "sara@supplier.test",
        "question": "Lot SUP-77 holds too much water.",
        "nonconformity": nc,
    }
    return body | changes


async def issued(api: Callers, **changes: Any) -> dict[str, Any]:
    nc = (await ok(await api.post("/v1/nonconformities", found(drill=changes.pop("drill", False))), 201))["number"]
    return await ok(await api.post(URL, ask(nc, **changes), Role.SUPPLIER_QUALITY), 201)


def page(number: str, *, days: int = 100, secret: str = LINK_SECRET) -> str:
    return "/q/" + make_supplier_token(secret, number, datetime.now(UTC) + timedelta(days=days))


def accept(stage: str, turn: int) -> dict[str, Any]:
    return {"stage": stage, "round": turn, "accepted": True}


async def sent(db: SessionFactory) -> list[tuple[str, str]]:
    async with db() as session:
        rows = (await session.exec(select(StaffMessage).order_by(StaffMessage.id))).all()  # type: ignore[arg-type]
    return [(row.kind, row.state) for row in rows if row.principal.startswith("supplier:")]


@pytest.mark.unit
def test_a_link_names_its_request_and_nobody_else_signs_it() -> None:
    later = datetime(2027, 1, 1, tzinfo=UTC)
    token = make_supplier_token("s" * 40, "SC-2026-000012", later)
    assert read_supplier_token("s" * 40, token, later - timedelta(days=1)) == "SC-2026-000012"
    with pytest.raises(LinkBadSignature):
        read_supplier_token("t" * 40, token, later)
    with pytest.raises(ValueError, match="containment: expected 10"):
        deadlines(later, supplier_limits([]), {Stage.ACKNOWLEDGE: 10}, 1.0)


async def test_every_stage_is_answered_by_link_judged_and_closed_by_another_person(
    api: Callers, db: SessionFactory
) -> None:
    await load(db, SAMPLE.read_text(), "2026", datetime(2026, 1, 1, tzinfo=UTC))
    made = await issued(api)
    number, url = made["number"], f"{URL}/{made['number']}"
    link = page(number)
    assert "Lot SUP-77" in (await api.client.get(link)).text
    empty = await api.client.post(link, data={"stage": "acknowledge", "round": 1})
    assert (empty.status_code, "Please give your name." in empty.text) == (422, True)
    done = await api.client.post(link, data=WHO | {"stage": "acknowledge", "account": "Received."})
    assert (done.status_code, f"{number}/" in done.text) == (200, True)
    assert "what you have contained" in (await api.client.get(link)).text
    contain = WHO | {"stage": "containment", "account": "Two lots stopped."}
    wrong = await api.client.post(
        link, data=contain, files={"file": ("x.pdf", b"MZ not a document", "application/pdf")}
    )
    assert wrong.status_code == 422
    await api.client.post(link, data=contain, files={"file": PDF})
    shown = (await api.get(url)).json()
    assert (shown["state"], shown["answers"][1]["files"][0]["name"]) == ("answered", "report.pdf")
    unsaid = {"stage": "containment", "round": 1, "accepted": False}
    assert (await api.post(f"{url}/review", unsaid, Role.SUPPLIER_QUALITY)).status_code == 422
    assert (await api.post(f"{url}/close", {"conclusion": "x"}, Role.APPROVER)).status_code == 409
    back = {"stage": "containment", "round": 1, "accepted": False, "reason": "Which lots?"}
    stale = await api.post(f"{url}/review", back | {"stage": "cause"}, Role.SUPPLIER_QUALITY)
    assert (stale.status_code, stale.json()["type"]) == (409, "urn:recall:problem:wrong-state")
    assert (await ok(await api.post(f"{url}/review", back, Role.SUPPLIER_QUALITY)))["round"] == 2
    assert "Which lots?" in (await api.client.get(link)).text
    await api.client.post(link, data=contain | {"round": 2})
    await ok(await api.post(f"{url}/review", accept("containment", 2), Role.SUPPLIER_QUALITY))
    cause = WHO | {"stage": "cause", "round": 2, "account": "Dryer broken."}
    cause |= {"action": "New dryer.", "action_due_on": "2026-12-31"}
    unknown = await api.client.post(link, data=cause | {"codes": "C06 C9999"})
    assert (unknown.status_code, "not in the code list" in unknown.text) == (422, True)
    assert (await api.client.post(link, data=cause | {"codes": "c06, D04"})).status_code == 200
    await ok(await api.post(f"{url}/review", accept("cause", 2), Role.SUPPLIER_QUALITY))
    proof = WHO | {"stage": "verification", "round": 2, "account": "0 of 500 wet."}
    await api.client.post(link, data=proof, files={"file": PDF})
    last = await ok(await api.post(f"{url}/review", accept("verification", 2), Role.HEAD_OF_QUALITY))
    assert (last["state"], last["accepted_by"]) == ("accepted", "Hana")
    same = await api.post(f"{url}/close", {"conclusion": "Fine."}, Role.HEAD_OF_QUALITY)
    assert (same.status_code, same.json()["type"]) == (403, "urn:recall:problem:four-eyes")
    closed = await ok(await api.post(f"{url}/close", {"conclusion": "Fine."}, Role.APPROVER))
    assert (closed["state"], closed["answers"][3]["codes"]) == ("closed", ["C06", "D04"])
    assert (await api.client.get(link)).status_code == 410
    assert [kind for kind, _ in await sent(db)] == [
        "supplier_request",
        "supplier_return",
        "supplier_request",
        "supplier_request",
    ]


async def test_an_old_tab_answers_nothing_that_is_asked_anew_and_a_second_tap_is_one_answer(api: Callers) -> None:
    made = await issued(api)
    url, link = f"{URL}/{made['number']}", page(made["number"])
    first = [await api.client.post(link, data=WHO | {"stage": "acknowledge", "account": "Received."}) for _ in "12"]
    assert [(each.status_code, f"{made['number']}/1" in each.text) for each in first] == [(200, True)] * 2
    contain = WHO | {"stage": "containment", "account": "Two lots <stopped>."}
    many = [("file", PDF)] * 6
    too_many = await api.client.post(link, data=contain, files=many)
    assert (too_many.status_code, "Two lots &lt;stopped&gt;." in too_many.text) == (422, True)
    tapped = [await api.client.post(link, data=contain, files={"file": PDF}) for _ in "12"]
    assert [(each.status_code, "Thank you" in each.text) for each in tapped] == [(200, True)] * 2
    other = await api.client.post(link, data=contain | {"account": "Three lots."})
    assert (other.status_code, "Another answer came first and is with us" in other.text) == (409, True)
    back = {"stage": "containment", "round": 1, "accepted": False, "reason": "Which lots?"}
    await ok(await api.post(f"{url}/review", back, Role.SUPPLIER_QUALITY))
    asked = (await api.client.get(link)).text
    assert ('name="round" value="2"' in asked, "Two lots &lt;stopped&gt;.</textarea>" in asked) == (True, True)
    for turn in ({}, {"round": "0"}, {"round": "x²"}, {"round": "9" * 400}):
        old = await api.client.post(link, data=contain | {"account": "Seven lots."} | ({"round": ""} | turn))
        assert (old.status_code, "was not recorded" in old.text, "Which lots?" in old.text) == (409, True, True)
        assert "Seven lots.</textarea>" in old.text
    shown = (await api.get(url)).json()
    assert (shown["state"], shown["round"], len(shown["answers"])) == ("asked", 2, 2)
    assert (await api.client.post(link, data=contain | {"round": 2})).status_code == 200


async def test_a_silent_supplier_is_reminded_and_the_task_climbs(api: Callers, db: SessionFactory) -> None:
    made = await issued(api)
    look = QualityActivities(db)
    await look.turn_quality(TurnQuality(now=datetime.now(UTC) + timedelta(hours=1)))
    assert await sent(db) == [("supplier_request", "pending")], "no reminder comes with the request itself"
    await look.turn_quality(TurnQuality(now=datetime.now(UTC) + timedelta(days=1, hours=23)))
    await look.turn_quality(TurnQuality(now=datetime.now(UTC) + timedelta(days=5)))
    assert await sent(db) == [("supplier_request", "pending"), ("supplier_remind", "pending")]
    day = (await api.get("/v1/tasks", Role.AUDITOR)).json()["items"]
    (task,) = [each for each in day if each["file_number"] == made["number"]]
    assert (task["key"], task["stage"] >= 2, task["overdue"]) == ("scar:acknowledge:1", True, False)
    async with db.begin() as session:
        pending = await staff_messages.claim_next(session, made["number"], Channel.EMAIL, 0)
    assert pending is not None
    text = StaffRenderer().render(MessageKind.supplier_request, Channel.EMAIL, pending, "https://x.test/q/abc")
    for kind in (MessageKind.supplier_remind, MessageKind.supplier_return):
        for language, word in (("en", "Dear Sara Supplier"), ("zh-CN", "您好")):
            pending.person.language = language
            other = StaffRenderer().render(kind, Channel.EMAIL, pending, "https://x.test/q/abc")
            assert word in other.body
            assert made["number"] in other.subject
    assert "acknowledge the request" in text.subject
    assert "https://x.test/q/abc" in text.body


async def test_a_drill_writes_to_nobody_and_a_withdrawn_link_is_dead(api: Callers, db: SessionFactory) -> None:
    made = await issued(api, drill=True)
    assert await sent(db) == [("supplier_request", "blocked")]
    link = page(made["number"])
    assert "This is a drill" in (await api.client.get(link)).text
    await ok(await api.post(f"{URL}/{made['number']}/withdraw", {"reason": "Our error."}))
    assert (await api.client.get(link)).status_code == 410
    assert (await api.client.get(page(made["number"], days=-1))).status_code == 410
    assert (await api.client.get(page(made["number"], secret="x" * 40))).status_code == 403


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"supplier_code": "nobody"}, "#/supplier_code"),
        ({"nonconformity": "NC-2001-000001"}, "#/nonconformity"),
        ({"nonconformity": None, "capa_file": "RC-2001-000001"}, "#/capa_file"),
        ({"days": {"cause": 1}}, "#/days/cause"),
    ],
)
async def test_a_request_that_cannot_be_names_its_field(api: Callers, change: dict[str, Any], pointer: str) -> None:
    nc = (await ok(await api.post("/v1/nonconformities", found()), 201))["number"]
    refused = await api.post(URL, ask(nc, **change))
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer


async def test_the_profiles_in_force_say_how_long_a_supplier_has(api: Callers, db: SessionFactory) -> None:
    house = await issued(api)
    text = (Path(__file__).parents[2] / "policies/us-fda.yaml").read_text(encoding="utf-8")
    text = text.replace("acknowledge: 2 cd, containment: 5 cd", "acknowledge: 12 h, containment: 36 h")
    async with db.begin() as session:
        await policy_versions.seed(session, [Shipped(parse_policy(text), text)], datetime.now(UTC))
    strict = await issued(api)
    longer = await ok(await api.post(URL, ask(strict["nonconformity"], days={"containment": 7}), Role.QA), 201)
    async with db() as session:
        rows = [await session.get_one(SupplierRequest, each["number"]) for each in (house, strict, longer)]
    hours = [{stage.value: (row.due_at(stage) - row.issued_at) / timedelta(hours=1) for stage in Stage} for row in rows]
    assert hours[0] == {"acknowledge": 48, "containment": 120, "cause": 720, "verification": 2880}
    assert hours[1] == hours[0] | {"acknowledge": 12, "containment": 36}
    assert hours[2] == hours[1] | {"containment": 168}


async def test_an_answer_sent_back_late_is_asked_for_by_a_link_that_lives_and_with_more_time(
    api: Callers, db: SessionFactory, postgres: PostgresForTests
) -> None:
    made = await issued(api)
    url, link = f"{URL}/{made['number']}", page(made["number"])
    await api.client.post(link, data=WHO | {"stage": "acknowledge", "account": "Received."})
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute(
            "UPDATE supplier_request SET acknowledge_due_at = now() - interval '60 days', containment_due_at = now() -"
            " interval '50 days', cause_due_at = now() - interval '45 days', verification_due_at = now() -"
            " interval '40 days'"
        )
    await api.client.post(link, data=WHO | {"stage": "containment", "account": "Two lots stopped."})
    back = {"stage": "containment", "round": 1, "accepted": False, "reason": "Which lots?"}
    await ok(await api.post(f"{url}/review", back, Role.SUPPLIER_QUALITY))
    async with db() as session:
        rows = (await session.exec(select(StaffMessage).order_by(StaffMessage.id.desc()))).all()  # type: ignore[union-attr]
        newest = next(row for row in rows if row.kind == "supplier_return")
        request = await session.get(SupplierRequest, made["number"])
    assert request is not None
    assert link_until(request.verification_due_at, newest.created_at) > datetime.now(UTC) + timedelta(days=29)
    now = datetime.now(UTC)
    due = {stage.value: (now + timedelta(days=at)).isoformat() for at, stage in enumerate(Stage, 9)}
    early = await api.post(f"{url}/deadlines", {"due": {"cause": due["cause"]}, "reason": "x"}, Role.SUPPLIER_QUALITY)
    assert early.json()["errors"][0]["pointer"] == "#/due/verification"
    over = await api.post(f"{url}/deadlines", {"due": due, "reason": "x"}, Role.SUPPLIER_QUALITY)
    assert over.json()["errors"][0]["pointer"] == "#/due/acknowledge"
    later = {"due": {key: due[key] for key in list(Stage)[1:]}, "reason": "Their press stood still."}
    moved = await ok(await api.post(f"{url}/deadlines", later, Role.SUPPLIER_QUALITY))
    assert (moved["overdue"], moved["state"]) == (False, "asked")
    day = (await api.get("/v1/tasks", Role.AUDITOR)).json()["items"]
    (task,) = [each for each in day if (each["file_number"], each["key"]) == (made["number"], "scar:containment:2")]
    assert datetime.fromisoformat(task["due"]["at"]) == datetime.fromisoformat(due["containment"])
    assert [kind for kind, _ in await sent(db)][-2:] == ["supplier_return", "supplier_request"]


async def test_an_answer_on_record_is_not_changed_by_the_application(api: Callers, postgres: PostgresForTests) -> None:
    made = await issued(api)
    answer = WHO | {"stage": "acknowledge", "account": "Received."}
    await api.client.post(page(made["number"]), data=answer)
    with psycopg.connect(postgres.app_url) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("UPDATE supplier_answer SET account = 'Never.'")
