"""A file of a group's answers: each consignee answers as if it had typed them in itself, once, or nothing happens."""

from uuid import UUID

import pytest

from api.bulk_recording import Given, keep
from api.bulk_sheet import Sheet
from api.state import ApiState
from db.repositories.cases import By
from domain.roles import Role
from tests.bulk_answers.conftest import ALL_USED, WHO, Desk, rows_of, table
from tests.campaign.world import NUMBER

pytestmark = pytest.mark.db


async def test_each_consignee_of_the_file_gets_an_answer_of_its_own(desk: Desk, sites: dict[str, int]) -> None:
    content = table(
        *rows_of("Mercy", "A1", "B2"),
        *rows_of("Hope", "A1", "B2", on_hand="10", held="10", used="0", remark="Boxed up"),
    )
    asked = (await desk.send(content, preview=True)).json()
    assert (asked["preview"], asked["recorded"], asked["evidence_id"], desk.replies()) == (True, 2, None, [])
    answer = await desk.send(content, role=Role.ACCOUNT_MANAGER)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["rows"], told["recorded"], told["refused"], told["left_blank"]) == (4, 2, 0, [])
    assert [(item["code"], item["counts_as_answered"]) for item in told["items"]] == [
        ("P-Mercy", True),
        ("P-Hope", True),
    ]
    mercy, hope = desk.replies()
    assert (mercy["channel"], mercy["kind"], mercy["affected"], mercy["entered_by"]) == (
        "file",
        "statement",
        True,
        "Amara",
    )
    assert (hope["responder_name"], hope["responder_role"], hope["free_text"]) == (
        "G. Ndege",
        "Group pharmacist",
        "Boxed up",
    )
    lines = desk.world.rows("SELECT on_hand, held, used, passed_on, returned FROM reply_line ORDER BY id")
    assert [tuple(line.values()) for line in lines] == [(0, 0, 10, 0, None)] * 2 + [(10, 10, 0, 0, None)] * 2
    assert [desk.state(sites[name]) for name in ("Mercy", "Hope", "Grace")] == ["answered", "answered", "open"]
    linked = desk.world.rows("SELECT subject FROM evidence_link WHERE subject LIKE 'reply:%' ORDER BY subject")
    assert [row["subject"] for row in linked] == sorted(f"reply:{reply['id']}" for reply in (mercy, hope))
    assert desk.world.actions().count("reply.recorded") == 2
    listed = (await desk.callers.get(f"/v1/recalls/{NUMBER}/replies")).json()["items"]
    assert [(each["channel"], each["evidence_ids"]) for each in listed] == [("file", [told["evidence_id"]])] * 2
    assert "Ndege" not in str(desk.world.rows("SELECT data FROM audit_event"))


async def test_the_stored_file_is_the_one_that_was_sent(desk: Desk) -> None:
    content = table(*rows_of("Grace", "A1", responder_name="Zoë"), separator=";", encoding="cp1252")
    sent = await desk.send(content, {"encoding": "windows-1252"})
    assert sent.status_code == 201, sent.text
    url = f"/v1/evidence/{sent.json()['evidence_id']}"
    assert (await desk.callers.get(url)).content == content
    record = (await desk.callers.get(f"{url}/record")).json()
    assert (record["content_type"], record["recall_number"]) == ("text/csv; charset=windows-1252", NUMBER)
    assert [reply["responder_name"] for reply in desk.replies()] == ["Zoë"]


async def test_reminders_of_whoever_the_file_answers_for_are_cancelled(desk: Desk, sites: dict[str, int]) -> None:
    for name in ("Mercy", "Grace"):
        desk.world.run(
            "INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, chase, step, kind, channel, language,"
            " priority, state, attempt, ambiguous, created_at) SELECT gen_random_uuid(), %s, c.id, contact.id, 0, 1,"
            " 'reminder', 'email', 'en', 1, 'pending', 0, false, now() FROM consignee c"
            " JOIN contact ON contact.partner_id = c.partner_id WHERE c.id = %s",
            desk.world.campaign_id,
            sites[name],
        )
    assert (await desk.send(table(*rows_of("Mercy", "A1", "B2")))).status_code == 201
    found = desk.world.rows("SELECT consignee_id, state FROM delivery")
    assert {row["consignee_id"]: row["state"] for row in found} == {
        sites["Mercy"]: "cancelled",
        sites["Grace"]: "pending",
    }


async def test_what_cannot_be_is_kept_and_opens_a_query(desk: Desk, sites: dict[str, int]) -> None:
    content = table(*rows_of("Grace", "A1", used="12"))
    (item,) = (await desk.send(content, preview=True)).json()["items"]
    assert ([found["kind"] for found in item["findings"]], item["counts_as_answered"]) == (["more_than_shipped"], False)
    (item,) = (await desk.send(content)).json()["items"]
    assert ([found["kind"] for found in item["findings"]], item["counts_as_answered"]) == (["more_than_shipped"], False)
    assert desk.state(sites["Grace"]) == "acknowledged"
    assert [row["reason"] for row in desk.world.rows("SELECT reason FROM consignee_case")] == ["statement"]


async def test_an_earlier_answer_stays_on_record_and_the_file_says_that_it_is_replaced(
    desk: Desk, sites: dict[str, int]
) -> None:
    first = await desk.send(table(*rows_of("Grace", "A1")))
    assert first.json()["items"][0]["replaces_answer_of"] is None
    second = await desk.send(table(*rows_of("Grace", "A1", on_hand="4", held="4", used="6")), preview=True)
    assert second.json()["items"][0]["replaces_answer_of"] is not None
    await desk.send(table(*rows_of("Grace", "A1", on_hand="4", held="4", used="6")))
    lines = desk.world.rows("SELECT reply_id, used FROM reply_line ORDER BY id")
    assert [int(line["used"]) for line in lines] == [10, 6]
    assert desk.state(sites["Grace"]) == "answered"


async def test_the_same_file_is_one_answer_whoever_sends_it_and_with_whatever_key(desk: Desk) -> None:
    content = table(*rows_of("Mercy", "A1", "B2"), *rows_of("Grace", "A1"))
    first = await desk.send(content, key="one")
    replayed = await desk.send(content, key="one")
    assert (replayed.json(), replayed.headers["Idempotency-Replayed"]) == (first.json(), "true")
    other = await desk.send(content, key="two", role=Role.REGULATORY)
    assert [item["repeated"] for item in other.json()["items"]] == [True, True]
    assert other.json()["evidence_id"] == first.json()["evidence_id"]
    assert len(desk.replies()) == 2
    assert (await desk.send(table(*rows_of("Grace", "A1")), key="one")).status_code == 422


async def test_sites_that_units_went_to_join_the_recall(desk: Desk, sites: dict[str, int]) -> None:
    to = {"passed_on_to": "Clinic", "passed_on_email": "stores@clinic.example", "passed_on_contact": "Ann"}
    more = {
        "consignee": "P-Grace",
        "lot": "A1",
        "passed_on": "3",
        "passed_on_to": "Depot",
        "passed_on_kind": "distributor",
    }
    content = table(
        *rows_of("Grace", "A1", used="5", passed_on="2", **to), more | {"passed_on_phone": "+254 20 1234567"}
    )
    answer = await desk.send(content)
    assert answer.status_code == 201, answer.text
    (item,) = answer.json()["items"]
    assert (item["passed_on_to"], len(item["new_consignees"])) == (2, 2)
    found = desk.world.rows(
        "SELECT p.name, p.kind, k.email, k.phone, went.quantity"
        " FROM passed_on went JOIN consignee c ON c.id = went.consignee_id"
        " JOIN partner p ON p.id = c.partner_id JOIN contact k ON k.partner_id = p.id ORDER BY p.name"
    )
    assert [(row["name"], row["kind"], row["email"], row["phone"], int(row["quantity"])) for row in found] == [
        ("Clinic", "hospital", "stores@clinic.example", None, 2),
        ("Depot", "distributor", None, "+254201234567", 3),
    ]
    (line,) = desk.world.rows("SELECT used, passed_on FROM reply_line")
    assert (int(line["used"]), int(line["passed_on"])) == (5, 5)
    listed = await desk.template(sender=sites["Grace"])
    assert [row["consignee_name"] if "consignee_name" in row else row["Site"] for row in listed] == ["Clinic", "Depot"]


async def test_patients_and_harm_of_a_row_are_recorded_as_from_the_page(desk: Desk) -> None:
    counts = {f"patients_{name}": "2" for name in ("exposed", "contacted", "monitored")} | {"patients_replaced": "0"}
    content = table(*rows_of("Grace", "A1", remark="One patient died", patients_final="yes", **counts))
    (item,) = (await desk.send(content, preview=True)).json()["items"]
    assert item["speaks_of_harm"] is True
    (item,) = (await desk.send(content)).json()["items"]
    assert item["complaint"] == 1
    (row,) = desk.world.rows("SELECT exposed, replaced, final, channel, stated_by FROM patient_follow_up")
    assert tuple(row.values()) == (2, 0, True, "file", "G. Ndege")
    assert desk.world.one("SELECT source FROM complaint") == "file"


async def test_serial_numbers_add_up_to_their_lot(desk: Desk) -> None:
    for serial in ("S1", "S2", "S3"):
        desk.world.run("INSERT INTO serial (lot_id, number) VALUES (%s, %s)", desk.world.lot_ids[0], serial)
    none = dict.fromkeys(ALL_USED, "0")
    rows = [
        {"consignee": "P-Grace", "serial": "S1"} | WHO | none | {"used": "1"},
        {"consignee": "P-Grace", "lot": "A1", "serial": "S2"} | none | {"on_hand": "1", "held": "1"},
    ]
    assert (await desk.send(table(*rows))).status_code == 201
    (line,) = desk.world.rows("SELECT on_hand, held, used FROM reply_line")
    assert [int(value) for value in line.values()] == [1, 1, 1]
    assert desk.replies()[0]["free_text"] == "Serial numbers stated: S1, S2"
    found = await desk.send(table(rows[0], rows[0] | {"serial": "S9"}))
    assert {each["pointer"]: each["detail"] for each in found.json()["errors"]} == {
        "#/rows/3/serial": "no lot of this consignee has it on record: expected the lot with it"
    }


async def test_a_file_goes_on_where_a_crash_stopped_it(desk: Desk, sites: dict[str, int]) -> None:
    """Half of a file recorded under a key that never got its answer: the repeat records the rest and adds nothing."""
    content = table(*rows_of("Mercy", "A1", "B2"), *rows_of("Grace", "A1"))
    desk.world.run(f"ALTER TABLE reply ADD CONSTRAINT crash CHECK (consignee_id <> {sites['Grace']})")
    try:
        stopped = await desk.send(content, key="crash")
        assert stopped.status_code >= 500
        assert len(desk.replies()) == 1
    finally:
        desk.world.run("ALTER TABLE reply DROP CONSTRAINT crash")
    again = await desk.send(content, key="crash")
    assert again.status_code == 201, again.text
    assert [item["repeated"] for item in again.json()["items"]] == [True, False]
    assert len(desk.replies()) == 2


async def test_what_changed_while_the_file_was_taken_is_named_and_the_rest_is_recorded(
    desk: Desk, sites: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def held(state: ApiState, given: Given, sheet: Sheet, by: By) -> UUID:
        found = await keep(state, given, sheet, by)
        desk.world.run("UPDATE consignee_lot SET withdrawn_in = 2 WHERE consignee_id = %s", sites["Mercy"])
        return found

    monkeypatch.setattr("api.routers.bulk_answers.keep", held)
    answer = await desk.send(table(*rows_of("Mercy", "A1", "B2"), *rows_of("Grace", "A1")))
    mercy, grace = answer.json()["items"]
    assert (answer.json()["recorded"], answer.json()["refused"]) == (1, 1)
    assert "not among this recipient's affected lots" in mercy["refused"]
    assert (mercy["reply_id"], mercy["counts_as_answered"], grace["refused"]) == (None, False, None)
    assert [reply["consignee_id"] for reply in desk.replies()] == [sites["Grace"]]


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.WAREHOUSE, Role.APPROVER])
async def test_only_who_may_answer_for_consignees_sends_or_gets_files(desk: Desk, role: Role) -> None:
    content = table(*rows_of("Grace", "A1"))
    for preview in (True, False):
        assert (await desk.send(content, role=role, preview=preview)).status_code == 403
    assert (await desk.callers.get(f"{desk.url}.csv", role)).status_code == 403


async def test_a_recall_that_has_ended_takes_no_file(desk: Desk) -> None:
    desk.world.run("UPDATE recall SET phase = 'terminated'")
    content = table(*rows_of("Grace", "A1"))
    for preview in (True, False):
        answer = await desk.send(content, preview=preview)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:recall:problem:recall-closed")
