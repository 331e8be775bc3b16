"""Which adapters a process gets, and that a drill's can reach nobody."""

import socket
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.messaging.factory import build_adapters, build_blocked_adapters
from adapters.messaging.message_ids import mail_domain, message_id_for
from domain.channels import Channel
from settings import Settings
from tests.messaging.builders import DELIVERY, mail, sms

pytestmark = pytest.mark.unit
NOTHING: dict[str, Any] = {
    "smtp_host": None,
    "smtp_username": None,
    "smtp_password": None,
    "twilio_account_sid": None,
    "twilio_auth_token": None,
    "twilio_from": None,
}


def settings(**given: Any) -> Settings:
    return Settings(**{**NOTHING, **given})


def test_only_configured_channels_have_an_adapter() -> None:
    assert build_adapters(settings()) == {}
    assert set(build_adapters(settings(smtp_host="127.0.0.1"))) == {Channel.EMAIL}
    twilio = {"twilio_account_sid": "AC1", "twilio_auth_token": "t", "twilio_from": "+1"}
    both = build_adapters(settings(smtp_host="127.0.0.1", **twilio))
    assert {channel: adapter.channel for channel, adapter in both.items()} == {one: one for one in Channel}


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"smtp_host": "h", "smtp_username": "u"}, "SMTP_PASSWORD"),
        ({"twilio_account_sid": "AC1"}, "TWILIO_AUTH_TOKEN"),
        ({"twilio_account_sid": "AC1", "twilio_auth_token": "t"}, "TWILIO_FROM"),
        ({"smtp_host": "h", "mail_from": "nobody"}, "RECALL_MAIL_FROM"),
    ],
)
def test_half_a_configuration_names_what_is_missing(given: dict[str, Any], variable: str) -> None:
    with pytest.raises(ValueError, match=variable):
        build_adapters(settings(**given))


async def test_a_drill_opens_no_socket_and_marks_its_results(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a drill touched the network")

    adapters = build_blocked_adapters()
    assert set(adapters) == set(Channel)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for channel, message in ((Channel.EMAIL, mail()), (Channel.SMS, sms())):
        result = await adapters[channel].send(message)
        assert result.provider_id == f"blocked:{channel}:{DELIVERY}"
        assert await adapters[channel].find_sent(message, datetime.now(UTC)) == result
        await adapters[channel].close()


def test_the_message_id_is_made_of_delivery_and_domain() -> None:
    assert message_id_for(DELIVERY, "Safety <a@firm.example>") == f"<{DELIVERY}@firm.example>"
    assert mail_domain("a@firm.example") == "firm.example"
