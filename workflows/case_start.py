"""Starting the case workflows that the record asks for, from a campaign's look; what fails is left to the next look."""

from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from models.messages import CampaignInput, CampaignProgress, RecallRef
    from workflows.activity_options import CASES

_AGAIN: Final = timedelta(minutes=5)
"""When cases that could not be started are tried again."""


async def start_cases(start: CampaignInput, progress: CampaignProgress, wake: datetime) -> datetime:
    """Start what is not started yet; returns when to look again, which is sooner than `wake` if something failed.

    Called when nothing is left to send: a case that waits a moment costs less than a notice that does.
    """
    if not progress.cases_to_start:
        return wake
    try:
        await workflow.execute_activity(
            "start_cases",
            RecallRef(number=start.number, now=workflow.now()),
            result_type=int,
            summary=f"Start the cases of {progress.cases_to_start} consignees",
            **CASES,
        )
    except FailureError as error:
        if is_cancelled_exception(error):
            raise
        workflow.logger.error("cases of %s were not started; tried again", start.number)
        return min(wake, workflow.now() + _AGAIN)
    return wake
