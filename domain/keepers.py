"""Who keeps stock besides our own ledger: a WMS or ERP on record, how it is called, and how it fares.

A record names the environment variable of each secret, never the secret. Those names have a prefix of their own, so
that no record can send another secret of the installation to an address somebody entered.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

LEDGER: Final = "ledger"
"""Code of our own ledger, which keeps every place that nobody else is on record for."""
VARIABLE_PREFIX: Final = "RECALL_KEEPER_"
CODE_PATTERN: Final = r"^[a-z][a-z0-9-]{1,39}$"
VARIABLE_PATTERN: Final = rf"^{VARIABLE_PREFIX}[A-Z0-9_]{{1,60}}$"
MOST_ROWS: Final = 1000
"""Skipped rows kept of one keeper; the oldest give way."""


class KeeperKind(StrEnum):
    """How a keeper is spoken to."""

    HTTP = "http"
    """The contract of `docs/inventory-api.yaml`."""
    TRYTON = "tryton"
    """A Tryton server, by JSON-RPC."""


class KeeperAuth(StrEnum):
    """How we prove to a keeper who we are."""

    BEARER = "bearer"
    """The credential is sent as a token."""
    HMAC = "hmac"
    """The credential is a key that signs each request."""
    PASSWORD = "password"  # noqa: S105 - a kind of credential
    """Login name and password, `name:password` in the credential's variable."""


class KeeperState(StrEnum):
    """Whether a keeper is called."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """Not called by decision of an administrator; its holds stay unconfirmed and are chased."""


@dataclass(frozen=True, slots=True)
class KeeperRecord:
    """A keeper as registered."""

    code: str
    kind: KeeperKind
    name: str
    base_url: str
    database: str | None = None
    """Name of the database, for kinds that have one."""
    auth: KeeperAuth = KeeperAuth.BEARER
    credential_variable: str | None = None
    """Environment variable that holds the credential."""
    webhook_variable: str | None = None
    """Environment variable of the key that signs the keeper's webhooks; None: it sends none."""
    per_second: float | None = None
    """Most requests per second of all worker processes together; None: unlimited until the keeper complains."""
    timeout_seconds: float = 20.0
    """Longest single request."""
    give_up_seconds: float = 60.0
    """Longest call with all its repeats."""
    state: KeeperState = KeeperState.ACTIVE


@dataclass(frozen=True, slots=True)
class Feed:
    """How far a keeper's feed of changes was read, and how the keeper fared."""

    cursor: str | None = None
    read_at: datetime | None = None
    """When the feed was last read to its end."""
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_error: str | None = None
    failures: int = 0
    """Failed looks in a row."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row of a keeper's answer that could not be taken, and why."""

    what: str
    """`position`, `document`, `hold` or `change`."""
    subject: str
    """What it speaks of in the keeper's own words: lot, place or document."""
    reason: str


def system_of(base_url: str, database: str | None) -> tuple[str, str]:
    """The system that is called: two keepers with the same one would be asked for the same stock twice.

    Letter case of the host, the usual port and a slash at the end make no difference.
    """
    url = urlsplit(base_url)
    port = url.port if url.port != {"https": 443, "http": 80}.get(url.scheme.lower()) else None
    host = (url.hostname or "").lower().rstrip(".")
    return f"{url.scheme.lower()}://{host}:{port or ''}{url.path.rstrip('/')}", database or ""


def reachable(feed: Feed) -> bool | None:
    """Whether the last look at a keeper succeeded; None: nobody has looked yet."""
    if feed.last_success_at is None and feed.last_failure_at is None:
        return None
    return feed.failures == 0


def lag(feed: Feed, now: datetime) -> timedelta | None:
    """How old the newest complete look at a keeper's changes is; None: there was none."""
    return max(timedelta(0), now - feed.read_at) if feed.read_at is not None else None


def secret_of(environment: Mapping[str, str], variable: str | None) -> str | None:
    """The secret a record names; None when it names none, when the variable is empty, or is none of a keeper's."""
    if variable is None or re.fullmatch(VARIABLE_PATTERN, variable) is None:
        return None
    return environment.get(variable) or None


__all__ = [
    "CODE_PATTERN",
    "LEDGER",
    "MOST_ROWS",
    "VARIABLE_PATTERN",
    "VARIABLE_PREFIX",
    "Feed",
    "KeeperAuth",
    "KeeperKind",
    "KeeperRecord",
    "KeeperState",
    "Skipped",
    "lag",
    "reachable",
    "secret_of",
    "system_of",
]
