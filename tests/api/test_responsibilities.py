"""Responsible people and branches over HTTP and by the command line, with clear refusals."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from db.engine import SessionFactory
from db.repositories import assessment, branch_facts, recalls
from domain.firm import Firm
from domain.policy import parse_policy
from domain.roles import Role
from tests.api.test_staff import recall_command
from tests.support.api import Callers
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
URL = "/v1/responsibilities"
MIRA = {"name": "Mira", "roles": ["medical"], "email": "mira@firm.test"}
RULE = {"role": "medical", "principal": "Mira", "product": "kits*", "country": "US", "valid_from": "2026-01-01"}
POLICY = parse_policy((Path(__file__).parents[2] / "policies" / "us-fda.yaml").read_text(encoding="utf-8"))


async def test_who_answers_is_recorded_listed_and_ended_by_heads(api: Callers) -> None:
    assert (await api.put("/v1/staff/Mira", MIRA, Role.ADMIN)).status_code == 200
    made = await api.post(URL, RULE, Role.HEAD_OF_QUALITY)
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    listed = (await api.get(f"{URL}?role=medical&on=2026-06-01", Role.QA)).json()["items"]
    assert [(row["principal"], row["product"], row["valid_to"]) for row in listed] == [("Mira", "kits*", None)]
    ended = await api.post(f"{URL}/{number}/end", {"last_day": "2026-03-31"}, Role.ADMIN)
    assert (ended.status_code, ended.json()["valid_to"]) == (200, "2026-03-31")
    assert (await api.get(URL, Role.QA, on="2026-06-01")).json()["items"] == []
    assert (await api.post(f"{URL}/999/end", {"last_day": "2026-03-31"}, Role.ADMIN)).status_code == 404


@pytest.mark.parametrize(
    ("change", "role", "status", "pointer"),
    [
        ({}, Role.QA, 403, None),
        ({"principal": "Nobody"}, Role.ADMIN, 422, "#/principal"),
        ({"role": "auditor"}, Role.ADMIN, 422, "#/role"),
        ({"role": "qa"}, Role.ADMIN, 422, "#/principal"),
        ({"country": "usa"}, Role.ADMIN, 422, "#/country"),
        ({"country": None, "region": "Ohio"}, Role.ADMIN, 422, "#/"),
        ({"valid_to": "2025-01-01"}, Role.ADMIN, 422, "#/"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_field(
    api: Callers, change: dict[str, object], role: Role, status: int, pointer: str | None
) -> None:
    await api.put("/v1/staff/Mira", MIRA, Role.ADMIN)
    answer = await api.post(URL, RULE | change, role)
    assert answer.status_code == status, answer.text
    if pointer:
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_the_command_line_does_the_same(api: Callers, postgres: PostgresForTests) -> None:
    await api.put("/v1/staff/Mira", MIRA, Role.ADMIN)
    url = postgres.app_url
    base = ("staff", "responsible")
    code, out, _ = await recall_command(url, *base, "add", "Mira", "--role", "medical", "--product", "kits")
    assert (code, out.startswith("Mira: recorded as ")) == (0, True)
    assert (
        "at the same time"
        in (await recall_command(url, *base, "add", "Mira", "--role", "medical", "--product", "kits"))[2]
    )
    code, _, err = await recall_command(url, *base, "add", "Mira", "--role", "medical", "--region", "Ohio")
    assert (code, "country: expected" in err) == (2, True)
    rows = json.loads((await recall_command(url, *base, "list", "--json"))[1])
    assert [(row["principal"], row["product"]) for row in rows] == [("Mira", "kits")]
    number = str(rows[0]["id"])
    assert (await recall_command(url, *base, "end", number))[0] == 0
    assert (await recall_command(url, *base, "end", "999"))[0] == 2


async def test_branches_show_facts_since_when_and_who_must_sign(
    api: Callers, db: SessionFactory, postgres: PostgresForTests
) -> None:
    number = write_recall(postgres.admin_url, "RC-2026-000777", "notification")
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    signed = assessment.sign_off(
        number,
        "notice:signature",
        "signed",
        actor="ada",
        role="approver",
        meaning="1 of 2",
        at=at,
        body={"subject": "n"},
    )
    async with db.begin() as session:
        await recalls.pin(session, number, [POLICY], at)
        await branch_facts.refresh(session, number, at, Firm())
        await assessment.sign(session, signed)
    answer = await api.get(f"/v1/recalls/{number}/branches", Role.AUDITOR)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["facts"]["trigger_kind"] == "complaint"
    assert body["branches"] == []
    approvals = {each["step"]: each for each in body["approvals"]}
    assert approvals["notice"]["needed"] == ["approver"]
    assert [each["actor"] for each in approvals["notice"]["given"]] == ["ada"]
    assert approvals["release"]["needed"] == ["qa", "head_of_quality"]
    assert (await api.get("/v1/recalls/RC-2026-000778/branches", Role.AUDITOR)).status_code == 404
