"""The one workflow that collects what comes back: it goes on whatever is away, and keeps its history short."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

import worker_returns
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
from plugin import recall_plugin, workflow_runner
from settings import Settings
from tests.support.clock import real_time
from worker_returns import kept_returns, start_returns
from workflows import returns as returns_module
from workflows.returns import ReturnsWorkflow

pytestmark = pytest.mark.workflow
OLD = Path(__file__).parent / "histories" / "look_wished_for_in_a_round.json"
"""A run of the code before `look-wished-for-in-a-round`, which forgot that wish."""


@dataclass
class Rounds:
    """Stands for mailbox and provider: counts what is asked of them."""

    looks: list[CollectMail] = field(default_factory=list)
    questions: list[AskAboutStuck] = field(default_factory=list)
    texts: list[CollectTexts] = field(default_factory=list)
    texts_away: int = 0
    """Looks for texts that find the provider away, after the first one."""
    texts_configured_after: int = 0
    """Looks for texts at a time when no number of ours is configured."""
    away: int = 0
    """Looks that find the mailbox away."""
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    wanted: int = 3
    left: int = 0
    """Looks after which mail is left."""
    asked: Callable[[], Awaitable[None]] | None = None
    """Awaited while the provider is being asked."""

    @activity.defn
    async def collect_mail(self, look: CollectMail) -> MailCollected:
        self.looks.append(look)
        if len(self.looks) >= self.wanted:
            self.enough.set()
        if len(self.looks) <= self.away:
            raise ApplicationError("the mail server cannot be reached", type="MailboxAway")
        return MailCollected(taken=1, more=len(self.looks) <= self.left, every_seconds=60)

    @activity.defn
    async def collect_texts(self, look: CollectTexts) -> TextsCollected:
        self.texts.append(look)
        if 1 < len(self.texts) <= 1 + self.texts_away:
            raise ApplicationError("Twilio could not be reached", type="MailboxAway")
        configured = len(self.texts) > self.texts_configured_after
        return TextsCollected(taken=0, until=look.now - timedelta(minutes=2), configured=configured)

    @activity.defn
    async def ask_about_stuck(self, question: AskAboutStuck) -> StuckAsked:
        self.questions.append(question)
        if self.asked is not None:
            await self.asked()
        raise ApplicationError("Twilio could not be reached", type="MailboxAway")


@pytest_asyncio.fixture
async def rounds(temporal: WorkflowEnvironment) -> AsyncIterator[Rounds]:
    found = Rounds()
    # All in the queue of the records: in a channel's own a look would wait behind batches that wait for their pace.
    async with Worker(
        temporal.client,
        task_queue=RECALL_QUEUE,
        workflows=[ReturnsWorkflow],
        activities=[found.collect_mail, found.collect_texts, found.ask_about_stuck],
        workflow_runner=workflow_runner(),
    ):
        yield found


async def started(temporal: WorkflowEnvironment) -> WorkflowHandle[ReturnsWorkflow, None]:
    return await temporal.client.start_workflow(
        ReturnsWorkflow.run, ReturnsInput(pause_seconds=60), id=f"returned-mail-{uuid4()}", task_queue=RECALL_QUEUE
    )


async def until_enough(rounds: Rounds, handle: WorkflowHandle[ReturnsWorkflow, None]) -> None:
    try:
        async with asyncio.timeout(30):
            await rounds.enough.wait()
    finally:
        await handle.terminate("the test is over")


def gaps(rounds: Rounds) -> list[float]:
    times = [look.now for look in rounds.looks]
    return [(after - before).total_seconds() for before, after in pairwise(times)]


async def test_it_looks_regularly_and_asks_more_rarely_whatever_the_provider_answers(
    temporal: WorkflowEnvironment, rounds: Rounds
) -> None:
    rounds.wanted = 8
    await until_enough(rounds, await started(temporal))
    assert all(59 <= gap < 100 for gap in gaps(rounds)[:7])
    asked = [question.now for question in rounds.questions]
    assert asked[0] - rounds.looks[0].now < timedelta(seconds=10)
    assert timedelta(minutes=4) < asked[1] - asked[0] < timedelta(minutes=7)


async def test_texts_are_looked_for_from_where_the_last_look_that_succeeded_has_seen(
    temporal: WorkflowEnvironment, rounds: Rounds
) -> None:
    rounds.texts_away, rounds.wanted = 2, 26
    await until_enough(rounds, await started(temporal))
    first, second, third, fourth, fifth = rounds.texts[:5]
    assert timedelta(minutes=4) < second.now - first.now < timedelta(minutes=7)
    seen = first.now - timedelta(minutes=2)
    assert [first.since, second.since, third.since, fourth.since] == [None, seen, seen, seen]
    assert fifth.since == fourth.now - timedelta(minutes=2)


async def test_before_a_number_is_configured_no_text_counts_as_looked_for(
    temporal: WorkflowEnvironment, rounds: Rounds
) -> None:
    rounds.texts_configured_after, rounds.wanted = 2, 22
    await until_enough(rounds, await started(temporal))
    third = rounds.texts[2].now - timedelta(minutes=2)
    assert [look.since for look in rounds.texts[:4]] == [None, None, None, third]


async def test_a_mailbox_that_is_away_is_looked_for_ever_more_rarely_and_found_again(
    temporal: WorkflowEnvironment, rounds: Rounds
) -> None:
    rounds.away, rounds.wanted = 6, 9
    await until_enough(rounds, await started(temporal))
    waited = gaps(rounds)[:8]
    wanted = [120, 240, 480, 900, 900, 900, 60, 60]
    # A round takes real time as well, on a busy machine several seconds.
    assert all(pause - 1 <= gap < pause + 40 for gap, pause in zip(waited, wanted, strict=True)), waited


async def test_a_storm_of_bounces_is_taken_in_without_a_pause(temporal: WorkflowEnvironment, rounds: Rounds) -> None:
    rounds.left, rounds.wanted = 4, 6
    await until_enough(rounds, await started(temporal))
    assert [gap < 15 for gap in gaps(rounds)[:5]] == [True, True, True, True, False]


async def test_its_history_stays_short_and_goes_on_in_a_new_run(
    temporal: WorkflowEnvironment, rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds.wanted = 13
    monkeypatch.setattr(returns_module, "_ROUNDS", 10)
    handle = await started(temporal)
    first = handle.first_execution_run_id
    async with asyncio.timeout(30):
        await rounds.enough.wait()
    now = temporal.client.get_workflow_handle(handle.id)
    described = await now.describe()
    assert described.run_id != first
    history = await temporal.client.get_workflow_handle(handle.id, run_id=first).fetch_history()
    await now.terminate("the test is over")
    assert history.events[-1].HasField("workflow_execution_continued_as_new_event_attributes")
    assert len(history.events) <= 10 * 14 + 50, "200 rounds stay below 3,000 events"
    assert all(look.since is not None for look in rounds.texts[1:]), "the new run goes on where the old one has seen"
    replayer = Replayer(workflows=[ReturnsWorkflow], plugins=[recall_plugin()], workflow_runner=workflow_runner())
    assert (await replayer.replay_workflow(history)).replay_failure is None


async def test_a_worker_starts_it_once_and_finds_it_running(temporal: WorkflowEnvironment, rounds: Rounds) -> None:
    settings = Settings.model_validate({"mailbox_seconds": 60})
    with real_time(temporal):
        await start_returns(temporal.client, settings)
        handle = temporal.client.get_workflow_handle("returned-mail")
        first = (await handle.describe()).run_id
        await start_returns(temporal.client, settings)
        assert (await handle.describe()).run_id == first
        rounds.wanted = len(rounds.looks) + 1
        rounds.enough.clear()
        await handle.signal(ReturnsWorkflow.look)
        async with asyncio.timeout(20):
            await rounds.enough.wait()
        details = await handle.describe()
        assert await details.static_summary() == "Mail that comes back, and messages never reported on"
        await handle.terminate("the test is over")


async def test_a_look_wished_for_in_the_middle_of_a_round_is_taken_right_after_it(
    temporal: WorkflowEnvironment, rounds: Rounds
) -> None:
    rounds.wanted = 2
    with real_time(temporal):
        handle = temporal.client.get_workflow_handle("returned-mail")
        rounds.asked = lambda: handle.signal(ReturnsWorkflow.look)
        await start_returns(temporal.client, Settings.model_validate({"mailbox_seconds": 60}))
        async with asyncio.timeout(20):
            await rounds.enough.wait()
        await handle.terminate("the test is over")


async def test_a_run_that_has_forgotten_such_a_wish_goes_on() -> None:
    replayer = Replayer(workflows=[ReturnsWorkflow], plugins=[recall_plugin()], workflow_runner=workflow_runner())
    await replayer.replay_workflow(WorkflowHistory.from_json("returned-mail", OLD.read_text()))


async def test_ended_by_whatever_it_is_started_again_by_a_worker_that_runs(
    temporal: WorkflowEnvironment, rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_returns, "_STILL_RUNS", timedelta(milliseconds=50))
    monkeypatch.setattr(worker_returns, "_TRY_AGAIN", timedelta(milliseconds=50))
    rounds.wanted = 1
    handle = temporal.client.get_workflow_handle("returned-mail")
    address = temporal.client.service_client.config.target_host
    away = await Client.connect(address, namespace="nobody-s", lazy=True, plugins=[recall_plugin()])
    with real_time(temporal):
        assert not await start_returns(away, Settings())
        async with asyncio.timeout(20), kept_returns(temporal.client, Settings()):
            await rounds.enough.wait()
            first = (await handle.describe()).run_id
            await handle.terminate("ended by hand")
            while (await handle.describe()).run_id == first:
                pass
        await handle.terminate("the test is over")
