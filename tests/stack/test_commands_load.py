"""A command loads what it needs and nothing else; every name of the help leads to its command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli import app

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.e2e
def test_the_state_of_the_stack_is_told_without_code_of_databases_or_temporal(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "cli", "status", "--state-dir", str(tmp_path / "none")]
    done = subprocess.run(command, cwd=PROJECT, env=os.environ, text=True, capture_output=True, timeout=60, check=False)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert done.returncode == 2, done.stderr[-500:]
    assert "there is no stack" in done.stderr
    assert "stack.status" in loaded
    assert not {"sqlalchemy", "temporalio", "domain", "db"} & loaded


@pytest.mark.unit
def test_every_name_of_the_help_leads_to_a_command_of_that_name() -> None:
    group = typer.main.get_group(app)
    names = group.list_commands(typer.Context(group))
    assert {"up", "openapi", "import", "journals", "sample-chain"} <= set(names)
    assert [getattr(group.get_command(typer.Context(group), name), "name", None) for name in names] == names
    assert names == group.list_commands(typer.Context(group)), "once each, also when they are loaded"


@pytest.mark.unit
def test_a_name_that_is_not_known_is_compared_with_all() -> None:
    told = CliRunner().invoke(app, ["journal"])
    assert told.exit_code == 2
    assert "journals" in told.output
