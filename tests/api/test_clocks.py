"""Clock starts over HTTP: communications on any channel, authorities' orders, signed corrections; limits by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from db.engine import SessionFactory
from db.repositories import checklist, obligations
from domain.roles import Role
from models.evidence import Evidence
from tests.capa.conftest import next_number, write_recall
from tests.obligations.conftest import Owing
from tests.support.api import Callers

pytestmark = pytest.mark.db
CREATED = datetime(2026, 11, 2, 14, 0, tzinfo=UTC)
"""A Monday morning in Washington."""


@pytest_asyncio.fixture
async def owing(api: Callers, db: SessionFactory) -> Owing:
    """A class II recall decided in the United States and in China; nobody was told yet."""
    number = next_number()
    await write_recall(db, number, jurisdictions=["us-fda", "cn-nmpa"], created_at=CREATED, awareness_at=CREATED)
    found = Owing(db, number, CREATED)
    await found.decide("us-fda", "II", "II")
    await found.decide("cn-nmpa", "II", "2")
    await found.start("decision", CREATED)
    await found.turn(CREATED)
    return found


async def proof(owing: Owing) -> list[str]:
    """A file on record, as a request cites it."""
    row = Evidence(
        id=uuid4(),
        file_name="call-log.pdf",
        content_type="application/pdf",
        size=1,
        sha256="d" * 64,
        uploaded_by="Rafael",
        uploaded_at=CREATED,
    )
    the_id = str(row.id)
    async with owing.sessions.begin() as session:
        session.add(row)
    return [the_id]


async def stated(owing: Owing, at: datetime, **changes: Any) -> dict[str, Any]:
    given = {"clock": "first_communication", "at": at.isoformat(), "channel": "telephone", "reference": "log 117"}
    return given | {"evidence_ids": await proof(owing)} | changes


def url(owing: Owing, tail: str = "") -> str:
    return f"/v1/recalls/{owing.number}/clocks{tail}"


async def due(owing: Owing, key: str) -> datetime:
    await owing.turn(owing.at(4))
    return (await owing.deadlines())[key].due_at


async def test_a_documented_telephone_call_starts_the_806_clock(api: Callers, owing: Owing) -> None:
    body = await stated(owing, owing.at(1))
    assert (await api.post(url(owing), body, Role.QA)).status_code == 403
    made = await api.post(url(owing), body, Role.REGULATORY, key="call")
    assert made.status_code == 201, made.text
    assert (made.json()["name"], made.json()["source"], made.json()["author"]) == (
        "first_communication",
        "telephone: log 117",
        "Rafael",
    )
    assert (await api.post(url(owing), body, Role.REGULATORY, key="call")).json() == made.json()
    # Day zero Tue 3 Nov: 4 5 6 (3) 9 10 (5), 11 is Veterans Day, 12 13 (7) 16 17 18 (10), end of day in Washington.
    assert await due(owing, "us-fda:regulator_report") == datetime(2026, 11, 19, 4, 59, 59, tzinfo=UTC)


async def test_an_earlier_communication_corrects_the_first_and_a_later_one_is_refused(
    api: Callers, owing: Owing
) -> None:
    await api.post(url(owing), await stated(owing, owing.at(2), channel="press"), Role.REGULATORY)
    before = await due(owing, "us-fda:regulator_report")
    later = await api.post(url(owing), await stated(owing, owing.at(3)), Role.REGULATORY)
    assert (later.status_code, later.json()["type"].rsplit(":", 1)[1]) == (409, "clock-refused")
    earlier = await api.post(url(owing), await stated(owing, owing.at(1)), Role.REGULATORY)
    assert earlier.json()["corrects"] == "first_communication"
    assert await due(owing, "us-fda:regulator_report") == before - timedelta(days=1)
    listed = (await api.get(url(owing), Role.AUDITOR)).json()
    mine = [each for each in listed if each["name"] == "first_communication"]
    assert [each["source"] for each in mine] == ["press: log 117", "telephone: log 117"]
    assert [each["corrected_by"] for each in mine] == [mine[1]["id"], None]


async def test_a_signed_correction_to_a_later_instant_keeps_the_old_one_and_makes_nothing_later(
    api: Callers, owing: Owing
) -> None:
    made = (await api.post(url(owing), await stated(owing, owing.at(1)), Role.REGULATORY)).json()
    before = await due(owing, "us-fda:regulator_report")
    body = {
        "at": owing.at(3).isoformat(),
        "reason": "The log names the wrong day.",
        "reference": "log 118",
        "evidence_ids": await proof(owing),
    }
    right = await api.post(url(owing, f"/{made['id']}/correct"), body, Role.REGULATORY)
    assert right.status_code == 201, right.text
    assert await due(owing, "us-fda:regulator_report") == before
    assert (await owing.clocks())["first_communication"] == owing.at(3), "what is computed from now on runs from there"
    again = await api.post(url(owing, f"/{made['id']}/correct"), body, Role.REGULATORY)
    assert (again.status_code, again.json()["type"].rsplit(":", 1)[1]) == (409, "clock-refused")
    async with owing.sessions() as session:
        [clock] = [
            each
            for each in await obligations.running_clocks(session, owing.number)
            if each.base == "first_communication"
        ]
    assert clock.at == owing.at(3)


async def test_the_instant_of_a_signature_is_not_corrected_and_an_unknown_clock_is_not_found(
    api: Callers, owing: Owing
) -> None:
    listed = (await api.get(url(owing), Role.AUDITOR)).json()
    decision = next(each for each in listed if each["name"] == "decision")
    body = {"at": owing.at(0).isoformat(), "reason": "x", "reference": "y", "evidence_ids": await proof(owing)}
    refused = await api.post(url(owing, f"/{decision['id']}/correct"), body, Role.REGULATORY)
    assert (refused.status_code, refused.json()["type"].rsplit(":", 1)[1]) == (409, "clock-refused")
    unknown = await api.post(url(owing, f"/{2**40}/correct"), body, Role.REGULATORY)
    assert (unknown.status_code, unknown.json()["type"].rsplit(":", 1)[1]) == (404, "clock-unknown")


async def test_an_order_starts_a_clock_under_its_own_law_only(api: Callers, owing: Owing) -> None:
    await owing.decide("us-fda", "I", "I")
    order = await stated(owing, owing.at(1), clock="authority_order", channel=None, jurisdiction="us-fda")
    made = await api.post(url(owing), order, Role.REGULATORY)
    assert (made.status_code, made.json()["name"]) == (201, "authority_order@us-fda")
    assert await due(owing, "us-fda:public_warning") == owing.at(2)
    second = await api.post(url(owing), order | {"at": owing.at(2).isoformat()}, Role.REGULATORY)
    assert second.json()["name"] == "authority_order@us-fda:2"
    assert await due(owing, "us-fda:public_warning:2") == owing.at(3)
    foreign = await api.post(url(owing), order | {"jurisdiction": "eu-mdr"}, Role.REGULATORY)
    assert (foreign.status_code, foreign.json()["errors"][0]["pointer"]) == (422, "#/jurisdiction")


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": None},
        {"jurisdiction": "us-fda"},
        {"clock": "authority_order"},
        {"clock": "decision"},
        {"evidence_ids": []},
        {"at": "2026-11-03T10:00:00"},
        {"reference": ""},
    ],
)
async def test_a_clock_start_that_does_not_say_enough_is_refused_by_its_field(
    api: Callers, owing: Owing, changes: dict[str, Any]
) -> None:
    answer = await api.post(url(owing), await stated(owing, owing.at(1)) | changes, Role.REGULATORY)
    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_an_instant_to_come_is_refused(api: Callers, owing: Owing) -> None:
    body = await stated(owing, datetime.now(UTC) + timedelta(hours=1))
    answer = await api.post(url(owing), body, Role.REGULATORY)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/at")


async def test_a_limit_that_no_table_covers_is_owed_until_it_is_worked_out_by_hand(
    api: Callers, owing: Owing, db: SessionFactory
) -> None:
    at = f"/v1/recalls/{owing.number}/obligations"
    completed = datetime(2026, 12, 18, 9, 0, tzinfo=UTC)
    await owing.start("completion", completed)
    before = await owing.turn(completed)
    [waits] = [each for each in (await api.get(at, Role.AUDITOR)).json() if each["state"] == "by_hand"]
    assert (waits["name"], waits["jurisdiction"], waits["due"], waits["title_zh"]) == (
        "closure",
        "cn-nmpa",
        None,
        "召回总结评估报告",
    )
    async with db() as session:
        items = {item.key: item for item in await checklist.checklist(session, owing.number, completed)}
    assert any("cn-nmpa: when closure is due is not worked out" in line for line in items["obligations"].open)
    body = {
        "jurisdiction": "cn-nmpa",
        "name": "closure",
        "due_at": "2027-01-04T15:59:59Z",
        "working": "21 to 25 and 28 to 31 December, 4 January; 1 January off, no make-up day announced.",
    }
    early = await api.post(f"{at}/by-hand", body | {"due_at": "2026-12-01T00:00:00Z"}, Role.REGULATORY)
    assert (early.status_code, early.json()["errors"][0]["pointer"]) == (422, "#/due_at")
    assert (await api.post(f"{at}/by-hand", body, Role.QA)).status_code == 403
    done = await api.post(f"{at}/by-hand", body, Role.REGULATORY)
    assert (done.status_code, done.json()["state"]) == (201, "open"), done.text
    assert done.json()["due"]["policy_at"] == "2027-01-04T15:59:59Z"
    twice = await api.post(f"{at}/by-hand", body, Role.REGULATORY)
    assert (twice.status_code, twice.json()["type"].rsplit(":", 1)[1]) == (409, "obligation-not-open")
    after = await owing.turn(completed)
    assert after.open == before.open, "owed before it had an instant, and owed with it"
    tasks = await owing.tasks()
    assert tasks["deadline:cn-nmpa:closure"].state == "done"
    assert tasks["obligation:closure:cn-nmpa"].state == "offered"
    events = (await api.get(f"{at}/{done.json()['id']}/history", Role.AUDITOR)).json()
    assert [(each["what"], each["actor"]) for each in events] == [("worked_out", "Rafael")]
    assert events[0]["why"] == body["working"]


async def test_a_reopened_recall_needs_no_instant_for_the_report_of_its_void_completion(owing: Owing) -> None:
    completed = datetime(2026, 12, 18, 9, 0, tzinfo=UTC)
    await owing.start("completion", completed)
    before = await owing.turn(completed)
    async with owing.sessions.begin() as session:
        await obligations.stop_of_clock(session, owing.number, "completion", reason="recall reopened", now=completed)
    after = await owing.turn(completed)
    assert (await owing.tasks())["deadline:cn-nmpa:closure"].state == "cancelled"
    assert before.open - after.open == 2, "the American report and the Chinese one"


async def test_the_history_of_a_deadline_says_from_what_to_what_it_moved_and_why(api: Callers, owing: Owing) -> None:
    await api.post(url(owing), await stated(owing, owing.at(2)), Role.REGULATORY)
    late = await due(owing, "us-fda:regulator_report")
    await api.post(url(owing), await stated(owing, owing.at(1)), Role.REGULATORY)
    early = await due(owing, "us-fda:regulator_report")
    the_id = (await owing.deadlines())["us-fda:regulator_report"].id
    at = f"/v1/recalls/{owing.number}/obligations/{the_id}"
    body = {"reference": "ACK 9", "evidence_ids": await proof(owing)}
    assert (await api.post(f"{at}/submit", body, Role.REGULATORY)).status_code == 200
    events = (await api.get(f"{at}/history", Role.AUDITOR)).json()
    assert [each["what"] for each in events] == ["computed", "earlier", "submitted"]
    assert datetime.fromisoformat(events[1]["was"]) == late
    assert datetime.fromisoformat(events[1]["due_at"]) == early
    assert "10 wd from first_communication" in events[1]["why"]
    assert (events[2]["actor"], events[2]["why"]) == ("Rafael", "ACK 9")
    assert (await api.get(f"/v1/recalls/{owing.number}/obligations/{2**40}/history", Role.AUDITOR)).status_code == 404
