"""What comes back, for the whole installation: one workflow looks for mail, lost texts and silent deliveries.

It holds nothing but its pace. Every round reads the record and the mailbox anew, so a round that fails (mailbox,
provider or database away) is simply followed by a later one, ever more rarely up to a quarter of an hour. A worker
starts it and finds it running; it continues as new long before its history grows.
"""

from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from models.messages import RECALL_QUEUE
    from models.messages_returns import (
        AskAboutStuck,
        CollectMail,
        CollectTexts,
        MailCollected,
        ReturnsInput,
        StuckAsked,
        TextsCollected,
    )
    from workflows.deadline import wait_until

_ASK_EVERY: Final = timedelta(minutes=5)
_LONGEST_PAUSE: Final = timedelta(minutes=15)
_AT_ONCE: Final = timedelta(seconds=1)
"""Pause while mail is left: a storm of bounces is taken in without one."""
_ROUNDS: Final = 200
"""Rounds of one run: at most some 3,000 events."""
_KEPT: Final = "look-wished-for-in-a-round"
"""Patch: runs begun before it forget a look that is wished for while a round is under way."""
# Its activities stand in the queue of the records: in a channel's own they would wait behind batches that wait for
# their pace.
_OPTIONS: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(minutes=10),
    "schedule_to_start_timeout": timedelta(minutes=2),
    "heartbeat_timeout": timedelta(minutes=2),
    # The next round is the retry.
    "retry_policy": RetryPolicy(maximum_attempts=1),
}


@workflow.defn(name="ReturnsWorkflow", failure_exception_types=[ValidationError])
class ReturnsWorkflow:
    """Runs for ever under one id."""

    @workflow.init
    def __init__(self, start: ReturnsInput) -> None:
        """State exists before the first signal."""
        self._pause = timedelta(seconds=start.pause_seconds)
        self._failures = start.failures
        self._asked_at = self._texts_at = workflow.now() - _ASK_EVERY
        self._texts_until = start.texts_until
        self._looked: str = "not yet"
        self._wanted = False

    @workflow.run
    async def run(self, _start: ReturnsInput) -> None:
        """Round after round; continues as new after 200 of them or when the server suggests it."""
        kept = workflow.patched(_KEPT)
        for _ in range(_ROUNDS):
            if kept:
                self._wanted = False  # a look asked for from here on may be for what this one does not see any more
            more = await self._round()
            workflow.set_current_details(self._details())
            if not kept:
                self._wanted = False
            pause = _AT_ONCE if more else self._next_pause()
            await wait_until(lambda: self._wanted, workflow.now() + pause, "Look into the mailbox again")
            if workflow.info().is_continue_as_new_suggested():
                break
        workflow.continue_as_new(
            ReturnsInput(
                pause_seconds=self._pause.total_seconds(), failures=self._failures, texts_until=self._texts_until
            )
        )

    async def _round(self) -> bool:
        """One look and, every five minutes, texts and questions; True when mail or questions are left."""
        more = await self._collect()
        if workflow.now() >= self._texts_at + _ASK_EVERY:
            await self._collect_texts()
        if workflow.now() >= self._asked_at + _ASK_EVERY:
            more |= await self._ask()
        return more

    async def _collect(self) -> bool:
        look = CollectMail(now=workflow.now())
        try:
            collected: MailCollected = await workflow.execute_activity(
                "collect_mail",
                look,
                result_type=MailCollected,
                task_queue=RECALL_QUEUE,
                summary="Take in mail that came back",
                **_OPTIONS,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self._failures += 1
            self._looked = f"failed {self._failures} times in a row"
            return False
        self._failures = 0
        self._pause = timedelta(seconds=collected.every_seconds)
        self._looked = f"{collected.taken} mails" if collected.configured else "no mailbox is configured"
        return collected.more

    async def _collect_texts(self) -> None:
        """What a look that failed has not seen, the next one sees."""
        look = CollectTexts(now=workflow.now(), since=self._texts_until)
        self._texts_at = workflow.now()
        try:
            collected: TextsCollected = await workflow.execute_activity(
                "collect_texts",
                look,
                result_type=TextsCollected,
                task_queue=RECALL_QUEUE,
                summary="Take in texts that no webhook brought",
                **_OPTIONS,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return
        if collected.configured:  # else a number that is configured later has no first look
            self._texts_until = collected.until

    async def _ask(self) -> bool:
        """A provider that is away is asked again in five minutes; it holds up no mail."""
        question = AskAboutStuck(now=workflow.now())
        self._asked_at = workflow.now()
        try:
            answered: StuckAsked = await workflow.execute_activity(
                "ask_about_stuck",
                question,
                result_type=StuckAsked,
                task_queue=RECALL_QUEUE,
                summary="Ask about messages never reported on",
                **_OPTIONS,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return False
        if answered.more:
            self._asked_at -= _ASK_EVERY
        return answered.more

    def _next_pause(self) -> timedelta:
        longest = max(_LONGEST_PAUSE, self._pause)
        return min(self._pause * (1 << min(self._failures, 10)), longest)

    def _details(self) -> str:
        return f"**Mail that comes back**\n\n| Last look | Next |\n|---|---|\n| {self._looked} | {self._next_pause()} |"

    @workflow.signal
    def look(self) -> None:
        """Look at once."""
        self._wanted = True


__all__ = ["ReturnsWorkflow"]
