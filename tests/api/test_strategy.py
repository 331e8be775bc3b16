"""A strategy is checked against the recall's policies before it is signed."""

import json

import psycopg
import pytest
import yaml

from domain.policy import parse_policy, policy_hash
from domain.roles import Role
from tests.api.test_decisions import STRATEGY, evaluate, until_phase
from tests.domain.factories import policy_text
from tests.support.api import Callers
from tests.support.recall_fakes import FakeRecallActivities
from tests.support.servers import PostgresForTests

pytestmark = [pytest.mark.db, pytest.mark.workflow]


async def test_a_strategy_that_uses_a_channel_no_policy_names_is_refused_with_its_place(
    api: Callers, workers: FakeRecallActivities, recall: str, postgres: PostgresForTests
) -> None:
    data = yaml.safe_load(policy_text("us-fda"))
    data["channels"]["order"] = ["email"]
    by_mail = parse_policy(json.dumps(data, default=str))
    with psycopg.connect(postgres.owner_url) as db:
        db.execute("DELETE FROM pinned_policy WHERE recall_number = %s", [recall])
        db.execute(
            "INSERT INTO pinned_policy (recall_number, policy_id, version, sha256, body, pinned_at)"
            " VALUES (%s, 'us-fda', '2', %s, %s, now())",
            [recall, policy_hash(by_mail), json.dumps(by_mail.pinned())],
        )
    await evaluate(api, recall)
    await api.post(f"/v1/recalls/{recall}/assessment/approve", {"proposal_id": 1}, Role.APPROVER)
    await until_phase(api, recall, "strategy")
    path = f"/v1/recalls/{recall}/strategy/approve"
    wanted = STRATEGY | {"channels": ["email", "sms"]}
    refused = await api.post(path, {"capacity": "quality", "strategy": wanted}, Role.QA)
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"pointer": "#/strategy/channels/1", "detail": "expected one of email, the channels of the recall's policies"}
    ]
    signed = await api.post(path, {"capacity": "quality", "strategy": STRATEGY | {"channels": ["email"]}}, Role.QA)
    assert signed.status_code == 200, signed.text
