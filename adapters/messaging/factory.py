"""Builds the adapters of a process from its settings; drills get the blocked ones, whatever is configured."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from email.utils import parseaddr
from importlib import import_module

from adapters.messaging.base import MessagingAdapter
from adapters.messaging.blocked import BlockedAdapter
from adapters.messaging.guarded_http import GuardedHttpConfig
from adapters.messaging.smtp_email import SmtpConfig, SmtpEmailAdapter
from adapters.messaging.twilio_connection import TwilioConfig
from adapters.messaging.twilio_sms import TwilioSmsAdapter
from adapters.messaging.twilio_voice import TwilioVoiceAdapter
from adapters.messaging.web_push import Gone, PushConfig, WebPushAdapter
from adapters.messaging.webhook import WebhookAdapter
from domain.channels import Channel
from domain.links import HOSPITAL_PATH
from domain.return_path import ReturnPath
from domain.web_addresses import parse_networks
from domain.webhook_keys import parse_webhook_keys
from settings import Settings


def build_adapters(settings: Settings, *, push_gone: Gone | None = None) -> dict[Channel, MessagingAdapter]:
    """One adapter per channel that is configured; a channel without an address is absent.

    Args:
        push_gone: told which push subscriptions do not exist any more.

    Raises:
        ValueError: a channel is configured by half; the message names the missing variable.
    """
    adapters: dict[Channel, MessagingAdapter] = {}
    if settings.smtp_host:
        adapters[Channel.EMAIL] = SmtpEmailAdapter(_smtp_config(settings, settings.smtp_host))
    if settings.twilio_account_sid:
        texts = _twilio_config(settings, settings.twilio_account_sid)
        adapters[Channel.SMS] = TwilioSmsAdapter(texts)
        caller = settings.twilio_voice_from or (texts.sender if texts.sender.startswith("+") else None)
        if caller is not None:
            # A messaging service cannot call: without a number of its own the account has no voice.
            adapters[Channel.VOICE] = TwilioVoiceAdapter(replace(texts, sender=caller))
    return adapters | _web_adapters(settings, push_gone) | _own_adapters(settings)


def _own_adapters(settings: Settings) -> dict[Channel, MessagingAdapter]:
    """Another provider of a channel: one file of the installation's own, named in the settings."""
    adapters: dict[Channel, MessagingAdapter] = {}
    for name, path in sorted(settings.messaging_adapters.items()):
        if name not in set(Channel):
            raise ValueError(f"RECALL_MESSAGING_ADAPTERS: expected one of {', '.join(Channel)}, not {name!r}")
        module, colon, function = path.partition(":")
        try:
            build: Callable[[Settings], MessagingAdapter] | None = getattr(import_module(module), function, None)
        except (ImportError, ValueError) as error:
            raise ValueError(f"RECALL_MESSAGING_ADAPTERS: {path!r} cannot be imported: {error}") from None
        if not colon or not callable(build):
            raise ValueError(f"RECALL_MESSAGING_ADAPTERS: expected module:function, not {path!r}")
        adapter = build(settings)
        if adapter.channel != name:
            raise ValueError(f"RECALL_MESSAGING_ADAPTERS: {path!r} is an adapter of {adapter.channel}, not of {name}")
        adapters[Channel(name)] = adapter
    return adapters


def _web_adapters(settings: Settings, push_gone: Gone | None) -> dict[Channel, MessagingAdapter]:
    """Systems of recipients where a key is configured, browsers where we can identify ourselves."""
    adapters: dict[Channel, MessagingAdapter] = {}
    if settings.webhook_keys:
        keys = parse_webhook_keys(settings.webhook_secrets())
        answers = settings.public_url.rstrip("/") + HOSPITAL_PATH
        adapters[Channel.WEBHOOK] = WebhookAdapter(
            keys, _guarded(settings, settings.webhook_networks, "RECALL_WEBHOOK_NETWORKS"), answer_url=answers
        )
    if settings.vapid_private_key is not None:
        key = settings.vapid_private_key.get_secret_value()
        subject = settings.vapid_subject or f"mailto:{settings.company_email}"
        # Endpoints come from whoever holds a link, so a network allowed for hospitals' systems is not one for push.
        http = _guarded(settings, settings.push_networks, "RECALL_PUSH_NETWORKS")
        adapters[Channel.PUSH] = WebPushAdapter(PushConfig(key, subject, http), gone=push_gone)
    return adapters


def _guarded(settings: Settings, networks: Sequence[str], variable: str) -> GuardedHttpConfig:
    try:
        allowed = parse_networks(networks)
    except ValueError as error:
        raise ValueError(f"{variable}: {error}") from None
    if settings.webhook_ca_file is not None and not settings.webhook_ca_file.is_file():
        raise ValueError("RECALL_WEBHOOK_CA_FILE: expected a file with certificates")
    return GuardedHttpConfig(allowed=allowed, ca_file=settings.webhook_ca_file)


def build_blocked_adapters() -> dict[Channel, MessagingAdapter]:
    """Adapters of a drill: every channel answers, none can reach a network."""
    return {channel: BlockedAdapter(channel) for channel in Channel}


def _smtp_config(settings: Settings, host: str) -> SmtpConfig:
    if settings.smtp_username and settings.smtp_password is None:
        raise ValueError("SMTP_PASSWORD: expected a value because SMTP_USERNAME is set")
    return SmtpConfig(
        host=host,
        port=settings.smtp_port,
        mail_from=settings.mail_from,
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        starttls=settings.smtp_starttls,
        return_path=build_return_path(settings),
        answers_return=bool(settings.imap_host or settings.mailbox_maildir),
    )


def build_return_path(settings: Settings) -> ReturnPath | None:
    """The addresses that notices come back to; None without a key to sign them with.

    Raises:
        ValueError: the address cannot carry a token; the message names the variable.
    """
    if settings.link_secret is None:
        return None
    address = settings.bounce_address or parseaddr(settings.mail_from)[1]
    return ReturnPath(settings.link_secret.get_secret_value(), address)


def _twilio_config(settings: Settings, account_sid: str) -> TwilioConfig:
    if settings.twilio_auth_token is None:
        raise ValueError("TWILIO_AUTH_TOKEN: expected a value because TWILIO_ACCOUNT_SID is set")
    if not settings.twilio_from:
        raise ValueError("TWILIO_FROM: expected a number or messaging service (MG...) to send from")
    return TwilioConfig(
        account_sid=account_sid,
        auth_token=settings.twilio_auth_token.get_secret_value(),
        sender=settings.twilio_from,
        base_url=settings.twilio_base_url or None,
    )
