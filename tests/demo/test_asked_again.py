"""The play lets sites answer again only once the recall has asked them again."""

from collections.abc import Callable
from typing import Any

import pytest

from demo.desk_work import until_asked_again
from demo.waiting import DemoError

pytestmark = pytest.mark.unit
CLOSED, WAITING, CHASED = (
    {"partner_code": "S1", "state": state, "campaign_sequence": chased}
    for state, chased in (("acknowledged", 1), ("open", 0), ("open", 2))
)
OTHER = {"partner_code": "S2", "state": "open", "campaign_sequence": 2}


class Office:
    """Shows one list of consignees after the other, for as long as somebody waits."""

    def __init__(self, *shown: list[dict[str, Any]]) -> None:
        self.shown = list(shown)

    def all(self, path: str) -> list[dict[str, Any]]:
        assert path == "/consignees"
        return self.shown.pop(0)

    def wait(self, what: str, look: Callable[[], bool | None]) -> bool:
        while self.shown:
            if look():
                return True
        raise DemoError(what)


@pytest.mark.parametrize("before", [CLOSED, WAITING], ids=["not opened", "not chased"])
def test_nobody_answers_before_a_campaign_chases_all_of_them_again(before: dict[str, Any]) -> None:
    office: Any = Office([before, OTHER], [CHASED, OTHER], [before, OTHER])
    until_asked_again(office, {"S1", "S2"})
    assert len(office.shown) == 1
    with pytest.raises(DemoError, match="1 sites"):
        until_asked_again(office, {"S1"})
