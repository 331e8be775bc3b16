"""How often a page of the recipient asks the database: ten thousand answers in a burst pay for each statement."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.api.test_recipient_page import Recipient
from tests.campaign.world import Person, World

pytestmark = pytest.mark.db


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement of this process while the block runs."""
    seen: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_a_step_takes_three_statements_and_the_whole_answer_stays_bounded(
    http: httpx.AsyncClient, world: World
) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10"))
    world.consignee("Other", Person(email="b@other.example"))
    recipient = Recipient(http, consignee)
    await recipient.open()  # what the notice says is read once by each process
    with statements() as first:
        await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    with statements() as step:
        await recipient.send("affected", affected="yes")
    given = {"on_hand": "10", "held": "10", "used": "0", "passed_on": "0"}
    recipient.fields |= {f"{name}-{lot}": value for lot in world.lot_ids for name, value in given.items()}
    await recipient.send("lots")
    with statements() as whole:
        done = await recipient.send("person", responder_name="Grace", responder_role="Stores")
    assert done.status_code == 200
    with statements() as again:
        await recipient.send("person")
    assert len(first) == 2, first
    assert len(step) == 3, "the link, its lots, the draft"
    assert len(again) == 3, "a double click reads what is on record and writes nothing"
    assert len(whole) <= 22, whole
