"""What one API process holds: settings, database, Temporal, file store, secrets; built in the lifespan."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from adapters.evidence.base import EvidenceStore
from adapters.evidence.factory import build_evidence_store
from api.notice_words import ToldWords
from api.pagination import Cursors
from api.policies import Jurisdictions
from api.push_key import public_push_key
from api.security.rate_limit import RateLimiter
from api.temporal_gateway import TemporalGateway
from db.engine import SessionFactory, make_engine, make_session_factory
from domain.class_suggestion import Model
from domain.webhook_keys import WebhookKeys, parse_webhook_keys
from settings import Settings
from suggestion.model_file import shipped_model


@dataclass(frozen=True, slots=True)
class ApiState:
    """Everything a request handler may use; nothing of it exists at import time."""

    settings: Settings
    engine: AsyncEngine
    lock_engine: AsyncEngine
    """Connections that only hold advisory locks; see `db.repositories.idempotency.exclusive`."""
    sessions: SessionFactory
    temporal: TemporalGateway
    evidence: EvidenceStore
    cursors: Cursors
    jurisdictions: Jurisdictions
    advice: Model
    """The model that suggests classes from text."""
    webhook_keys: WebhookKeys
    """What recipients' systems sign their answers with."""
    push_key: str | None
    """Our public key for browsers' push services; None where there is no push."""
    page_limiter: RateLimiter
    webhook_limiter: RateLimiter
    password_limiter: RateLimiter
    """Checks of a password per person: each costs memory and time on purpose."""
    keeper_limiter: RateLimiter
    """Looks that a keeper's webhooks may ask for: each is an event in a workflow's history."""
    told_words: ToldWords
    """What released notices say, for the recipients' pages."""
    test_limiter: RateLimiter
    """Test messages per person: each is a real message that costs money."""

    def now(self) -> datetime:
        """The API's clock, in UTC."""
        return datetime.now(UTC)


class ConfigurationError(RuntimeError):
    """A setting without which the API cannot serve; the message names the variable."""


@asynccontextmanager
async def open_state(settings: Settings, temporal_client: Client | None = None) -> AsyncIterator[ApiState]:
    """Build the state without touching the network; both servers may still be down.

    Raises:
        ConfigurationError: no database address is configured, half an evidence bucket, or a key that is none.
    """
    if settings.database_url is None:
        raise ConfigurationError("DATABASE_URL is not set: the API needs the address of its PostgreSQL database")
    try:
        evidence = build_evidence_store(settings)
        webhook_keys = parse_webhook_keys(settings.webhook_secrets())
        push_key = public_push_key(settings)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    url = settings.database_url.get_secret_value()
    engine = make_engine(url, application_name="recall-api", statement_timeout_ms=20_000)
    lock_engine = make_engine(url, application_name="recall-api-locks", pool_size=15)
    temporal = TemporalGateway(temporal_client)
    try:
        yield ApiState(
            settings=settings,
            engine=engine,
            lock_engine=lock_engine,
            sessions=make_session_factory(engine),
            temporal=temporal,
            evidence=evidence,
            cursors=Cursors(_cursor_secret(settings)),
            jurisdictions=Jurisdictions.load(),
            advice=shipped_model(),
            webhook_keys=webhook_keys,
            push_key=push_key,
            page_limiter=RateLimiter(capacity=60, per_second=1),
            webhook_limiter=RateLimiter(capacity=2000, per_second=500),
            password_limiter=RateLimiter(capacity=20, per_second=0.5),
            keeper_limiter=RateLimiter(capacity=20, per_second=5),
            told_words=ToldWords(),
            test_limiter=RateLimiter(capacity=10, per_second=1 / 30),
        )
    finally:
        await engine.dispose()
        await lock_engine.dispose()
        await evidence.close()


def _cursor_secret(settings: Settings) -> str:
    secret = settings.cursor_secret or settings.link_secret
    # Without a configured secret cursors live as long as the process: an inconvenience, not a risk.
    return secret.get_secret_value() if secret else secrets.token_hex(32)


__all__ = ["ApiState", "ConfigurationError", "open_state"]
