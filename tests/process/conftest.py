"""The bench of the walks: one loop and one pool of connections, because hypothesis drives its machines in step."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import make_engine, make_session_factory
from tests.process.desk import Bench
from tests.support.servers import PostgresForTests


@pytest.fixture
def bench(clean_db: PostgresForTests, tmp_path: Path) -> Iterator[Bench]:
    """An empty database and a loop of its own."""
    with asyncio.Runner() as runner:
        engine = make_engine(clean_db.app_url, application_name="walk")
        yield Bench(clean_db, engine, make_session_factory(engine), runner, tmp_path)
        runner.run(engine.dispose())
