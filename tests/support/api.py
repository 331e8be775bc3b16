"""The API as tests call it: the real application over ASGI, one token per role, a small chain on record."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
from fastapi import FastAPI
from pydantic import SecretStr
from temporalio.client import Client

from api.app import create_app
from db.engine import SessionFactory
from db.repositories import tokens
from domain.roles import Role
from settings import Settings
from tests.support.chain import Chain
from tests.support.signing import can_sign

LINK_SECRET = "link-secret-of-the-tests"
TWILIO_TOKEN = "twilio-token-of-the-tests"
PEOPLE = {
    Role.QA: "Quinn",
    Role.APPROVER: "Ada",
    Role.MEDICAL: "Mei",
    Role.REGULATORY: "Rafael",
    Role.WAREHOUSE: "Wanda",
    Role.SUPPLIER_QUALITY: "Sunil",
    Role.ACCOUNT_MANAGER: "Amara",
    Role.AUDITOR: "Audrey",
    Role.FINANCE: "Fiona",
    Role.ADMIN: "Adam",
    Role.HEAD_OF_QUALITY: "Hana",
    Role.HEAD_OF_REGULATORY: "Hugo",
    Role.HEAD_OF_SUPPLY: "Hilde",
}


def settings_for(database_url: str, state_dir: Path, **changes: Any) -> Settings:
    """Settings of a test's API; secrets are real values, nothing is read from the environment."""
    given: dict[str, Any] = {
        "state_dir": state_dir,
        "database_url": SecretStr(database_url),
        "link_secret": SecretStr(LINK_SECRET),
        "twilio_auth_token": SecretStr(TWILIO_TOKEN),
        "public_url": "http://recall.test",
        "allow_pace": True,
        "evidence_max_bytes": 100_000,
        "return_dock": "RETURN-DOCK",
        "return_address": "Dock Road 1",
    }
    return Settings(**(given | changes))


@asynccontextmanager
async def serving(settings: Settings, temporal: Client | None) -> AsyncIterator[httpx.AsyncClient]:
    """The application with its lifespan, and a client that calls it in process."""
    async with calling(create_app(settings, temporal_client=temporal, background=False)) as client:
        yield client


@asynccontextmanager
async def calling(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """An application between its start and its end, and a client that calls it in process."""
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://recall.test") as client:
            yield client


class Callers:
    """The API called by named people; every POST gets a fresh Idempotency-Key unless one is given."""

    def __init__(self, client: httpx.AsyncClient, tokens_by_role: dict[Role, str]) -> None:
        self.client = client
        self.tokens = tokens_by_role

    def headers(self, role: Role | None, key: str | None = None, **more: str) -> dict[str, str]:
        """Headers of a request as this role."""
        found = dict(more)
        if role is not None:
            found["Authorization"] = f"Bearer {self.tokens[role]}"
        if key is not None:
            found["Idempotency-Key"] = key
        return found

    async def get(self, url: str, role: Role | None = Role.QA, **params: Any) -> httpx.Response:
        """GET as a role."""
        return await self.client.get(url, params=params, headers=self.headers(role))

    async def post(
        self, url: str, body: Any, role: Role | None = Role.QA, key: str | None = None, **headers: str
    ) -> httpx.Response:
        """POST JSON as a role."""
        key = key or secrets.token_hex(8)
        return await self.client.post(url, json=body, headers=self.headers(role, key, **headers))

    async def put(self, url: str, body: Any, role: Role | None = Role.QA) -> httpx.Response:
        """PUT JSON as a role."""
        return await self.client.put(url, json=body, headers=self.headers(role))


async def make_tokens(db: SessionFactory) -> dict[Role, str]:
    """One token per role, each of another person who can sign and has given the password."""
    issued = {role: tokens.Issued(person, "test", (role,)) for role, person in PEOPLE.items()}
    async with db.begin() as session:
        await tokens.create_all(session, list(issued.values()), actor="tests", now=datetime.now(UTC))
        await can_sign(session, *(one.secret for one in issued.values()))
    return {role: one.secret for role, one in issued.items()}


def write_chain(url: str) -> Chain:
    """One product lot made at a site, stocked at our warehouse and shipped to two hospitals."""
    chain = Chain(base=1000)
    site = chain.place("own", "manufacturer")
    warehouse = chain.place("own", "warehouse")
    product = chain.product(family="Infusion sets")
    lot = chain.lot(product, number="L26-0412", site=site)
    for quantity in (30, 20):
        hospital = chain.place()
        chain.move("shipment", lot, quantity, source=warehouse, target=hospital, delivered=True)
    chain.count(lot, warehouse, 50)
    chain.write(url)
    return chain


def write_consignee(url: str, number: str, *, hospital: int = 0, phone: str | None = None) -> int:
    """Hospital 0 or 1 of `write_chain` as a notified consignee of the recall with its lot; returns its id."""
    with psycopg.connect(url) as owner:
        found = owner.execute(
            "SELECT partner.id FROM partner WHERE kind = 'hospital' ORDER BY id OFFSET %s LIMIT 1", [hospital]
        ).fetchone()
        assert found is not None
        row = owner.execute(
            "INSERT INTO consignee (recall_number, partner_id, tier, state, step, first_notified_at, added_at) "
            "VALUES (%s, %s, 1, 'open', 1, now(), now()) RETURNING id",
            [number, found[0]],
        ).fetchone()
        assert row is not None
        owner.execute(
            "INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated) "
            "SELECT %s, lot_id, sum(quantity), 0, false FROM movement JOIN location ON location.id = to_location_id "
            "WHERE location.partner_id = %s GROUP BY lot_id",
            [row[0], found[0]],
        )
        if phone is not None:
            owner.execute(
                "INSERT INTO contact (partner_id, position, name, role, phone, channels, status) "
                "VALUES (%s, 1, 'Store', 'store', %s, '{sms}', 'verified')",
                [found[0], phone],
            )
        return int(row[0])


def intake(**changes: Any) -> dict[str, Any]:
    """A valid intake of a recall of `write_chain`'s lot."""
    body: dict[str, Any] = {
        "title": "Infusion set: connector may crack",
        "reason": "Cracked luer connectors in two complaints.",
        "hazard": "Leakage of medication.",
        "trigger": {"source": "complaint", "reference": "C-2026-0193"},
        "awareness_at": "2026-01-05T08:30:00+00:00",
        "jurisdictions": ["us-fda"],
        "scope": {"families": ["Infusion sets"]},
        "owner": "Quinn",
    }
    return body | changes
