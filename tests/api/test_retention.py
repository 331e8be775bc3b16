"""A file is kept until its date and as long as anything needs it; then two persons delete it, and a tombstone stays."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from db.repositories.dossier_plan import hanging
from db.repositories.retention_sql import delete_block
from domain.policy import parse_policy, policy_hash
from domain.roles import Role
from tests.quality.test_supplier_requests import URL as SUPPLIER_REQUESTS
from tests.quality.test_supplier_requests import ask
from tests.support.api import Callers, write_consignee
from tests.support.recall_fakes import FakeRecallActivities
from tests.support.servers import PostgresForTests

POLICIES = Path(__file__).parents[2] / "policies"
pytestmark = pytest.mark.workflow
HOLD = {"reference": "Docket 3:26-cv-00123", "reason": "Product liability suit"}
ASK = {"reason": "Retention is over", "archive_sha256": "a" * 64}
HEAD = Role.HEAD_OF_QUALITY


async def gone_from(temporal: WorkflowEnvironment, workflow_id: str) -> None:
    """Wait until Temporal says that it knows no such workflow."""
    for _ in range(200):
        try:
            await temporal.client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{workflow_id} is still there")


@pytest.fixture
def owner(postgres: PostgresForTests) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        yield connection


def witnessed(owner: psycopg.Connection[Any], number: str) -> None:
    """A destruction of the recall names two persons who watched."""
    owner.execute(
        "WITH d AS (INSERT INTO disposition (recall_number, sequence, kind, lot_id, location_id, quantity, done, state,"
        " reason, request, proposed_by, proposed_at) SELECT %s, 1, 'destroy', lot_id, location_id, 1, 1, 'done', 'bad',"
        " 'r', 'Wanda', now() FROM stock LIMIT 1 RETURNING id) INSERT INTO disposition_part (disposition_id, sequence,"
        " quantity, witness, authority_witness, request, done_by, done_at)"
        " SELECT id, 1, 1, 'Wilma', 'Officer Wang', 'r', 'Wanda', now() FROM d",
        [number],
    )


async def order(api: Callers, path: str) -> dict[str, int]:
    """The order to delete what was asked for; with nothing asked, a request that does not exist."""
    found = (await api.get(f"{path}/retention")).json()
    return {"request": found["request"]["id"] if found.get("request") else 1}


def pin(owner: psycopg.Connection[Any], number: str) -> None:
    """The recall runs under the FDA profile as shipped."""
    policy = parse_policy((POLICIES / "us-fda.yaml").read_text(encoding="utf-8"))
    owner.execute(
        "INSERT INTO pinned_policy (recall_number, policy_id, version, sha256, body, pinned_at)"
        " VALUES (%s, %s, %s, %s, %s, now())",
        [number, policy.id, str(policy.version), policy_hash(policy), Jsonb(policy.pinned())],
    )


def age(owner: psycopg.Connection[Any], number: str, phase: str = "terminated") -> None:
    """The recall ended, and what it was about was shipped, long ago."""
    owner.execute("UPDATE recall SET phase = %s, phase_since = '2001-01-01' WHERE number = %s", [phase, number])
    owner.execute("UPDATE movement SET occurred_at = '2000-06-01'")
    owner.execute("UPDATE lot SET expires_on = '2002-01-01'")
    owner.execute(
        "INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth) SELECT %s, 1, id, true, 0 FROM lot"
        " ON CONFLICT DO NOTHING",
        [number],
    )


@pytest.fixture
def ended(
    api: Callers,
    recall: str,
    owner: psycopg.Connection[Any],
    postgres: PostgresForTests,
    workers: FakeRecallActivities,
) -> str:
    """A recall that ended long ago, with a pinned policy, a consignee and a file."""
    pin(owner, recall)
    write_consignee(postgres.owner_url, recall)
    age(owner, recall)
    return recall


async def test_the_file_of_a_running_recall_is_kept_and_its_date_is_shown(
    api: Callers, recall: str, owner: psycopg.Connection[Any]
) -> None:
    pin(owner, recall)
    found = (await api.get(f"/v1/recalls/{recall}/retention", Role.AUDITOR)).json()
    assert found["keep_until"] == found["policies"][0]["until"]
    assert found["policies"][0]["source"] == "21 CFR 806.20(c)"
    assert any("has not ended" in why for why in found["must_stay_because"])
    refused = await api.post(f"/v1/recalls/{recall}/deletion", ASK)
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:recall:problem:must-be-kept"
    assert refused.json()["reasons"] == found["must_stay_because"]


async def test_a_legal_hold_keeps_a_file_until_it_is_lifted(api: Callers, ended: str) -> None:
    path = f"/v1/recalls/{ended}"
    assert (await api.get(f"{path}/retention")).json()["must_stay_because"] == []
    placed = await api.post(f"{path}/legal-holds", HOLD, Role.REGULATORY)
    assert placed.status_code == 201, placed.text
    assert placed.json()["must_stay_because"] == ["legal hold Docket 3:26-cv-00123"]
    assert (await api.post(f"{path}/deletion", ASK)).json()["type"] == "urn:recall:problem:must-be-kept"
    hold = placed.json()["legal_holds"][0]["id"]
    lifted = await api.post(f"{path}/legal-holds/{hold}/lift", {"reason": "settled"}, Role.REGULATORY)
    assert lifted.json()["legal_holds"][0]["lift_reason"] == "settled"
    again = await api.post(f"{path}/legal-holds/{hold}/lift", {"reason": "twice"}, Role.REGULATORY)
    assert again.json()["type"] == "urn:recall:problem:already-decided"
    assert (await api.post(f"{path}/legal-holds/999/lift", {"reason": "x"}, Role.REGULATORY)).status_code == 404
    assert (await api.post(f"{path}/legal-holds", HOLD, Role.QA)).status_code == 403


async def test_a_legal_hold_placed_after_the_request_stops_the_deletion(api: Callers, ended: str) -> None:
    path = f"/v1/recalls/{ended}"
    assert (await api.post(f"{path}/deletion", ASK)).status_code == 201
    assert (await api.post(f"{path}/deletion", ASK)).json()["type"] == "urn:recall:problem:already-decided"
    await api.post(f"{path}/legal-holds", HOLD, Role.REGULATORY)
    refused = await api.post(f"{path}/deletion/approve", await order(api, path), HEAD)
    assert refused.json()["reasons"] == ["legal hold Docket 3:26-cv-00123"]
    assert (await api.post(f"{path}/deletion/withdraw", {"reason": "not yet"})).json()["request"] is None
    assert (await api.post(f"{path}/deletion/approve", await order(api, path), HEAD)).json()[
        "type"
    ] == "urn:recall:problem:conflict"


async def test_nobody_deletes_alone(api: Callers, ended: str) -> None:
    path = f"/v1/recalls/{ended}"
    assert (await api.post(f"{path}/deletion", ASK, HEAD)).status_code == 201
    refused = await api.post(f"{path}/deletion/approve", await order(api, path), HEAD)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:recall:problem:four-eyes")
    assert (await api.post(f"{path}/deletion/approve", await order(api, path), Role.QA)).status_code == 403


async def test_a_deleted_file_leaves_a_tombstone_and_its_audit_trail_and_nothing_else(
    api: Callers, ended: str, owner: psycopg.Connection[Any], temporal: WorkflowEnvironment, postgres: PostgresForTests
) -> None:
    path = f"/v1/recalls/{ended}"
    upload = await api.client.post(
        "/v1/evidence",
        files={"file": ("note.txt", b"kept long enough\n", "text/plain")},
        headers=api.headers(Role.QA, "file-1"),
    )
    owner.execute("UPDATE evidence SET recall_number = %s WHERE id = %s", [ended, upload.json()["id"]])
    witnessed(owner, ended)
    stock = owner.execute("SELECT lot_id, location_id, on_hand, held FROM stock ORDER BY 1, 2").fetchall()
    await api.post(f"{path}/deletion", ASK)
    other = await api.post(f"{path}/deletion/approve", {"request": 999_999}, HEAD)
    assert other.json()["type"] == "urn:recall:problem:conflict"
    gone = await api.post(f"{path}/deletion/approve", await order(api, path), HEAD, key="delete-1")
    assert gone.status_code == 200, gone.text
    stone = gone.json()
    assert (stone["requested_by"], stone["approved_by"], stone["archive_sha256"]) == ("Quinn", "Hana", "a" * 64)
    assert {stone["tables"][each] for each in ("recall", "consignee", "evidence", "disposition_part")} == {1}
    assert stone["finished_at"] is not None
    for table in sorted(hanging() - {"recall"}):
        count = owner.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        # The signature under the deletion itself is on no recall, and stays.
        assert count == ((1,) if table == "signature" else (0,)), table
    assert owner.execute("SELECT lot_id, location_id, on_hand, held FROM stock ORDER BY 1, 2").fetchall() == stock
    assert (await api.get(path)).status_code == 410
    assert (await api.get(path)).json()["type"] == "urn:recall:problem:recall-deleted"
    assert (await api.get(upload.json()["url"])).status_code == 404
    assert (await api.get("/v1/tombstones", Role.AUDITOR)).json()["items"] == [stone]
    assert (await api.get(f"/v1/tombstones/{ended}")).json() == stone
    actions = owner.execute("SELECT action FROM audit_event WHERE stream = %s ORDER BY seq", [ended]).fetchall()
    wanted = ["deletion.requested", "decision.refused", "file.deleted", "file.deletion_finished"]
    assert [name for (name,) in actions][-4:] == wanted
    # Temporal deletes a history in its own time.
    await gone_from(temporal, f"recall:{ended}")
    assert (await api.post(f"{path}/deletion/approve", await order(api, path), HEAD, key="delete-2")).json() == stone


async def test_a_request_to_a_supplier_keeps_the_file_while_it_is_open_and_goes_with_it(
    api: Callers, ended: str, owner: psycopg.Connection[Any]
) -> None:
    path = f"/v1/recalls/{ended}"
    owner.execute(
        "INSERT INTO capa (recall_number, sequence, title, state, opened_at, closed_at, plan_version, reopened)"
        " VALUES (%s, 1, 'Wet resin', 'closed', now(), now(), 1, 0)",
        [ended],
    )
    made = await api.post(SUPPLIER_REQUESTS, ask("", nonconformity=None, capa_file=ended))
    assert made.status_code == 201, made.text
    url = f"{SUPPLIER_REQUESTS}/{made.json()['number']}"
    assert (await api.get(f"{path}/retention")).json()["must_stay_because"] == [
        "1 requests to suppliers are not closed"
    ]
    assert (await api.post(f"{url}/withdraw", {"reason": "The maker has closed."})).status_code == 200
    assert (await api.get(f"{path}/retention")).json()["must_stay_because"] == []
    await api.post(f"{path}/deletion", ASK)
    gone = await api.post(f"{path}/deletion/approve", await order(api, path), HEAD)
    assert (gone.status_code, gone.json()["tables"]["supplier_request"]) == (200, 1)
    assert (await api.get(url)).status_code == 404
    kept = "SELECT array_agg(action ORDER BY seq) FROM audit_event WHERE stream = %s"
    assert owner.execute(kept, [made.json()["number"]]).fetchone() == (
        ["scar.issued", "task.opened", "scar.withdrawn"],
    )


def tell(owner: psycopg.Connection[Any], number: str, phone: str) -> None:
    """A message of the recall to the contact with this number, who has written before and since."""
    owner.execute(
        "INSERT INTO contact (partner_id, position, name, role, phone, channels, status) SELECT partner_id,"
        " coalesce((SELECT max(position) FROM contact), 0) + 1, 'Store', 'store', %(phone)s::text, '{sms}', 'verified'"
        " FROM consignee WHERE NOT EXISTS (SELECT FROM contact WHERE phone = %(phone)s::text) LIMIT 1",
        {"phone": phone},
    )
    owner.execute(
        "INSERT INTO notice (recall_number, version, kind, sha256, drafted_by, drafted_at)"
        " VALUES (%s, 1, 'initial', 'x', 'system', now()) ON CONFLICT DO NOTHING",
        [number],
    )
    owner.execute(
        "INSERT INTO campaign (recall_number, sequence, notice_id, started_at)"
        " SELECT recall_number, 1, id, now() FROM notice WHERE recall_number = %s ON CONFLICT DO NOTHING",
        [number],
    )
    owner.execute(
        "INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, step, kind, channel, language, priority,"
        " state, attempt, ambiguous, created_at) SELECT gen_random_uuid(), campaign.id,"
        " (SELECT min(id) FROM consignee), contact.id, 0, 'initial', 'sms', 'en', 1, 'delivered', 1, false, now()"
        " FROM campaign, contact"
        " WHERE recall_number = %s AND phone = %s",
        [number, phone],
    )
    owner.execute(
        "INSERT INTO inbound_message (provider, provider_id, contact_id, body, outcome, received_at)"
        " SELECT 'twilio', phone || day, id, day, 'reply', now() + day::interval FROM contact,"
        " unnest(ARRAY['-400 days', '1 day']) AS day WHERE phone = %s ON CONFLICT DO NOTHING",
        [phone],
    )


async def test_what_recipients_wrote_and_kept_answers_go_with_the_file_unless_another_recall_told_them(
    api: Callers, ended: str, owner: psycopg.Connection[Any]
) -> None:
    mine, shared = "+14155550101", "+14155550102"
    owner.execute(
        'INSERT INTO recall SELECT (jsonb_populate_record(recall, \'{"number": "RC-2026-000777"}\')).* FROM recall'
    )
    for number, phone in ((ended, mine), (ended, shared), ("RC-2026-000777", shared)):
        tell(owner, number, phone)
    other = "RC-2026-000777"
    for name, recall, known in (("strange-1", ended, None), ("strange-2", other, None), ("known-3", other, mine)):
        owner.execute(
            "INSERT INTO inbound_message (provider, provider_id, contact_id, body, outcome, received_at, sender,"
            " settled_at, settled_by, settled_as, settled_note, settled_in) VALUES ('email', %s,"
            " (SELECT id FROM contact WHERE phone = %s), 'x', 'unknown_sender', now(), 'a@example.org', now(), 'Vic',"
            " 'recorded', 'answer of a colleague', %s)",
            [name, known, recall],
        )
    await api.post(f"/v1/recalls/{ended}/deletion", ASK, key="ask-1")
    approve = f"/v1/recalls/{ended}/deletion/approve"
    gone = await api.post(approve, await order(api, f"/v1/recalls/{ended}"), HEAD, key="delete-1")
    assert gone.status_code == 200, gone.text
    kept = owner.execute(
        "SELECT phone, count(*) FROM inbound_message JOIN contact ON contact.id = contact_id WHERE settled_in IS NULL"
        " GROUP BY phone"
    )
    assert kept.fetchall() == [(shared, 2)], "the older message, too: the recall it answered may be deleted already"
    assert gone.json()["tables"]["inbound_message"] == 3, "a stranger's, too, where a person recorded it"
    left = owner.execute("SELECT provider_id FROM inbound_message WHERE sender IS NOT NULL ORDER BY 1").fetchall()
    assert left == [("known-3",), ("strange-2",)], "evidence of another recall, although only this one told its writer"
    keys = owner.execute("SELECT key FROM idempotency_key WHERE method_path LIKE %s", [f"%{ended}%"])
    assert keys.fetchall() == [("delete-1",)]


def test_the_application_deletes_nothing_before_its_date_or_without_a_second_person(
    api: Callers, ended: str, owner: psycopg.Connection[Any], postgres: PostgresForTests
) -> None:
    call = "SELECT delete_recall_file(%s, %s, %s, %s::date, '[]', now(), '00000000-0000-4000-8000-000000000000')"
    with psycopg.connect(postgres.app_url, autocommit=True) as app:
        with pytest.raises(psycopg.errors.CheckViolation, match="nobody asked"):
            app.execute(call, [ended, 1, "Hana", "2004-01-01"])
        asked = app.execute(
            "INSERT INTO deletion_request (recall_number, reason, keep_until, requested_by, requested_at)"
            " VALUES (%s, 'x', '2004-01-01', 'Quinn', now()) RETURNING id",
            [ended],
        ).fetchone()
        assert asked is not None
        for by, until, why in (
            ("quinn ", "2004-01-01", "one person"),
            ("Hana", "2999-01-01", "retention date"),
            ("Hana", None, "retention date"),
            ("Hana", "2004-01-01", "not signed"),
        ):
            with pytest.raises(psycopg.errors.CheckViolation, match=why):
                app.execute(call, [ended, asked[0], by, until])
        owner.execute("UPDATE recall SET phase = 'resolution' WHERE number = %s", [ended])
        with pytest.raises(psycopg.errors.CheckViolation, match="not ended"):
            app.execute(call, [ended, asked[0], "Hana", "2004-01-01"])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DELETE FROM recall WHERE number = %s", [ended])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("UPDATE tombstone SET reason = 'another'")


def test_the_function_in_force_deletes_every_table_that_hangs_on_a_recall(postgres: PostgresForTests) -> None:
    with psycopg.connect(postgres.owner_url) as connection:
        found = connection.execute("SELECT prosrc FROM pg_proc WHERE proname = 'delete_recall_file'").fetchone()
    assert found is not None
    have = " ".join(found[0].split())
    wanted = [each.strip() for each in " ".join(delete_block().split()).split(";") if each.strip()]
    assert [each for each in wanted if f"{each};" not in have] == [], "a table is new: renew the function"
