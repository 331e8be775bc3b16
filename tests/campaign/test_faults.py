"""A fault of ours that one message trips: nobody else waits for it, and nobody is told twice."""

import logging
from typing import Any

import pytest

from domain.notice_body import fill
from domain.notice_content import RecipientValues
from tests.campaign.conftest import Hand
from tests.campaign.world import Person, World

pytestmark = pytest.mark.db


async def test_a_message_that_cannot_be_made_for_a_fault_of_ours_holds_up_no_other(
    hand: Hand, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(30):
        world.consignee(f"Clinic {number:02d}", Person(f"c{number:02d}@x.example"))

    def faulty(body: Any, values: RecipientValues) -> Any:
        if "Clinic 07" in str(values):
            raise IndexError("c07@x.example")
        return fill(body, values)

    monkeypatch.setattr("activities.compose.fill", faulty)
    await hand.advance()
    with caplog.at_level(logging.INFO):
        result = await hand.send()
    assert (result.submitted, result.failed) == (29, 1)
    assert set(hand.mail.per_delivery().values()) == {1}
    (row,) = [row for row in world.deliveries() if row["state"] != "submitted"]
    assert (row["address"], row["state"], row["error_kind"]) == ("c07@x.example", "failed", "content")
    assert row["error_code"] == "initial/email.en: IndexError"
    assert "c07@x.example" not in caplog.text
