"""A recall in notification with two lots, and the API without Temporal: a recipient's answer must not need it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from db.engine import SessionFactory
from tests.api.conftest import unreachable_client
from tests.campaign.world import World, build
from tests.support.api import serving, settings_for
from tests.support.servers import PostgresForTests


@pytest.fixture
def world(db: SessionFactory, clean_db: PostgresForTests) -> World:
    """A recall in notification with two lots."""
    return build(clean_db.admin_url)


@pytest_asyncio.fixture
async def http(world: World, postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The API on a real database."""
    async with serving(settings_for(postgres.app_url, tmp_path), await unreachable_client()) as client:
        yield client
