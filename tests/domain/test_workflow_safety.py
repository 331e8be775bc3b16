"""What workflow code imports from the domain stays pure: no calendars library, no scanner, no network."""

import subprocess
import sys

import pytest

from tests.domain.factories import ROOT

pytestmark = pytest.mark.unit

SAFE = (
    "phases roles levels hazard decision pace ladder limits policy policy_parts workflow_ids audit_chain working_days"
)
HEAVY = ("holidays", "biip", "sqlalchemy", "sqlmodel", "temporalio", "fastapi", "httpx", "settings")


def test_the_modules_that_workflows_use_load_nothing_heavy_and_nothing_of_ours_but_the_domain() -> None:
    imports = "; ".join(f"import domain.{name}" for name in SAFE.split())
    code = f"import sys; {imports}; print(*sorted(m.partition('.')[0] for m in sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "domain" in loaded
    assert not loaded & set(HEAVY)
