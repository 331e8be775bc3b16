"""The README's walk-through, and the roles' days that go on from it, work as they stand: typed into bash in order."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import PROJECT, RunningStack, clean_environment, free_port_base

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1000)]
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """A stack on which recalls may run faster than real time."""
    with tempfile.TemporaryDirectory(prefix="recall-readme-") as folder:
        Path(folder).chmod(0o711)
        running = RunningStack(Path(folder) / "state", free_port_base(), "--pace-allowed")
        try:
            yield running.start()
        finally:
            running.clean_up()


def test_the_readme_and_each_roles_day_bring_a_recall_to_its_end_as_they_stand(
    stack: RunningStack, tmp_path: Path
) -> None:
    addresses = stack.addresses()
    text = (PROJECT / "README.md").read_text()
    blocks = _BLOCK.findall(text)
    assert len(blocks) == 10, "steps 2 to 10, and the telephone of step 9"
    blocks += _BLOCK.findall((PROJECT / "docs" / "roles.md").read_text())
    assert len(blocks) > 15, "helpers and the days of seven roles"
    script = "set -eu -o pipefail\n" + "\n".join(blocks)
    # The environment and the pace are the only things that differ from what a reader types.
    script = script.replace(".venv/bin/python", sys.executable).replace(".venv/bin/recall", f'"{tmp_path}/recall"')
    script = script.replace('"pace": 1440', '"pace": 8640')
    runner = tmp_path / "recall"
    runner.write_text(f'#!/bin/sh\nPYTHONPATH="{PROJECT}" exec "{sys.executable}" -m cli "$@"\n')
    runner.chmod(0o755)
    (tmp_path / "imports").symlink_to(PROJECT / "imports")
    named = {"RECALL_STATE_DIR": str(stack.state_dir), "API": addresses["api"]}
    sinks = {"INBOX": addresses["inbox"], "SMS": addresses["twilio"]}
    written = tmp_path / "printed.txt"
    with written.open("w") as output:
        done = subprocess.Popen(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=clean_environment(named | sinks),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            code = done.wait(900)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            done.kill()
            done.wait()
    printed = written.read_text()
    assert code == 0, f"{'it went on for ever' if code is None else code}: {printed[-3000:]}"
    refused = [line for line in printed.splitlines() if "urn:recall:problem" in line]
    assert '"status":403' in refused[0], "the starter's own approval is refused"
    assert '"urn:recall:problem:not-complete"' in refused[1], "and a completion while something is open"
    # The end is asked for until it comes: a report may have fallen due again, or the recall be there already.
    again = ('"urn:recall:problem:not-complete"', "this decision belongs to resolution")
    assert all(any(each in line for each in again) for line in refused[2:]), "\n".join(refused)
    assert "every link holds" in printed
    assert "Telephone " in printed
    assert '"phase":"terminated"' in printed
    assert "INTACT" in printed


def test_every_document_the_readme_links_to_exists() -> None:
    text = (PROJECT / "README.md").read_text()
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    assert linked
    assert [name for name in linked if not (PROJECT / name).exists()] == []
