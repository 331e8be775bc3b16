"""What the demonstration's checker reads of a running recall is of one moment."""

from typing import Any

import pytest

from demo import facts
from demo.facts import Reader

pytestmark = pytest.mark.unit
NUMBER = "RC-2026-000001"
LISTED = ("consignees", "holds", "replies", "audit")
NAMED = ("deadlines", "notices", "evidence")


class Running(Reader):
    """A recall that sends a text message right after its deliveries were read, as often as it is told to."""

    def __init__(self, waves: int, *, heard: bool = True) -> None:
        super().__init__("http://api.test", "token", "http://inbox.test", "http://sms.test")
        self.waves, self.heard = waves, heard
        self.sent: list[str] = ["SM1"]
        self.reads = 0

    def _all(self, path: str) -> list[dict[str, Any]]:
        name = path.rsplit("/", 1)[-1]
        if name != "deliveries":
            assert name in LISTED
            return []
        self.reads += 1
        state = "submitted" if self.heard else "submitting"
        found = [{"id": each, "provider_id": each, "state": state} for each in self.sent]
        if self.waves:
            self.waves -= 1
            self.sent.append(f"SM{len(self.sent) + 1}")
        return found

    def _get(self, path: str, **query: Any) -> Any:
        name = path.rsplit("/", 1)[-1]
        if name == "verify":
            return {"events": 3, "ok": True}
        return [] if name in NAMED else {"number": NUMBER}

    def _trace(self, path: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        return [], {"sites": [], "gaps_total": 0}

    def _mails(self) -> list[dict[str, Any]]:
        return []

    def _sink(self, url: str, **query: Any) -> Any:
        return {"duplicates": 0} if url.endswith("/stats") else [{"sid": each} for each in self.sent]


def test_what_is_sent_while_it_is_read_has_it_read_again() -> None:
    recall = Running(waves=2)
    found = recall.read(NUMBER)
    assert recall.reads == 3
    assert [each["provider_id"] for each in found.deliveries] == [each["sid"] for each in found.texts] == recall.sent


def test_a_message_that_never_leaves_is_shown_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_REST_S", 0.0)
    recall = Running(waves=0, heard=False)
    assert [each["id"] for each in recall.read(NUMBER).unsent()] == ["SM1"]
    assert recall.reads == 1
