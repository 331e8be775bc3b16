"""Which adapters a process gets, and that a drill's can reach nobody."""

import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.messaging.base import SendError
from adapters.messaging.factory import build_adapters, build_blocked_adapters
from adapters.messaging.message_ids import mail_domain, message_id_for
from domain.channels import Channel
from settings import Settings
from tests.messaging.builders import DELIVERY, mail, sms
from tests.messaging.receiver import receiving
from tests.messaging.test_web_push import Browser, push

pytestmark = pytest.mark.unit
NOTHING: dict[str, Any] = {
    "smtp_host": None,
    "smtp_username": None,
    "smtp_password": None,
    "twilio_account_sid": None,
    "twilio_auth_token": None,
    "twilio_from": None,
    "webhook_keys": {},
    "vapid_private_key": None,
}
OWN = """
from adapters.messaging.base import SendResult
from domain.channels import Channel


class OurMailService:
    channel = Channel.EMAIL

    async def send(self, message):
        return SendResult(f"ours:{message.delivery_id}")

    async def find_sent(self, message, since):
        return None

    async def close(self):
        pass


def build(settings):
    return OurMailService()
"""
"""A whole adapter of an installation's own."""
VAPID = "Dt1CLgQlkiaA-tmCkATyKZeoF1-Gtw1-gdEP6pOCqj4"


def settings(**given: Any) -> Settings:
    return Settings(**{**NOTHING, **given})


def test_only_configured_channels_have_an_adapter() -> None:
    assert build_adapters(settings()) == {}
    assert set(build_adapters(settings(smtp_host="127.0.0.1"))) == {Channel.EMAIL}
    twilio = {"twilio_account_sid": "AC1", "twilio_auth_token": "t", "twilio_from": "+1"}
    both = build_adapters(settings(smtp_host="127.0.0.1", **twilio))
    assert {channel: adapter.channel for channel, adapter in both.items()} == {
        one: one for one in (Channel.EMAIL, Channel.SMS, Channel.VOICE)
    }
    # A messaging service cannot call; a number for calls can be named beside it.
    service = twilio | {"twilio_from": "MG1"}
    assert set(build_adapters(settings(**service))) == {Channel.SMS}
    assert set(build_adapters(settings(**service, twilio_voice_from="+12025550100"))) == {Channel.SMS, Channel.VOICE}


async def test_another_provider_of_a_channel_is_one_file_named_in_the_settings_and_never_meets_a_drill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "our_mail_service.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    own = settings(smtp_host="127.0.0.1", messaging_adapters={"email": "our_mail_service:build"})
    adapter = build_adapters(own)[Channel.EMAIL]
    assert (await adapter.send(mail())).provider_id == f"ours:{DELIVERY}"
    assert not (await build_blocked_adapters()[Channel.EMAIL].send(mail())).provider_id.startswith("ours:")
    for wrong, word in (
        ({"fax": "our_mail_service:build"}, "fax"),
        ({"sms": "our_mail_service:build"}, "an adapter of email, not of sms"),
        ({"email": "our_mail_service"}, "module:function"),
        ({"email": "our_mail_service:nothing"}, "module:function"),
        ({"email": "nobody_has_this:build"}, "cannot be imported"),
        ({"email": ":build"}, "cannot be imported"),
    ):
        with pytest.raises(ValueError, match=f"RECALL_MESSAGING_ADAPTERS.*{word}"):
            build_adapters(settings(messaging_adapters=wrong))


def test_systems_and_browsers_are_reached_where_there_are_keys() -> None:
    assert set(build_adapters(settings(webhook_keys={"mercy": ["k" * 24, "o" * 24]}))) == {Channel.WEBHOOK}
    assert set(build_adapters(settings(vapid_private_key=VAPID))) == {Channel.PUSH}


async def test_a_network_allowed_for_hospitals_systems_is_not_open_to_whoever_subscribes_a_browser() -> None:
    local = ["127.0.0.0/8"]
    for_systems = build_adapters(settings(vapid_private_key=VAPID, webhook_networks=local))[Channel.PUSH]
    for_push = build_adapters(settings(vapid_private_key=VAPID, push_networks=local))[Channel.PUSH]
    async with receiving() as inside:
        inside.status = 201
        with pytest.raises(SendError, match="network that is not called"):
            await for_systems.send(push(Browser().target(inside.url)))
        assert inside.got == []
        await for_push.send(push(Browser().target(inside.url)))
        assert len(inside.got) == 1
    for adapter in (for_systems, for_push):
        await adapter.close()


def test_keys_are_read_from_the_environment_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = "new-key-of-at-least-24-bytes", "old-key-of-at-least-24-bytes"
    monkeypatch.setenv("RECALL_WEBHOOK_KEYS", f'{{"mercy":["{new}","{old}"],"north":"{new}"}}')
    monkeypatch.setenv("RECALL_WEBHOOK_NETWORKS", '["10.20.0.0/16"]')
    read = Settings()
    assert read.webhook_secrets() == {"mercy": [new, old], "north": [new]}
    assert read.webhook_networks == ["10.20.0.0/16"]
    assert "key-of" not in repr(read)


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"smtp_host": "h", "smtp_username": "u"}, "SMTP_PASSWORD"),
        ({"twilio_account_sid": "AC1"}, "TWILIO_AUTH_TOKEN"),
        ({"twilio_account_sid": "AC1", "twilio_auth_token": "t"}, "TWILIO_FROM"),
        ({"smtp_host": "h", "mail_from": "nobody"}, "RECALL_MAIL_FROM"),
        ({"webhook_keys": {"mercy": "short"}}, "RECALL_WEBHOOK_KEYS: mercy"),
        ({"webhook_keys": {"mercy": "k" * 24}, "webhook_networks": ["10.0.0.1/8"]}, "RECALL_WEBHOOK_NETWORKS"),
        ({"webhook_keys": {"mercy": "k" * 24}, "webhook_ca_file": "/no/such.pem"}, "RECALL_WEBHOOK_CA_FILE"),
        ({"vapid_private_key": "nonsense"}, "RECALL_VAPID_PRIVATE_KEY"),
        ({"vapid_private_key": VAPID, "push_networks": ["10.0.0.1/8"]}, "RECALL_PUSH_NETWORKS"),
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
