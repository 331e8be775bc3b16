"""The API over real PostgreSQL and real Temporal, called in process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from fastapi import FastAPI
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from api.app import create_app
from db.engine import SessionFactory
from models.messages import EMAIL_QUEUE, INVENTORY_QUEUE, RECALL_QUEUE
from plugin import recall_plugin, workflow_runner
from tests.closing.complete import CompleteRecall
from tests.support.api import Callers, calling, intake, make_tokens, serving, settings_for, write_chain
from tests.support.clock import real_time
from tests.support.recall_fakes import FakeRecallActivities
from tests.support.servers import PostgresForTests
from workflows.recall import RecallWorkflow


@pytest.fixture(scope="session")
def own_numbers(postgres: PostgresForTests) -> None:
    """Other tests start workflows by number in the same Temporal: ours begin far above theirs."""
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("SELECT setval('recall_number_seq', 500000)")


@pytest_asyncio.fixture(scope="session")
async def application(
    postgres: PostgresForTests, temporal: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> FastAPI:
    """One application for all tests, started and stopped by each: building its routes takes longer than most tests."""
    settings = settings_for(postgres.app_url, tmp_path_factory.mktemp("api"))
    return create_app(settings, temporal_client=temporal.client, background=False)


@pytest_asyncio.fixture
async def api(
    db: SessionFactory,
    postgres: PostgresForTests,
    temporal: WorkflowEnvironment,
    own_numbers: None,
    application: FastAPI,
) -> AsyncIterator[Callers]:
    """The API with one token per role and a small chain on record; workflows run in real time."""
    write_chain(postgres.owner_url)
    async with calling(application) as client:
        with real_time(temporal):
            yield Callers(client, await make_tokens(db))


@pytest_asyncio.fixture
async def offline(db: SessionFactory, postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[Callers]:
    """The API with a Temporal address where nobody listens."""
    write_chain(postgres.owner_url)
    client = await unreachable_client()
    async with serving(settings_for(postgres.app_url, tmp_path), client) as http:
        yield Callers(http, await make_tokens(db))


async def unreachable_client() -> Client:
    """A lazy Temporal client of a closed port."""
    return await Client.connect("127.0.0.1:1", lazy=True, plugins=[recall_plugin()])


@pytest_asyncio.fixture
async def workers(temporal: WorkflowEnvironment) -> AsyncIterator[FakeRecallActivities]:
    """Workers with the real workflow and scripted activities."""
    fakes = FakeRecallActivities()
    fakes.lines = ("Infusion sets",)
    async with AsyncExitStack() as stack:
        for queue in (RECALL_QUEUE, INVENTORY_QUEUE, EMAIL_QUEUE):
            worker = Worker(
                temporal.client,
                task_queue=queue,
                workflows=[RecallWorkflow] if queue == RECALL_QUEUE else [],
                activities=fakes.all(),
                workflow_runner=workflow_runner(),
            )
            await stack.enter_async_context(worker)
        yield fakes


@pytest_asyncio.fixture
async def recall(api: Callers, temporal: WorkflowEnvironment) -> AsyncIterator[str]:
    """A started recall (its workflow runs when a test has workers); terminated afterwards."""
    answer = await api.post("/v1/recalls", intake())
    assert answer.status_code == 202, answer.text
    number: str = answer.json()["number"]
    yield number
    with suppress(RPCError):  # some tests end it themselves
        await temporal.client.get_workflow_handle(f"recall:{number}").terminate("test over")


@pytest.fixture
def complete_recall(offline: Callers, postgres: PostgresForTests) -> CompleteRecall:
    """A complete recall; Temporal is away, so every nudge is lost and must cost nothing."""
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("TRUNCATE partner, product CASCADE")
    return CompleteRecall(postgres.admin_url)
