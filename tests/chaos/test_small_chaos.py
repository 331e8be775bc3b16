"""The chaos run at a size that fits into CI; `make chaos` runs it at full size."""

from pathlib import Path

import pytest

from tests.chaos.play import play
from tests.chaos.report import report_of
from tests.chaos.run import Plan


@pytest.mark.e2e
@pytest.mark.timeout(420)
def test_random_kills_cuts_and_lost_answers_cost_no_notice_no_answer_and_no_deadline(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    plan = Plan("Chaos", kills=2, seed=2, reminder_after_s=20.0, gap_s=(0.1, 0.6), within_s=240.0)
    outcome = play(tmp_path, plan, consignees=100, lose=0.02)
    assert outcome.answered
    assert outcome.deadlines_due
    print(report_of(outcome))  # noqa: T201
