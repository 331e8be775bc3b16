"""A form that drips in is given up, and nothing of it is stored."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from api.routers import recipient, recipient_files
from tests.api.test_recipient_page import Recipient, replies
from tests.campaign.world import Person, World

pytestmark = pytest.mark.db


BEGUN = {
    "": b"step=acknowledge&acknowledged=yes&form_id=",
    "/files": b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n\xff\xd8\xff',
}


async def dripping(page: str) -> AsyncIterator[bytes]:
    """A body that begins and never ends."""
    yield BEGUN[page]
    await asyncio.Event().wait()


@pytest.mark.parametrize("page", ["", "/files"])
async def test_a_body_that_never_ends_is_answered_in_time(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    for module in (recipient, recipient_files):
        monkeypatch.setattr(module, "_PATIENCE", 0.05)
    visitor = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    kind = "multipart/form-data; boundary=x" if page else "application/x-www-form-urlencoded"
    answer = await http.post(f"{visitor.url}{page}", content=dripping(page), headers={"Content-Type": kind})
    assert answer.status_code == 408
    assert "took too long to arrive" in answer.text
    assert replies(world) == []
