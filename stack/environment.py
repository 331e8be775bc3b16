"""The environment that children of the stack run with.

A variable the operator has set always wins: with `DATABASE_URL`, `TEMPORAL_ADDRESS`, `SMTP_HOST` or
`TWILIO_ACCOUNT_SID` present, nothing embedded is started for it. The owner's database URL is never given
to the API or a worker: they must not be able to change the audit.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from stack import postgres as pg
from stack.options import StackOptions
from stack.secret_store import StackSecrets
from stack.temporal_admin import configured_address, configured_namespace

SMS_WEBHOOK_PATH = "/v1/webhooks/twilio/inbound"
"""Where the stand-in posts what a phone writes, as the number's webhook would be set at Twilio."""


@dataclass(frozen=True)
class External:
    """Addresses of what the operator runs himself; None means we start the embedded part."""

    database: str | None
    temporal: str | None
    smtp: str | None
    twilio: str | None
    imap: str | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "External":
        """What is configured in the environment (Temporal: also in its profile file)."""
        smtp, imap = environment.get("SMTP_HOST"), environment.get("IMAP_HOST")
        return cls(
            database=environment.get("DATABASE_URL") or None,
            temporal=configured_address(),
            smtp=f"{smtp}:{environment.get('SMTP_PORT', '25')}" if smtp else None,
            twilio=(environment.get("TWILIO_BASE_URL") or "api.twilio.com")
            if environment.get("TWILIO_ACCOUNT_SID")
            else None,
            imap=f"{imap}:{environment.get('IMAP_PORT', '993')}" if imap else None,
        )


@dataclass(frozen=True)
class Wiring:
    """All addresses of one start, embedded or not."""

    external: External
    environment: dict[str, str]
    """What children get on top of our own environment. Holds secrets."""
    owner_url: str
    """Database URL of the role that migrates; for this process only."""
    temporal_address: str
    temporal_namespace: str
    defaulted: frozenset[str] = frozenset()
    """Variables that the operator could have set and did not."""


def wire(options: StackOptions, secrets: StackSecrets, environment: Mapping[str, str] = os.environ) -> Wiring:
    """Decide every address and secret of this start."""
    external, ports = External.read(environment), options.ports
    app_url = external.database or pg.url_of(pg.APP, secrets.pg_app, ports.pg)
    embedded_owner = pg.url_of(pg.OWNER, secrets.pg_owner, ports.pg)
    owner_url = (environment.get("DATABASE_OWNER_URL") or app_url) if external.database else embedded_owner
    address = external.temporal or f"127.0.0.1:{ports.temporal}"
    given = {
        "RECALL_STATE_DIR": str(options.state_dir),
        "DATABASE_URL": app_url,
        "TEMPORAL_ADDRESS": address,
        "TEMPORAL_NAMESPACE": configured_namespace(),
        "RECALL_API_PORT": str(ports.api),
        "RECALL_SMTP_PORT": str(ports.smtp),
        "RECALL_INBOX_PORT": str(ports.inbox),
        "RECALL_SMS_PORT": str(ports.sms),
    }
    if external.smtp is None:
        given |= {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(ports.smtp)}
        played = "mail" not in options.without
        if played and external.imap is None and not environment.get("RECALL_MAILBOX_MAILDIR"):
            given["RECALL_MAILBOX_MAILDIR"] = str(options.state_dir / "mail" / "returned")
    if external.twilio is None:
        given |= {
            "TWILIO_ACCOUNT_SID": secrets.twilio_account_sid,
            "TWILIO_AUTH_TOKEN": secrets.twilio_auth_token,
            "TWILIO_FROM": environment.get("TWILIO_FROM", "+15005550006"),
            "TWILIO_BASE_URL": f"http://127.0.0.1:{ports.sms}",
        }
    public_url = environment.get("RECALL_PUBLIC_URL") or f"http://127.0.0.1:{ports.api}"
    defaults = {
        "RECALL_PUBLIC_URL": public_url,
        "RECALL_SMS_WEBHOOK_URL": public_url.rstrip("/") + SMS_WEBHOOK_PATH,
        "RECALL_LINK_SECRET": secrets.link_secret,
        "RECALL_CURSOR_SECRET": secrets.cursor_secret,
        "RECALL_VAPID_PRIVATE_KEY": secrets.vapid_private_key,
    }
    defaults = {name: value for name, value in defaults.items() if not environment.get(name)}
    given |= defaults
    if options.pace_allowed:
        given["RECALL_ALLOW_PACE"] = "1"
    return Wiring(external, given, owner_url, address, given["TEMPORAL_NAMESPACE"], frozenset(defaults))
