"""`recall costs`, `recall accounts` and `recall journals` as people use them, over the real API."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import app
from domain.roles import Role
from tests.api.warehouse import NUMBER, URL, Warehouse, warehouse

__all__ = ["warehouse"]
pytestmark = pytest.mark.db
Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def recall(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`recall ...` as somebody: exit code, output, errors. Its requests reach the API of the test."""

    async def run(role: Role, *arguments: str) -> tuple[int, str, str]:
        loop = asyncio.get_running_loop()

        def request(method: str, url: str, **more: Any) -> httpx.Response:
            del more["trust_env"]
            sent = warehouse.api.client.request(method, url, **more)
            return asyncio.run_coroutine_threadsafe(sent, loop).result(60)

        monkeypatch.setattr(httpx, "request", request)
        environment = {
            "RECALL_API": "http://recall.test",
            "RECALL_TOKEN": warehouse.api.tokens[role],
            "RECALL_STATE_DIR": "/nonexistent",
        }
        done = await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env=environment)
        return done.exit_code, done.stdout, done.stderr

    return run


async def test_costs_become_a_journal_on_the_command_line(recall: Run, warehouse: Warehouse, tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    file.write_text("reference,kind,amount,currency\nA1,labour,12.50,EUR\nA2,labour,-2,EUR\n")
    assert await recall(Role.FINANCE, "costs", "import", NUMBER, str(file)) == (
        0,
        "2 entries booked (10.5 EUR), 0 on record already\n",
        "",
    )
    again = await recall(Role.FINANCE, "costs", "import", NUMBER, str(file))
    assert again[1] == "0 entries booked, 2 on record already\n"
    code, _, errors = await recall(Role.FINANCE, "journals", "close", NUMBER)
    assert (code, "no approved accounts for labour" in errors) == (2, True)
    to = ("--debit", "6810", "--credit", "2001", "--from", "2020-01-01")
    proposed = await recall(Role.FINANCE, "accounts", "propose", "labour", *to)
    row = proposed[1].removeprefix("row ").partition(":")[0]
    own = await recall(Role.FINANCE, "accounts", "approve", row, "--reason", "mine")
    assert (own[0], own[1], own[2].count("\n")) == (2, "", 1)
    approved = await recall(Role.HEAD_OF_QUALITY, "accounts", "approve", row, "--reason", "chart")
    assert approved[1] == f"row {row}: labour, 6810 to 2001, from 2020-01-01: approved by Hana\n"
    assert "6810" in (await recall(Role.FINANCE, "accounts", "list", "--state", "approved"))[1]
    assert "6810" not in (await recall(Role.FINANCE, "accounts", "list", "--state", "rejected"))[1]
    closed = await recall(Role.FINANCE, "journals", "close", NUMBER)
    assert closed[1] == f"{NUMBER}-J0001: 4 lines, 14.5 EUR, 0 entries left\n"
    assert f"{NUMBER}-J0001" in (await recall(Role.FINANCE, "journals", "list", NUMBER))[1]
    out = tmp_path / "journal.csv"
    assert (await recall(Role.FINANCE, "journals", "export", NUMBER, "1", "--out", str(out)))[0] == 0
    sha256 = (await warehouse.api.get(f"{URL}/journals/1")).json()["sha256"]
    assert hashlib.sha256(out.read_bytes()).hexdigest() == sha256


@pytest.mark.parametrize(
    "arguments",
    [
        ("costs", "import", NUMBER, "/nonexistent.csv"),
        ("journals", "list", "RC-2026-999999"),
        ("journals", "export", NUMBER, "7"),
        ("accounts", "reject", "77", "--reason", "r"),
    ],
)
async def test_faults_are_one_line(recall: Run, arguments: tuple[str, ...]) -> None:
    code, output, errors = await recall(Role.FINANCE, *arguments)
    assert (code, output, errors.count("\n")) == (2, "", 1), errors
