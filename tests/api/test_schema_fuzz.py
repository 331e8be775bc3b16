"""Schemathesis over every operation: whatever is sent, valid or not, the server does not fail.

The API runs under uvicorn with real PostgreSQL, Temporal and workers; half of the cases go to a recall and a
recipient link that exist, most of them as somebody who may do everything. Examples are derandomised, so a run
finds what the run before found.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import SkipTest

import pytest
import pytest_asyncio
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from db.engine import SessionFactory
from db.repositories import tokens
from domain.links import make_link_token
from domain.roles import Role
from tests.support.api import LINK_SECRET, Callers, settings_for, write_consignee
from tests.support.recall_fakes import FakeRecallActivities
from tests.support.servers import PostgresForTests, free_port
from tests.support.signing import can_sign

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(240)]
EXAMPLES = 3
"""Cases per operation, generation mode and run."""


@pytest_asyncio.fixture
async def served(
    api: Callers, postgres: PostgresForTests, temporal: WorkflowEnvironment, tmp_path: Path
) -> AsyncIterator[str]:
    """The API on a port, in this loop."""
    app = create_app(settings_for(postgres.app_url, tmp_path), temporal_client=temporal.client, background=False)
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", access_log=False, ws="none")
    )
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag only
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await task


async def test_no_input_makes_the_server_fail(
    workers: FakeRecallActivities,
    recall: str,
    served: str,
    db: SessionFactory,
    postgres: PostgresForTests,
) -> None:
    now = datetime.now(UTC)
    async with db.begin() as session:
        _, token = await tokens.create(
            session, principal="Everyone", name="fuzz", roles=list(Role), actor="tests", now=now
        )
        await can_sign(session, token)
        # Guessing at passwords locks somebody else out, or nothing would be signed after the first guesses.
        _, guesser = await tokens.create(
            session, principal="Guesser", name="fuzz", roles=list(Role), actor="tests", now=now
        )
        await can_sign(session, guesser)
    link = make_link_token(
        LINK_SECRET,
        recall_no=recall,
        consignee_id=write_consignee(postgres.owner_url, recall),
        delivery_id=None,
        expires_at=now + timedelta(hours=1),
    )
    problems = await asyncio.to_thread(fuzz, served, token, guesser, {"number": recall, "token": link})
    assert problems == []


def fuzz(served: str, token: str, guesser: str, existing_things: dict[str, str]) -> list[str]:
    """Send every operation valid and invalid cases; returns what answered 5xx or not as documented."""
    schema = schemathesis.openapi.from_url(f"{served}/v1/openapi.json")
    found: list[str] = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result.err()
        operation = result.ok()
        if operation.path == "/readyz":
            continue  # 503 is its job; test_health covers it
        caller = guesser if operation.path.startswith("/v1/me/") else token
        callers = st.sampled_from([{"Authorization": f"Bearer {caller}"}] * 5 + [{}])
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @settings(
                max_examples=EXAMPLES,
                derandomize=True,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode), headers=callers, existing=st.booleans())
            def send(case: schemathesis.Case[Any], headers: dict[str, str], existing: bool) -> None:
                for name, value in existing_things.items():
                    if existing and name in (case.path_parameters or {}):
                        case.path_parameters[name] = value
                response = case.call(base_url=served, headers=headers, timeout=30)
                if response.status_code >= 500:
                    found.append(f"{response.status_code} {case.as_curl_command()}: {response.text[:300]}")
                documented = {str(status) for status in case.operation.definition.raw["responses"]}
                if str(response.status_code) not in documented | {
                    "400",
                    "401",
                    "403",
                    "404",
                    "405",
                    "413",
                    "415",
                    "422",
                }:
                    found.append(f"{response.status_code} undocumented: {case.as_curl_command()}")

            try:
                send()
            except schemathesis.errors.SchemathesisError as error:
                found.append(f"{operation.label}: {error}")
            except (Unsatisfiable, SkipTest):
                continue  # an operation that takes nothing has no invalid cases
    return found
