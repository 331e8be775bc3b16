"""Whoever acts on a recall's policies reads them with their branches applied; only who decides on branches does not."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]
MAY = {
    "activities/assessment.py",  # who signs a class that is not decided yet
    "activities/branches.py",
    "activities/intake.py",
    "activities/policy_moves.py",  # compares two versions
    "api/routers/branches.py",
    "db/repositories/branch_facts.py",
    "db/repositories/dry_runs.py",
    "db/repositories/policy_moves.py",
    "db/repositories/recalls.py",
}
"""Files that read the policies of a recall as they were written."""


def test_only_what_decides_or_shows_branches_reads_policies_as_written() -> None:
    rooms = ("activities", "api", "db", "dossier", "workflows")
    found = {
        file.relative_to(ROOT).as_posix()
        for room in rooms
        for file in (ROOT / room).rglob("*.py")
        if "pinned_as_written" in file.read_text(encoding="utf-8")
    }
    assert found == MAY
