"""Builds the adapters of a process from its settings; drills get the blocked ones, whatever is configured."""

from adapters.messaging.base import MessagingAdapter
from adapters.messaging.blocked import BlockedAdapter
from adapters.messaging.smtp_email import SmtpConfig, SmtpEmailAdapter
from adapters.messaging.twilio_sms import TwilioConfig, TwilioSmsAdapter
from domain.channels import Channel
from settings import Settings


def build_adapters(settings: Settings) -> dict[Channel, MessagingAdapter]:
    """One adapter per channel that is configured; a channel without an address is absent.

    Raises:
        ValueError: a channel is configured by half; the message names the missing variable.
    """
    adapters: dict[Channel, MessagingAdapter] = {}
    if settings.smtp_host:
        adapters[Channel.EMAIL] = SmtpEmailAdapter(_smtp_config(settings, settings.smtp_host))
    if settings.twilio_account_sid:
        adapters[Channel.SMS] = TwilioSmsAdapter(_twilio_config(settings, settings.twilio_account_sid))
    return adapters


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
    )


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
