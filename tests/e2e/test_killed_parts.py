"""kill -9 of a part in the middle of a campaign: nobody is missed, no answer is lost, deadlines are met."""

from collections.abc import Callable

import pytest

from tests.e2e.facts import GROUP_OF_RECORDS, check_ledger, first_notices
from tests.e2e.killing import KILLED_PARTS, Killed, check, run_killed, wait_for_reminders
from tests.e2e.running import World

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
_REMINDER_S = 10.0
Kill = Callable[[str], Killed]


@pytest.fixture(scope="module")
def killed(world: World) -> Kill:
    """Campaign that lost a part; each part is killed once, when first asked for."""
    campaigns: dict[str, Killed] = {}

    def of(part: str) -> Killed:
        if part not in campaigns:
            brand = f"Kill{part.title()}"
            campaigns[part] = run_killed(world, brand, [part], reminder_after_s=_REMINDER_S, within_s=90)
        return campaigns[part]

    return of


@pytest.mark.parametrize("part", KILLED_PARTS)
def test_a_part_killed_in_mid_campaign_costs_no_notice_and_no_answer(killed: Kill, part: str) -> None:
    campaign = killed(part)
    everybody = {each.code for each in campaign.case.group.consignees}
    assert first_notices(campaign.world, campaign.case) == everybody
    assert campaign.answered
    check(campaign)
    print(f"{part}: {campaign}")  # noqa: T201 - a figure for whoever runs it with -s


@pytest.mark.parametrize("part", KILLED_PARTS)
def test_after_the_kill_of_a_part_reminders_go_to_all_who_are_silent_and_nobody_else(killed: Kill, part: str) -> None:
    campaign = killed(part)
    wait_for_reminders(campaign, 90)
    figures = check_ledger(campaign.world, campaign.case)
    assert figures.repeated_mails <= GROUP_OF_RECORDS
