"""Having the end of a recall told, over HTTP: who may say so, and that it is too early while the recall runs."""

import pytest

from domain.roles import Role
from tests.api.test_decisions import until_phase
from tests.support.api import Callers
from tests.support.recall_fakes import FakeRecallActivities

pytestmark = pytest.mark.workflow


async def test_the_end_can_be_announced_by_who_drafts_notices_and_only_at_the_end(
    api: Callers, recall: str, workers: FakeRecallActivities
) -> None:
    url = f"/v1/recalls/{recall}/closure-notice"
    await until_phase(api, recall, "assessment")
    early = await api.post(url, {})
    assert (early.status_code, early.json()["type"]) == (409, "urn:recall:problem:wrong-phase")
    assert "completed or awaiting_authority" in early.json()["detail"]
    for role in (Role.AUDITOR, Role.APPROVER, Role.WAREHOUSE):
        assert (await api.post(url, {}, role)).status_code == 403
    unknown = await api.post(url, {"when": "now"})
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "#/when")
    missing = await api.post("/v1/recalls/RC-2020-000001/closure-notice", {})
    assert missing.status_code == 404
    assert "record_closure_notice" not in workers.names()
