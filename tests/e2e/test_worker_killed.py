"""kill -9 of the worker in the middle of a campaign, alone and while Temporal is away as well.

Last of the end-to-end tests by name: its scenarios begin with the session and take about a minute, because nobody may
touch what the dead worker held until its leases have run out.
"""

from concurrent.futures import Future

import pytest

from tests.e2e.facts import GROUP_OF_RECORDS
from tests.e2e.killing import Killed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


@pytest.mark.parametrize("scenario", ["worker", "worker and temporal"])
def test_a_killed_worker_costs_no_notice_no_answer_and_no_deadline(
    worker_kills: dict[str, Future[Killed]], scenario: str
) -> None:
    campaign = worker_kills[scenario].result()
    assert campaign.figures is not None
    assert campaign.figures.repeated_mails <= GROUP_OF_RECORDS
    assert campaign.figures.repeated_mails <= campaign.figures.ambiguous
    assert campaign.answered
    print(f"{scenario}: {campaign}")  # noqa: T201
