"""Which failures of Temporal a caller may simply repeat."""

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from activities.branches import teller
from api.temporal_gateway import is_gone, is_unreachable
from dossier.histories import Histories, TemporalUnavailable

pytestmark = pytest.mark.workflow


@pytest.fixture
async def stranger(temporal: WorkflowEnvironment) -> Client:
    """A client of a namespace that the server does not know, as every one is just after a restart."""
    return await Client.connect(temporal.client.service_client.config.target_host, namespace="nobody-s", lazy=True)


async def test_a_namespace_that_the_server_does_not_know_yet_is_an_outage(stranger: Client) -> None:
    with pytest.raises(RPCError) as caught:
        await stranger.start_workflow("Any", id="one", task_queue="none")
    assert caught.value.status == RPCStatusCode.NOT_FOUND
    assert is_unreachable(caught.value)
    assert not is_gone(caught.value), "a file's histories would count as deleted"


async def test_a_workflow_that_does_not_exist_is_none(temporal: WorkflowEnvironment) -> None:
    with pytest.raises(RPCError) as caught:
        await temporal.client.get_workflow_handle("nobody-knows-it").signal("hello")
    assert caught.value.status == RPCStatusCode.NOT_FOUND
    assert not is_unreachable(caught.value)
    assert is_gone(caught.value)


async def test_a_signal_is_not_given_up_while_the_namespace_is_not_known(
    stranger: Client, temporal: WorkflowEnvironment
) -> None:
    await teller(temporal.client)("nobody-knows-it", "a-task")
    with pytest.raises(RPCError):
        await teller(stranger)("nobody-knows-it", "a-task")


class _Restarted(Histories):
    """The server was started anew after the runs had been listed."""

    async def _visible(self) -> set[tuple[str, str]]:
        return {("recall:RC-2026-000077", "01a2048f-ab9a-712b-8ed2-ef0df28bb8bf")}


async def test_a_dossier_tells_no_history_as_lost_while_the_namespace_is_not_known(
    stranger: Client, temporal: WorkflowEnvironment
) -> None:
    gone = _Restarted(temporal.client, "RC-2026-000077")
    assert [run async for run in gone.fetch([])] == []
    assert [each.workflow_id for each in gone.lost] == ["recall:RC-2026-000077"]
    with pytest.raises(TemporalUnavailable):
        assert [run async for run in _Restarted(stranger, "RC-2026-000077").fetch([])]
