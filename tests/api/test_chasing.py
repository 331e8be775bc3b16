"""Chasing over HTTP: progress in groups, who matters most is called first, and two callers never get the same call."""

import asyncio
from typing import Any

import psycopg
import pytest

from api.call_scripts import languages, wording
from domain.roles import Role
from tests.support.api import Callers
from tests.support.servers import PostgresForTests

pytestmark = [pytest.mark.db, pytest.mark.workflow]


class Desk:
    """A started recall with silent consignees, each with an open call."""

    def __init__(self, api: Callers, url: str, number: str) -> None:
        self.api, self.url, self.number = api, url, number
        self.path = f"/v1/recalls/{number}"

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as db:
            found = db.execute(statement, values or None)
            return list(found) if found.description else []

    def silent(self, code: str, *, units: int, hours: int, language: str = "en", region: str | None = None) -> int:
        """A consignee that was told `hours` ago, with `units` of the recall's lot, and the call about it."""
        ((partner,),) = self.run(
            "INSERT INTO partner (code, name, kind, country, language, region, time_zone, group_name)"
            " VALUES (%s, %s, 'hospital', 'KE', %s, %s, 'UTC', 'Group A') RETURNING id",
            f"CHASE-{code}", f"Hospital {code}", language, region,
        )  # fmt: skip
        self.run(
            "INSERT INTO contact (partner_id, position, name, role, email, channels, status)"
            " VALUES (%s, 2, 'Deputy', 'stores', 'b@x.example', '{email}', 'verified'),"
            " (%s, 1, 'Stores', 'stores', 'a@x.example', '{email}', 'verified')",
            partner, partner,
        )  # fmt: skip
        ((consignee,),) = self.run(
            "INSERT INTO consignee (recall_number, partner_id, tier, state, step, first_notified_at, next_step_at,"
            " added_at) VALUES (%s, %s, 1, 'open', 1, now() - make_interval(hours => %s), now(), now()) RETURNING id",
            self.number, partner, hours,
        )  # fmt: skip
        self.run(
            "INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated)"
            " SELECT %s, min(id), %s, 0, false FROM lot",
            consignee, units,
        )  # fmt: skip
        self.run(
            "INSERT INTO task (recall_number, key, step, what, role, first_role, consignee_id, due_at,"
            " evidence_required, state, opened_at)"
            " VALUES (%s, %s, 'phone_call', 'Telephone', 'qa', 'qa', %s, now(), false, 'offered', now())",
            self.number, f"call:{consignee}", consignee,
        )  # fmt: skip
        return int(consignee)

    async def calls(self, **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = (await self.api.get(f"{self.path}/call-list", **query)).json()
        return found

    async def progress(self, by: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.api.get(f"{self.path}/progress", by=by)).json()
        return found

    async def claim(self, role: Role = Role.QA, **body: Any) -> Any:
        return await self.api.post(f"{self.path}/call-list/claim", body, role)


@pytest.fixture
def at_desk(api: Callers, postgres: PostgresForTests, recall: str) -> Desk:
    return Desk(api, postgres.owner_url, recall)


async def test_the_list_is_ordered_by_units_and_time_and_pages_without_loss(at_desk: Desk) -> None:
    few_long = at_desk.silent("FEW", units=10, hours=200)
    many_short = at_desk.silent("MANY", units=1000, hours=10)
    many_long = at_desk.silent("MOST", units=1000, hours=100)
    first = await at_desk.calls(limit=2)
    second = await at_desk.calls(limit=2, cursor=first["next_cursor"])
    assert [each["consignee_id"] for each in first["items"] + second["items"]] == [many_long, many_short, few_long]
    assert second["next_cursor"] is None
    top = first["items"][0]
    assert (float(top["units"]), float(top["score"]) > 0, top["stage"]) == (1000, True, "open")
    assert [each["position"] for each in top["contacts"]] == sorted(each["position"] for each in top["contacts"])
    bad = await at_desk.calls(limit=2, kind="call", cursor=first["next_cursor"])
    assert bad["type"] == "urn:recall:problem:bad-cursor", "a cursor does not survive another filter"


async def test_whoever_has_stated_quantities_counts_with_what_is_not_set_aside(at_desk: Desk) -> None:
    one = at_desk.silent("ONE", units=100, hours=10)
    (lot,) = at_desk.run("SELECT lot_id FROM consignee_lot WHERE consignee_id = %s", one)[0]
    stated = [{"lot_id": lot, "on_hand": 30, "used": 70, "held": 25, "passed_on": 0}]
    reply = {"affected": True, "statements": stated, "responder_name": "Ann Other"}
    assert (await at_desk.api.post(f"{at_desk.path}/consignees/{one}/replies", reply)).status_code == 201
    groups = (await at_desk.progress("stage"))["groups"]
    assert [(each["name"], float(each["units_outstanding"])) for each in groups] == [("quantities_stated", 5)]
    body = {"how": "other", "at": "2026-11-21T08:00:00Z"}
    refused = await at_desk.api.post(f"{at_desk.path}/consignees/{one}/action", body)
    assert refused.status_code == 422, "other is explained"
    body = {"how": "set_aside", "at": "2099-11-21T08:00:00Z"}
    future = await at_desk.api.post(f"{at_desk.path}/consignees/{one}/action", body)
    assert future.json()["errors"][0]["pointer"] == "#/at"
    body = {"how": "set_aside", "at": "2026-11-21T08:00:00Z", "stated_by": "Ann Other"}
    assert (await at_desk.api.post(f"{at_desk.path}/consignees/{one}/action", body)).status_code == 201
    again = await at_desk.api.post(f"{at_desk.path}/consignees/{one}/action", body)
    assert again.json()["type"] == "urn:recall:problem:action-not-owed"
    total = (await at_desk.progress("stage"))["total"]
    assert (total["action_done"], total["percent_done"], float(total["units_outstanding"])) == (1, 100, 0)


@pytest.mark.parametrize(("language", "greeting"), [("zh-CN", "您好"), ("es", "Buenos días")])
async def test_the_script_is_in_the_consignees_language_and_asks_what_its_stage_owes(
    at_desk: Desk, language: str, greeting: str
) -> None:
    at_desk.silent("AB", units=5, hours=5, language=language)
    (call,) = (await at_desk.calls())["items"]
    script = call["script"]
    assert (script["language"], greeting in script["opening"]) == (language, True)
    assert wording(language)["ask_quantities"] in script["asks"]
    at_desk.run("UPDATE consignee SET state = 'acknowledged', acknowledged_at = now(), stage_since = now()")
    (later,) = (await at_desk.calls())["items"]
    assert wording(language)["ask_received"] not in later["script"]["asks"]
    one = await at_desk.api.get(f"{at_desk.path}/call-list/{call['task_id']}")
    assert one.json()["consignee_id"] == call["consignee_id"]
    assert (await at_desk.api.get(f"{at_desk.path}/call-list/999999")).status_code == 404


def test_every_script_says_the_same_in_every_language() -> None:
    assert {"en", "zh-CN", "es"} <= set(languages())
    for language in languages():
        assert set(wording(language)) == set(wording("en"))


async def test_claims_give_the_most_important_call_first_and_never_the_same_twice(at_desk: Desk) -> None:
    wanted = [at_desk.silent(f"C{n}", units=10 * n, hours=50) for n in (3, 2, 1)]
    first = (await at_desk.claim()).json()
    assert (first["consignee_id"], first["state"]) == (wanted[0], "accepted")
    both = await asyncio.gather(at_desk.claim(), at_desk.claim(Role.HEAD_OF_QUALITY))
    codes = sorted(each.status_code for each in both)
    assert codes == [200, 404], "the head of quality is not offered what quality is"
    last = (await at_desk.claim()).json()
    assert last["consignee_id"] == wanted[2]
    nothing = await at_desk.claim()
    assert (nothing.status_code, nothing.json()["type"]) == (404, "urn:recall:problem:not-found")


async def test_progress_is_grouped_by_place_group_and_account_manager(at_desk: Desk) -> None:
    north = at_desk.silent("N", units=7, hours=30, region="North")
    at_desk.silent("S", units=3, hours=60, region="South")
    at_desk.run(
        "INSERT INTO responsibility (role, country, region, principal, valid_from, recorded_by, recorded_at)"
        " SELECT 'account_manager', p.country, 'North', 'amara', '2020-01-01', 'adam', now()"
        " FROM partner p JOIN consignee c ON c.partner_id = p.id WHERE c.id = %s",
        north,
    )
    by = {
        kind: {each["name"]: each for each in (await at_desk.progress(kind))["groups"]}
        for kind in ("region", "country", "group", "account-manager", "stage")
    }
    assert sorted(by["region"]) == ["KE: North", "KE: South"]
    assert (by["group"]["Group A"]["consignees"], float(by["group"]["Group A"]["units_outstanding"])) == (2, 10)
    assert {name: each["consignees"] for name, each in by["account-manager"].items()} == {"amara": 1, None: 1}
    assert by["stage"]["open"]["oldest_silence_at"] == min(each["oldest_silence_at"] for each in by["region"].values())
    assert by["stage"]["open"]["next_deadline_at"] is not None
    unknown = await at_desk.progress("mood")
    assert unknown["status"] == 422


async def test_contacts_are_for_those_who_call_only(at_desk: Desk) -> None:
    at_desk.silent("ONE", units=1, hours=1)
    assert (await at_desk.api.get(f"{at_desk.path}/call-list", Role.AUDITOR)).status_code == 403
    assert (await at_desk.api.get(f"{at_desk.path}/call-list", Role.ACCOUNT_MANAGER)).status_code == 200
