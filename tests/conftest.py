"""Servers shared by all tests of one run: started once, real, and gone afterwards.

`postgres` has a migrated database; `db` hands out an emptied one as session factory of the application
role; `temporal` is a dev server whose workflow time can be skipped (see `tests/support/clock.py`).
"""

import gc
from collections.abc import AsyncIterator, Generator, Iterator
from importlib import import_module
from importlib.util import find_spec

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.testing import WorkflowEnvironment

from db.engine import SessionFactory, make_engine, make_session_factory
from db.migrate import MIGRATIONS, upgrade
from tests.support.clock import start_environment
from tests.support.servers import PostgresForTests, ThrowAwayPostgres
from tests.support.two_at_once import ByFile, stacks_first


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: to look through it for garbage was a third of the collection's time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every process must see the tests in the same order."""
    stacks_first(items)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    """Files stay whole."""
    return ByFile(config, log)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[ThrowAwayPostgres]:
    """The running server, for tests that need databases of their own."""
    server = ThrowAwayPostgres()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres(postgres_server: ThrowAwayPostgres) -> PostgresForTests:
    """Addresses (`owner_url`, `app_url`, `admin_url`) of one fresh, migrated database."""
    addresses = postgres_server.addresses()
    if any((MIGRATIONS / "versions").glob("*.py")):
        upgrade(addresses.owner_url)
    return addresses


@pytest_asyncio.fixture(scope="session")
async def engine(postgres: PostgresForTests) -> AsyncIterator[AsyncEngine]:
    """Async engine of the application role `recall_app`."""
    engine = make_engine(postgres.app_url, application_name="tests")
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
def sessions(engine: AsyncEngine) -> SessionFactory:
    """Session factory of the application role."""
    return make_session_factory(engine)


@pytest.fixture
def clean_db(postgres: PostgresForTests) -> PostgresForTests:
    """The database with every table emptied before the test."""
    postgres.truncate()
    return postgres


@pytest.fixture
def db(clean_db: PostgresForTests, sessions: SessionFactory) -> SessionFactory:
    """Session factory over an emptied database: what most database tests ask for."""
    return sessions


@pytest_asyncio.fixture(scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """Real Temporal dev server with our search attributes and time skipping."""
    attributes = import_module("workflows.search_attributes").ALL if find_spec("workflows.search_attributes") else ()
    env = await start_environment(attributes)
    yield env
    await env.shutdown()
