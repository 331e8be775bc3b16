"""Change control of regulation profiles through the real API: three people, frozen content, days, rollback, audit."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from activities.policies import PolicyStore
from db.engine import SessionFactory
from db.repositories import audit, policy_versions
from domain.policy import parse_policy
from domain.roles import Role
from tests.support.api import Callers, intake
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
FOLDER = Path(__file__).parents[2] / "policies"
STORE = PolicyStore.load(FOLDER)
US = (FOLDER / "us-fda.yaml").read_text(encoding="utf-8")
V = parse_policy(US).version
NEXT = V + 1
TODAY = datetime.now(UTC).date()


def edited(version: int = NEXT, **changes: str) -> str:
    """The profile as a quality manager edits it: the next number, and Class I notices sooner."""
    text = US.replace(f"\nversion: {V}\n", f"\nversion: {version}\n", 1)
    before = str(parse_policy(US).levels["I"].notify.due)
    head, _, tail = text.partition("\nlevels:\n")
    tail = tail.replace(f"due: {before}", f"due: {changes.get('due', '12 h')}", 1)
    return f"{head}\nlevels:\n{tail}"


async def seeded(db: SessionFactory) -> None:
    await STORE.seed(db, datetime.now(UTC))


async def submitted(api: Callers, text: str | None = None, role: Role = Role.QA) -> dict[str, Any]:
    answer = await api.post("/v1/policies", {"text": text or edited(), "note": "notices sooner"}, role)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def step(api: Callers, row: dict[str, Any], name: str, role: Role, **body: Any) -> Any:
    given = {"sha256": row["sha256"]} | body if name in ("review", "approve", "activate") else body
    return await api.post(f"/v1/policies/{row['policy_id']}/versions/{row['version']}/{name}", given, role)


async def approved(api: Callers, text: str | None = None) -> dict[str, Any]:
    row = await submitted(api, text)
    assert (await step(api, row, "review", Role.REGULATORY)).status_code == 200
    answer = await step(api, row, "approve", Role.HEAD_OF_REGULATORY)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def in_force(api: Callers, text: str | None = None, day: Any = TODAY) -> dict[str, Any]:
    row = await approved(api, text)
    answer = await step(api, row, "activate", Role.HEAD_OF_QUALITY, from_day=str(day))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def kind(answer: Any) -> str:
    return str(answer.json()["type"]).removeprefix("urn:recall:problem:")


async def test_what_comes_from_the_database_is_what_the_files_say(db: SessionFactory) -> None:
    await seeded(db)
    async with db() as session:
        for file in sorted(FOLDER.glob("*.yaml")):
            policy = parse_policy(file.read_text(encoding="utf-8"))
            assert await policy_versions.in_force(session, policy.id, TODAY) == policy, policy.id


async def test_seeding_is_done_once_however_many_workers_start_and_changes_nothing(db: SessionFactory) -> None:
    await asyncio.gather(*(seeded(db) for _ in range(4)))
    async with db() as session:
        rows = await policy_versions.listed(session)
        events = await audit.read(session, audit.SYSTEM)
    assert {row.policy_id for row in rows} == {file.stem for file in FOLDER.glob("*.yaml")}
    assert all(row.shipped and row.authored_by == "shipped" and row.state == "in_force" for row in rows)
    assert [event.action for event in events].count("policy.shipped") == len(rows)


async def test_a_file_that_differs_from_the_version_on_record_is_reported_and_does_not_count(
    db: SessionFactory,
) -> None:
    await seeded(db)
    other = PolicyStore([policy_versions.Shipped(parse_policy(edited(V)), edited(V))])
    found = await other.seed(db, datetime.now(UTC))
    assert [(each.policy_id, each.outcome) for each in found] == [("us-fda", "differs")]
    async with db() as session:
        kept = await policy_versions.in_force(session, "us-fda", TODAY)
    assert kept == parse_policy(US)


async def test_a_newer_shipped_version_is_only_a_draft_where_the_firm_has_one(db: SessionFactory) -> None:
    await seeded(db)
    update = PolicyStore([policy_versions.Shipped(parse_policy(edited()), edited())])
    found = await update.seed(db, datetime.now(UTC))
    assert [(each.version, each.outcome) for each in found] == [(NEXT, "draft")]
    async with db() as session:
        assert await policy_versions.in_force(session, "us-fda", TODAY) == parse_policy(US)


async def test_a_version_goes_from_draft_to_force_by_three_people_and_the_old_one_is_superseded(
    api: Callers, db: SessionFactory
) -> None:
    await seeded(db)
    row = await submitted(api)
    assert (row["state"], row["version"], row["based_on"]) == ("draft", NEXT, V)
    reviewed = (await step(api, row, "review", Role.REGULATORY)).json()
    assert (reviewed["state"], reviewed["reviewed_by"]) == ("reviewed", "Rafael")
    approval = (await step(api, row, "approve", Role.HEAD_OF_REGULATORY)).json()
    assert (approval["state"], approval["approved_by"]) == ("approved", "Hugo")
    active = (await step(api, row, "activate", Role.HEAD_OF_QUALITY, from_day=str(TODAY))).json()
    assert (active["state"], active["in_force_from"]) == ("in_force", str(TODAY))
    versions = (await api.get("/v1/policies/us-fda/versions")).json()["items"]
    assert [(each["version"], each["state"]) for each in versions] == [(V, "superseded"), (NEXT, "in_force")]
    (profile,) = [each for each in (await api.get("/v1/policies")).json()["items"] if each["id"] == "us-fda"]
    assert (profile["in_force"], profile["open_versions"]) == (NEXT, [])
    async with db() as session:
        now = await policy_versions.in_force(session, "us-fda", TODAY)
        before = await policy_versions.in_force(session, "us-fda", TODAY - timedelta(days=1))
        events = [each for each in await audit.read(session, audit.SYSTEM) if each.action.startswith("policy.")]
        assert await audit.first_broken_link(session, audit.SYSTEM) is None
    assert now is not None
    assert before is not None
    assert (now.version, before.version) == (NEXT, V)
    told = [(each.action, each.actor) for each in events if each.data["policy"] == f"us-fda@{NEXT}"]
    assert told == [
        ("policy.submitted", "Quinn"),
        ("policy.reviewed", "Rafael"),
        ("policy.approved", "Hugo"),
        ("policy.in_force", "Hana"),
    ]
    assert {each.data["sha256"] for each in events if each.data["policy"] == f"us-fda@{NEXT}"} == {row["sha256"]}
    signed = [each for each in events if each.action in ("policy.reviewed", "policy.approved", "policy.in_force")]
    assert all(each.data["signature"] for each in signed)


async def test_author_reviewer_and_approver_are_three_people(api: Callers, db: SessionFactory) -> None:
    await seeded(db)
    row = await submitted(api, role=Role.HEAD_OF_QUALITY)
    assert kind(await step(api, row, "review", Role.HEAD_OF_QUALITY)) == "four-eyes"
    assert (await step(api, row, "review", Role.HEAD_OF_REGULATORY)).status_code == 200
    for person in (Role.HEAD_OF_QUALITY, Role.HEAD_OF_REGULATORY):
        answer = await step(api, row, "approve", person)
        assert (answer.status_code, kind(answer)) == (403, "four-eyes")
    async with db() as session:
        refused = [each for each in await audit.read(session, audit.SYSTEM) if each.action == "decision.refused"]
    assert [each.actor for each in refused] == ["Hana", "Hana", "Hugo"]


@pytest.mark.parametrize("role", [Role.WAREHOUSE, Role.APPROVER, Role.AUDITOR, Role.MEDICAL, Role.ADMIN])
async def test_who_does_not_write_policies_submits_none(api: Callers, role: Role) -> None:
    answer = await api.post("/v1/policies", {"text": edited(), "note": "x"}, role)
    assert (answer.status_code, kind(answer)) == (403, "not-permitted")


async def test_only_heads_approve_and_only_who_manages_policies_puts_in_force(api: Callers, db: SessionFactory) -> None:
    await seeded(db)
    row = await submitted(api)
    await step(api, row, "review", Role.REGULATORY)
    for role in (Role.QA, Role.REGULATORY, Role.ADMIN, Role.APPROVER):
        assert (await step(api, row, "approve", role)).status_code == 403
    await step(api, row, "approve", Role.HEAD_OF_QUALITY)
    for role in (Role.QA, Role.REGULATORY, Role.APPROVER):
        assert (await step(api, row, "activate", role, from_day=str(TODAY))).status_code == 403
    assert (await step(api, row, "activate", Role.ADMIN, from_day=str(TODAY))).status_code == 200


async def test_every_fault_of_a_text_is_named_with_its_path_and_nothing_is_kept(
    api: Callers, db: SessionFactory
) -> None:
    await seeded(db)
    text = edited(due="twelve hours").replace("role: approver", "role: emperor", 1)
    answer = await api.post("/v1/policies", {"text": text, "note": "x"})
    assert (answer.status_code, kind(answer)) == (422, "invalid")
    faults = [each["detail"] for each in answer.json()["errors"]]
    assert any(fault.startswith("levels.I.notify.due: ") for fault in faults), faults
    assert any(fault.startswith("tasks.") and ".role: " in fault for fault in faults), faults
    unnamable = await api.post("/v1/policies", {"text": US.replace("id: us-fda", "id: lab", 1), "note": "x"})
    assert unnamable.json()["errors"][0]["detail"].startswith("id: expected a name like us-fda")
    for wrong in (V, NEXT + 1):
        answer = await api.post("/v1/policies", {"text": edited(wrong), "note": "x"})
        (error,) = answer.json()["errors"]
        assert error["detail"].startswith(f"version: expected {NEXT}"), error
    assert len((await api.get("/v1/policies/us-fda/versions")).json()["items"]) == 1


async def test_a_draft_is_replaced_by_its_author_only_and_what_was_read_before_cannot_be_reviewed(
    api: Callers, db: SessionFactory
) -> None:
    await seeded(db)
    row = await submitted(api)
    url = f"/v1/policies/us-fda/versions/{NEXT}"
    body = {"text": edited(due="6 h"), "note": "sooner still"}
    refused = await api.client.put(url, json=body, headers=api.headers(Role.REGULATORY, "other"))
    assert kind(refused) == "four-eyes"
    replaced = await api.client.put(url, json=body, headers=api.headers(Role.QA, "mine"))
    assert replaced.status_code == 200, replaced.text
    answer = await step(api, row, "review", Role.REGULATORY)
    assert (answer.status_code, kind(answer)) == (409, "hash-mismatch")
    assert (await step(api, replaced.json(), "review", Role.REGULATORY)).status_code == 200
    late = await api.client.put(url, json=body | {"note": "late"}, headers=api.headers(Role.QA, "late"))
    assert kind(late) == "wrong-state"


async def test_sent_back_it_loses_its_review_and_can_be_changed_again(api: Callers, db: SessionFactory) -> None:
    await seeded(db)
    row = await submitted(api)
    await step(api, row, "review", Role.REGULATORY)
    assert (await step(api, row, "send-back", Role.REGULATORY)).status_code == 422
    back = await step(api, row, "send-back", Role.HEAD_OF_REGULATORY, reason="6 hours cannot be kept at night")
    assert (back.json()["state"], back.json()["reviewed_by"]) == ("draft", None)
    assert kind(await step(api, row, "approve", Role.HEAD_OF_REGULATORY)) == "wrong-state"
    url = f"/v1/policies/us-fda/versions/{NEXT}"
    body = {"text": edited(due="18 h"), "note": "at night"}
    assert (await api.client.put(url, json=body, headers=api.headers(Role.QA, "k"))).status_code == 200


async def test_a_version_put_in_force_for_a_later_day_waits_for_it(api: Callers, db: SessionFactory) -> None:
    await seeded(db)
    later = TODAY + timedelta(days=10)
    row = await in_force(api, day=later)
    assert row["state"] == "approved"
    versions = (await api.get("/v1/policies/us-fda/versions")).json()["items"]
    assert [(each["version"], each["state"]) for each in versions] == [(V, "in_force"), (NEXT, "approved")]
    async with db() as session:
        days = [(later - timedelta(days=1), V), (later, NEXT)]
        for day, version in days:
            found = await policy_versions.in_force(session, "us-fda", day)
            assert found is not None
            assert found.version == version


async def test_a_version_put_in_force_before_one_that_is_scheduled_leaves_one_in_force_on_every_day(
    api: Callers, db: SessionFactory
) -> None:
    await seeded(db)
    sooner, later = TODAY + timedelta(days=2), TODAY + timedelta(days=10)
    await in_force(api, day=later)
    await in_force(api, edited(NEXT + 1, due="18 h"), day=sooner)
    async with db() as session:
        rows = {row.version: row for row in await policy_versions.listed(session) if row.policy_id == "us-fda"}
    ended = {version: (row.superseded_from, row.superseded_by) for version, row in rows.items()}
    assert ended == {V: (sooner, NEXT + 1), NEXT: (sooner, NEXT + 1), NEXT + 1: (None, None)}
    for day in (TODAY + timedelta(days=each) for each in range(12)):
        holding = [
            row.version
            for row in rows.values()
            if row.in_force_from and row.in_force_from <= day and (not row.superseded_from or day < row.superseded_from)
        ]
        assert holding == [NEXT + 1 if day >= sooner else V], day


async def test_nothing_is_put_in_force_for_a_day_that_has_passed(api: Callers, db: SessionFactory) -> None:
    await seeded(db)
    row = await approved(api)
    answer = await step(api, row, "activate", Role.HEAD_OF_QUALITY, from_day=str(TODAY - timedelta(days=1)))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/from_day"


async def test_a_rollback_is_a_new_version_with_the_old_content_and_its_comments(
    api: Callers, db: SessionFactory
) -> None:
    await seeded(db)
    await in_force(api)
    answer = await api.post("/v1/policies/us-fda/rollback", {"to": V, "note": "12 h were not kept"}, Role.REGULATORY)
    assert answer.status_code == 201, answer.text
    row = answer.json()
    assert (row["version"], row["rollback_to"], row["state"]) == (NEXT + 1, V, "draft")
    diff = (await api.get(f"/v1/policies/us-fda/versions/{NEXT + 1}/diff", against=V)).json()
    assert [each["path"] for each in diff["changes"]] == ["version"]
    text = (await api.get(f"/v1/policies/us-fda/versions/{NEXT + 1}/text")).text
    assert text.splitlines()[0] == US.splitlines()[0]
    assert (await step(api, row, "review", Role.QA)).status_code == 200
    assert (await step(api, row, "approve", Role.HEAD_OF_QUALITY)).status_code == 200
    assert (await step(api, row, "activate", Role.ADMIN, from_day=str(TODAY))).status_code == 200
    async with db() as session:
        found = await policy_versions.in_force(session, "us-fda", TODAY)
    assert found is not None
    assert found.model_copy(update={"version": V}) == parse_policy(US)


async def test_an_older_approved_version_cannot_pass_a_newer_one_in_force(api: Callers, db: SessionFactory) -> None:
    await seeded(db)
    older = await approved(api)
    await in_force(api, edited(NEXT + 1, due="18 h"))
    answer = await step(api, older, "activate", Role.HEAD_OF_QUALITY, from_day=str(TODAY))
    assert kind(answer) == "wrong-state"


async def test_a_withdrawn_draft_stays_on_record_and_its_number_is_used_up(api: Callers, db: SessionFactory) -> None:
    await seeded(db)
    row = await submitted(api)
    assert kind(await step(api, row, "withdraw", Role.REGULATORY, reason="mine is better")) == "not-permitted"
    assert (await step(api, row, "withdraw", Role.QA, reason="not needed")).json()["state"] == "withdrawn"
    assert kind(await step(api, row, "review", Role.REGULATORY)) == "wrong-state"
    assert (await submitted(api, edited(NEXT + 1)))["version"] == NEXT + 1


async def test_a_step_repeated_with_its_key_is_taken_once(api: Callers, db: SessionFactory) -> None:
    await seeded(db)
    body = {"text": edited(), "note": "notices sooner"}
    first = await api.post("/v1/policies", body, key="once")
    again = await api.post("/v1/policies", body, key="once")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert len((await api.get("/v1/policies/us-fda/versions")).json()["items"]) == 2


async def test_the_difference_of_a_draft_is_told_against_what_is_in_force(api: Callers, db: SessionFactory) -> None:
    await seeded(db)
    await submitted(api)
    diff = (await api.get(f"/v1/policies/us-fda/versions/{NEXT}/diff")).json()
    assert (diff["before"], diff["after"]) == (V, NEXT)
    said = [each["en"] for each in diff["changes"]]
    assert any(text.startswith("Class I: first notice to every consignee: due ") for text in said), said
    assert f"Version {V} -> {NEXT}".lower() in [text.lower() for text in said]
    assert len(said) == 2


async def test_the_database_itself_refuses_other_content_after_review_and_any_deletion(
    api: Callers, db: SessionFactory, postgres: PostgresForTests
) -> None:
    await seeded(db)
    row = await submitted(api)
    await step(api, row, "review", Role.REGULATORY)
    change = "UPDATE policy_version SET text = 'x' WHERE policy_id = 'us-fda' AND version = %s"
    for url in (postgres.app_url, postgres.owner_url):
        with psycopg.connect(url) as someone, pytest.raises(psycopg.errors.InsufficientPrivilege):
            someone.execute(change, [NEXT])
        with psycopg.connect(url) as someone, pytest.raises(psycopg.errors.InsufficientPrivilege):
            someone.execute("DELETE FROM policy_version")
    with psycopg.connect(postgres.owner_url) as owner, pytest.raises(psycopg.errors.CheckViolation):
        owner.execute("UPDATE policy_version SET reviewed_by = 'QUINN' WHERE version = %s", [NEXT])


async def test_a_recall_can_be_started_under_a_profile_the_firm_wrote_itself(api: Callers, db: SessionFactory) -> None:
    await seeded(db)
    body = intake() | {"jurisdictions": ["us-lab"]}
    refused = await api.post("/v1/recalls", body)
    assert refused.status_code == 422
    own = US.replace("\nid: us-fda\n", "\nid: us-lab\n", 1).replace(f"\nversion: {V}\n", "\nversion: 1\n", 1)
    await in_force(api, own)
    accepted = await api.post("/v1/recalls", body)
    assert accepted.status_code in (202, 503), accepted.text
