"""One Tryton for all files of this folder: its server, the adapter as the recall's user, a user who presses buttons."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from adapters.inventory.tryton import TrytonInventory
from adapters.inventory.tryton_rpc import TrytonClient, TrytonConfig
from tests.inventory.tryton.goods import Goods, Names, Press
from tests.support.tryton import DATABASE, PASSWORDS, TrytonForTests, running_tryton


@pytest.fixture(scope="session")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonForTests]:
    with running_tryton(tmp_path_factory.mktemp("tryton")) as running, running.client():
        yield running


@pytest.fixture(scope="session")
def names() -> Names:
    return Names()


@pytest_asyncio.fixture(scope="session")
async def keeper(tryton: TrytonForTests, names: Names) -> AsyncIterator[TrytonInventory]:
    client = TrytonClient(TrytonConfig(tryton.url, DATABASE, "recall", PASSWORDS["recall"]))
    yield TrytonInventory("erp", client, names)
    await client.close()


@pytest_asyncio.fixture(scope="session")
async def press(tryton: TrytonForTests) -> AsyncIterator[Press]:
    """A button pressed by a user who says yes when Tryton asks whether a move without an origin is meant."""
    client = TrytonClient(TrytonConfig(tryton.url, DATABASE, "admin", PASSWORDS["admin"]))

    async def pressed(record: Any, button: str) -> None:
        await client.call(f"model.{record.__class__.__name__}.{button}", [record.id])
        record.reload()

    yield pressed
    await client.close()


@pytest.fixture
def goods(tryton: TrytonForTests, names: Names) -> Goods:
    return Goods(tryton, names)
