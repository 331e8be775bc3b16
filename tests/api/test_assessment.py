"""Market actions and the three classes over HTTP, and what a form owes to the laws of its recall."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from db.engine import SessionFactory
from domain.policy import parse_policy, policy_hash
from domain.roles import Role
from models.recall import PinnedPolicy
from tests.api.test_decisions import EVALUATION, until_phase
from tests.support.api import Callers
from tests.support.recall_fakes import FakeRecallActivities
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.workflow
LINE = "Infusion sets"
WHY = {"justification": "Only the carton changed.", "conclusions": "No violation.", "follow_up": None}


def action(name: str, **more: Any) -> dict[str, Any]:
    return {"product_line": LINE, "jurisdiction": "us-fda", "action": name} | more


POLICY = parse_policy((Path(__file__).resolve().parents[2] / "policies" / "us-fda.yaml").read_text(encoding="utf-8"))


@pytest_asyncio.fixture
async def pinned(recall: str, db: SessionFactory) -> AsyncIterator[str]:
    """The recall with the shipped American profile pinned."""
    async with db.begin() as session:
        row = {"recall_number": recall, "policy_id": POLICY.id, "version": str(POLICY.version)}
        session.add(
            PinnedPolicy.model_validate(
                row | {"sha256": policy_hash(POLICY), "body": POLICY.pinned(), "pinned_at": "2026-01-05T08:30:00Z"}
            )
        )
    yield recall


async def test_actions_are_signed_justified_and_reviewed_over_http(
    api: Callers, workers: FakeRecallActivities, pinned: str
) -> None:
    await until_phase(api, pinned, "assessment")
    base = f"/v1/recalls/{pinned}/market-actions"
    asked: list[tuple[str, dict[str, Any], Role, int, str | None]] = [
        ("", {"actions": [action("removal")]}, Role.MEDICAL, 403, "not-permitted"),
        ("", {"actions": [action("fsca")]}, Role.REGULATORY, 422, "invalid"),
        ("", {"actions": [action("none")]}, Role.REGULATORY, 422, "invalid"),
        ("", {"actions": [action("removal"), action("removal")]}, Role.REGULATORY, 422, "invalid"),
        ("", {"actions": [action("removal", product_line="Gloves")]}, Role.REGULATORY, 404, "unknown-product-line"),
        ("", {"actions": [action("market_withdrawal", not_reported=WHY)]}, Role.REGULATORY, 200, None),
        ("/review", action("x", outcome="accepted", evaluation="Sound.") | {}, Role.APPROVER, 422, "invalid"),
    ]
    for path, body, role, status, kind in asked:
        answer = await api.post(base + path, body, role)
        assert answer.status_code == status, (body, answer.text)
        assert kind is None or answer.json()["type"].endswith(kind)
    fault = (await api.post(base, {"actions": [action("fsca")]}, Role.REGULATORY)).json()["errors"][0]
    assert fault["pointer"] == "#/actions/0/action"
    assert "us-fda knows removal" in fault["detail"]
    review: dict[str, Any] = {"product_line": LINE, "jurisdiction": "us-fda", "outcome": "accepted"}
    review["evaluation"] = "Sound."
    assert (await api.post(f"{base}/review", review, Role.HEAD_OF_REGULATORY)).status_code == 422
    review["market_action_id"] = 7
    assert (await api.post(f"{base}/review", review, Role.QA)).status_code == 403
    assert (await api.post(f"{base}/review", review, Role.HEAD_OF_REGULATORY)).status_code == 200
    signed = dict(workers.calls)["record_market_actions"].decision
    assert signed["actions"][0]["conclusions"] == "No violation."
    assert signed["actor"]["signature"]


async def test_a_form_without_an_action_is_refused_and_one_with_a_foreign_action_names_the_place(
    api: Callers, workers: FakeRecallActivities, pinned: str
) -> None:
    await until_phase(api, pinned, "assessment")
    url = f"/v1/recalls/{pinned}/evaluations"
    bare = {key: value for key, value in EVALUATION.items() if key != "market_actions"}
    refused = await api.post(url, bare, Role.MEDICAL)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:recall:problem:market-action-missing")
    foreign = await api.post(url, bare | {"market_actions": {"us-fda": "fsca"}}, Role.MEDICAL)
    assert (foreign.status_code, foreign.json()["errors"][0]["pointer"]) == (422, "#/market_actions/us-fda")


async def test_a_recall_under_chinese_law_is_asked_for_each_item_of_its_list(
    api: Callers, workers: FakeRecallActivities, recall: str, postgres: PostgresForTests
) -> None:
    await until_phase(api, recall, "assessment")
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE recall SET jurisdictions = '{us-fda,cn-nmpa}' WHERE number = %s", [recall])
    refused = await api.post(f"/v1/recalls/{recall}/evaluations", EVALUATION, Role.MEDICAL)
    assert refused.status_code == 422
    assert {each["pointer"] for each in refused.json()["errors"]} == {
        "#/evaluation/conformity",
        "#/evaluation/present_setting",
        "#/evaluation/area",
    }
    assert all("Order 29" in each["detail"] for each in refused.json()["errors"])


def write_classes(url: str, number: str) -> None:
    """An evaluation, its proposal with a question, the approver's class and the authority's."""
    with psycopg.connect(url) as owner:
        owner.execute("UPDATE recall SET recall_class = 'I', scope_version = 1 WHERE number = %s", [number])
        owner.execute(
            "INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth) "
            "SELECT %s, 1, id, true, 0 FROM lot",
            [number],
        )
        owner.execute(
            "INSERT INTO hazard_evaluation (recall_number, product_line, body, assessor, recorded_at) "
            "VALUES (%s, %s, %s, 'Mei', now())",
            [number, LINE, psycopg.types.json.Jsonb({"evaluation": EVALUATION["evaluation"]})],
        )
        for kind, proposal, level, age in (
            ("proposed", None, "II", 3),
            ("overridden", None, "II", 2),
            ("authority", -1, "I", 1),
        ):
            owner.execute(
                "INSERT INTO class_decision (recall_number, product_line, jurisdiction, kind, proposal_id, "
                "recall_class, level, local_term, market_action, reasons, decided_by, decided_at) "
                "SELECT %s, %s, 'us-fda', %s, coalesce(%s::bigint, max(id)), %s, %s, 'Class ' || %s, 'removal', "
                '\'[{"id": "us-serious-unlikely", "reason": "Held to be remote.", "reason_zh": "可能性极小。"}, '
                '{"id": "review", "reason": "Does the safeguard hold?"}]\', %s, now() - %s * interval \'1 hour\' '
                "FROM hazard_evaluation WHERE recall_number = %s",
                [number, LINE, kind, proposal, level, level, level, kind, age, number],
            )


async def test_our_class_the_approvers_and_the_authoritys_stand_side_by_side(
    api: Callers, recall: str, postgres: PostgresForTests
) -> None:
    write_classes(postgres.owner_url, recall)
    with psycopg.connect(postgres.owner_url) as owner:
        for hours, name in ((2, "removal"), (1, "correction")):
            owner.execute(
                "INSERT INTO market_action (recall_number, product_line, jurisdiction, action, decided_by, role, "
                "decided_at) VALUES (%s, %s, 'us-fda', %s, 'Rafael', 'regulatory', now() - %s * interval '1 hour')",
                [recall, LINE, name, hours],
            )
    [line] = (await api.get(f"/v1/recalls/{recall}/assessment", Role.AUDITOR)).json()["lines"]
    shown = {name: (line[name]["recall_class"], line[name]["kind"]) for name in ("proposed", "decided", "authority")}
    assert shown == {"proposed": ("II", "proposed"), "decided": ("II", "overridden"), "authority": ("I", "authority")}
    assert line["in_force"] == "authority"
    assert line["questions"] == ["Does the safeguard hold?"]
    assert (line["market_action"]["action"], line["assessor"]) == ("correction", "Mei")
    history = (await api.get(f"/v1/recalls/{recall}/market-actions", Role.AUDITOR)).json()
    assert [(each["action"], each["in_force"]) for each in history] == [("removal", False), ("correction", True)]


async def test_a_line_nobody_has_assessed_yet_is_shown_as_open(
    api: Callers, recall: str, postgres: PostgresForTests
) -> None:
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE recall SET scope_version = 1 WHERE number = %s", [recall])
        owner.execute(
            "INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth) "
            "SELECT %s, 1, id, true, 0 FROM lot",
            [recall],
        )
    [line] = (await api.get(f"/v1/recalls/{recall}/assessment", Role.AUDITOR)).json()["lines"]
    assert (line["product_line"], line["proposed"], line["in_force"], line["questions"]) == (LINE, None, None, [])
