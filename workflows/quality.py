"""Quality's files, for the whole installation: one workflow runs the timers of their tasks and has messages sent.

It holds nothing but its pace; every round reads the record anew, so a round that fails is followed by a later one. A
file needs no workflow of its own and none can be forgotten.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from models.messages import SendStaffMessages, StaffSent
    from models.messages_quality import QualityInput, QualityTurned, TurnQuality
    from workflows.activity_options import RECORD, staff_messages
    from workflows.deadline import wait_until

_LONGEST_PAUSE: Final = timedelta(minutes=15)
_SHORTEST_PAUSE: Final = timedelta(seconds=1)
_ROUNDS: Final = 200
"""Rounds of one run: some 2,000 events."""


@workflow.defn(name="QualityWorkflow", failure_exception_types=[ValidationError])
class QualityWorkflow:
    """Runs for ever under one id."""

    @workflow.init
    def __init__(self, start: QualityInput) -> None:
        """State exists before the first signal."""
        self._rounds = start.rounds
        self._wanted = False

    @workflow.run
    async def run(self, _start: QualityInput) -> None:
        """Round after round; continues as new after 200 of them or when the server suggests it."""
        for _ in range(_ROUNDS):
            self._wanted = False
            self._rounds += 1
            next_at = await self._round()
            workflow.set_current_details(f"Round {self._rounds}; looks again at {next_at:%Y-%m-%d %H:%M:%S} UTC")
            await wait_until(lambda: self._wanted, next_at, "Look at quality's files again")
            if workflow.info().is_continue_as_new_suggested():
                break
        workflow.continue_as_new(QualityInput(rounds=self._rounds))

    async def _round(self) -> datetime:
        """One look and the messages it found; when to look again."""
        latest = workflow.now() + _LONGEST_PAUSE
        look = TurnQuality(now=workflow.now())
        try:
            turned: QualityTurned = await workflow.execute_activity(
                "turn_quality", look, result_type=QualityTurned, summary="What is due among quality's files", **RECORD
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("the look at quality's files failed; tried again")
            return latest
        for each in turned.waiting:
            await self._send(each.number, each.channel)
        soonest = workflow.now() + _SHORTEST_PAUSE
        return latest if turned.next_at is None else max(soonest, min(latest, turned.next_at))

    async def _send(self, number: str, channel: str) -> None:
        request = SendStaffMessages(number=number, channel=channel, now=workflow.now())
        options: dict[str, Any] = staff_messages(channel)
        try:
            await workflow.execute_activity(
                "send_staff_messages", request, result_type=StaffSent, summary=f"{number}: tell by {channel}", **options
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("messages of %s by %s wait; the next round tries them again", number, channel)

    @workflow.signal
    def task_moved(self, _key: str = "") -> None:
        """Something changed in a file: look now."""
        self._wanted = True

    @workflow.signal
    def look(self) -> None:
        """Look now."""
        self._wanted = True


__all__ = ["QualityWorkflow"]
