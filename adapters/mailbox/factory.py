"""The mailbox of a process from its settings: an IMAP server where one is set, else a Maildir, else none."""

from typing import Final

from adapters.mailbox.base import Mailbox
from adapters.mailbox.imap import ImapConfig, ImapMailbox
from adapters.mailbox.maildir import MaildirMailbox
from settings import Settings

_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts to which a password may go without TLS."""


def build_mailbox(settings: Settings) -> Mailbox | None:
    """The mailbox with the mail that comes back; None when none is configured.

    Raises:
        ValueError: an IMAP server is configured by half; the message names the missing variable.
    """
    if settings.imap_host:
        return ImapMailbox(_imap_config(settings, settings.imap_host))
    if settings.mailbox_maildir:
        return MaildirMailbox(settings.mailbox_maildir)
    return None


def _imap_config(settings: Settings, host: str) -> ImapConfig:
    if not settings.imap_username:
        raise ValueError("IMAP_USERNAME: expected a value because IMAP_HOST is set")
    if settings.imap_password is None:
        raise ValueError("IMAP_PASSWORD: expected a value because IMAP_HOST is set")
    if not settings.imap_tls and host not in _THIS_MACHINE:
        raise ValueError("IMAP_TLS: expected true, because the server is on another machine")
    return ImapConfig(
        host=host,
        port=settings.imap_port,
        username=settings.imap_username,
        password=settings.imap_password.get_secret_value(),
        folder=settings.imap_folder,
        done_folder=settings.imap_done_folder,
        tls=settings.imap_tls,
    )


__all__ = ["build_mailbox"]
