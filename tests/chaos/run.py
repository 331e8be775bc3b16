"""One campaign under random failures: parts killed with -9, connections cut, acceptances lost, answers coming in.

What is counted in the end is read from outside: the books of the providers, the answers that got a 2xx, and the
record by the API. A lost notice, a lost answer or a missed deadline fails the run; repeated mails are listed by the
kill before them and bounded by the group in which outcomes are committed (design §6).
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import psycopg

from domain.task_times import Stage
from tests.chaos.providers import Providers
from tests.e2e.facts import (
    GROUP_OF_RECORDS,
    Figures,
    check_audit,
    check_ledger,
    check_nobody_chased_after_the_answer,
    check_replies,
    delivery_of,
)
from tests.e2e.killing import Killed, mailed, wait_for_first_notices, wait_for_reminders
from tests.e2e.office import RecallCase, Recipient
from tests.e2e.running import World
from tests.support.stack import wait_for

_VICTIMS = {"worker-1": 4, "api": 2, "temporal": 2, "postgres": 2}
"""Parts and how often each is the one that dies."""
_ANSWERERS = 4
_POLL_S = 0.5
_CUT_SHARE = 0.4
_A_FLOW = 5
"""Mails that come in after a failure."""
_SETTLED_S = 4.0
_PATIENCE_S = 900.0
"""How long a recipient tries again while the page is away."""


@dataclass(frozen=True)
class Plan:
    """What a run does."""

    brand: str
    kills: int
    seed: int
    reminder_after_s: float
    """Real seconds that stand for the policy's 24 hours until the reminder."""
    answering: float = 0.3
    """Share of consignees that answer the first notice."""
    among_reminders: float = 0.0
    """Share of the kills that wait until reminders go out; the others begin with the first mail."""
    gap_s: tuple[float, float] = (0.5, 4.0)
    flowing_within_s: float = 0.0
    """How long the next failure waits for mails to flow again: one that hits what is down already proves little."""
    within_s: float = 900.0
    """How long after the last failure everything has to be done."""


@dataclass(frozen=True)
class Failure:
    """One failure that was made."""

    at: datetime
    what: str
    mails_before: int


@dataclass
class Outcome:
    """What a run found."""

    plan: Plan
    case: RecallCase
    failures: list[Failure] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    figures: Figures | None = None
    repeated_after: Counter[int] = field(default_factory=Counter)
    """Index of the failure before it -> repeated mails."""
    lost_acceptances: int = 0
    cut_connections: int = 0
    latest_reminder: timedelta = timedelta()
    """How long after its due time the latest reminder was written."""
    overdue_marked: int = 0
    deadlines_due: int = 0
    seconds: float = 0.0


def run(world: World, providers: Providers, plan: Plan) -> Outcome:
    """Play it to its end.

    Raises:
        AssertionError: something was lost, missed, or repeated without a failure that explains it.
    """
    case = world.case(plan.brand)
    case.start(reminder_after_s=plan.reminder_after_s)
    notice, begun = case.to_notice(), time.monotonic()
    outcome = Outcome(plan, case)
    over = threading.Event()
    with ThreadPoolExecutor(_ANSWERERS + 2) as pool:
        released = pool.submit(case.release, notice)
        answering = pool.submit(_answer_until, over, world, case, plan, pool)
        try:
            wait_for("the first mails", lambda: len(world.sinks.mails(case.group)) > 0, 120, 0.05)
            _fail(world, providers, outcome, plan.kills - round(plan.kills * plan.among_reminders))
            released.result(120)
            wait_for_first_notices(world, case, plan.within_s)
        finally:
            over.set()
        outcome.answered = answering.result(_PATIENCE_S)
    silence = Killed(world, case, 0, answered=outcome.answered)
    if plan.among_reminders:
        wait = 2 * plan.reminder_after_s + plan.within_s
        wait_for("the first reminder", lambda: len(mailed(world, case, 2)) > 0, wait, _POLL_S)
        _fail(world, providers, outcome, plan.kills)
    wait_for_reminders(silence, plan.reminder_after_s + plan.within_s)
    _check(world, providers, outcome)
    outcome.seconds = time.monotonic() - begun
    return outcome


# ---------------------------------------------------------------------- failures


def _fail(world: World, providers: Providers, outcome: Outcome, kills: int) -> None:
    """Kill and cut until so many kills are counted in all."""
    plan = outcome.plan
    chance = random.Random(plan.seed + len(outcome.failures))  # noqa: S311 - a seed makes a run repeatable
    while sum(failure.what.startswith("kill") for failure in outcome.failures) < kills:
        _wait_for_a_flow(world, outcome)
        time.sleep(chance.uniform(*plan.gap_s))
        alive = wait_for("a part that runs", lambda: _alive(world), 120, 0.1)
        part = chance.choices(list(alive), [_VICTIMS[each] for each in alive])[0]
        arrived = len(world.sinks.mails(outcome.case.group))
        alive[part].kill()
        outcome.failures.append(Failure(datetime.now(UTC), f"kill -9 {part}", arrived))
        if chance.random() < _CUT_SHARE:
            time.sleep(chance.uniform(0.1, 1.0))
            _cut(world, providers, outcome, database=chance.random() < 0.5)


def _wait_for_a_flow(world: World, outcome: Outcome) -> None:
    """Until mails arrive again; not where nothing is due, nor for ever."""
    seen = len(world.sinks.mails(outcome.case.group))
    if not outcome.failures or seen == len(outcome.case.group.by_mail):
        return
    enough = max(seen, outcome.failures[-1].mails_before) + _A_FLOW
    given_up = time.monotonic() + outcome.plan.flowing_within_s
    while time.monotonic() < given_up and len(world.sinks.mails(outcome.case.group)) < enough:
        time.sleep(0.1)


def _alive(world: World) -> dict[str, psutil.Process]:
    """Parts that run again long enough to have begun to work; whatever is just starting is left alone."""
    found = {part: world.stack.record(part) for part in _VICTIMS}
    processes = {part: psutil.Process(record.pid) for part, record in found.items() if record is not None}
    return {part: each for part, each in processes.items() if time.time() - each.create_time() > _SETTLED_S}


def _cut(world: World, providers: Providers, outcome: Outcome, *, database: bool) -> None:
    what = "connections to the database" if database else "connections to the providers"
    arrived = len(world.sinks.mails(outcome.case.group))
    if not database:
        providers.cut_all()
    elif not _cut_database(world):
        return
    outcome.failures.append(Failure(datetime.now(UTC), f"cut {what}", arrived))


def _cut_database(world: World) -> bool:
    """End every session of API and worker at once; False while the server itself is away."""
    url = world.stack.environment()["DATABASE_URL"]
    try:
        with psycopg.connect(url, connect_timeout=2) as session:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND usename = current_user AND datname = current_database()"
            )
    except psycopg.OperationalError:
        return False
    return True


# ---------------------------------------------------------------------- answers


def _answer_until(
    over: threading.Event, world: World, case: RecallCase, plan: Plan, pool: ThreadPoolExecutor
) -> set[str]:
    """People answer as their messages come in, whatever is down; returns whose answer was accepted."""
    chance = random.Random(plan.seed + 1)  # noqa: S311
    willing = {each.code for each in case.group.consignees if chance.random() < plan.answering}
    begun: dict[str, Any] = {}
    while True:
        last = over.is_set()
        for message in (*world.sinks.mails(case.group), *world.sinks.texts(case.group)):
            code = case.group.of(message["to"]).code
            if code in willing and code not in begun:
                begun[code] = pool.submit(_answer, world, message)
        if last:
            break
        over.wait(_POLL_S)
    for each in begun.values():
        each.result(_PATIENCE_S)
    return set(begun)


def _answer(world: World, message: dict[str, Any]) -> None:
    if "sid" in message:
        world.sinks.answer_text(message, "1", _PATIENCE_S)
    else:
        Recipient(world.office.http, message, _PATIENCE_S).acknowledge()


# ---------------------------------------------------------------------- checks


def _check(world: World, providers: Providers, outcome: Outcome) -> None:
    case = outcome.case
    outcome.figures = check_ledger(world, case)
    check_replies(case, outcome.answered)
    check_nobody_chased_after_the_answer(case)
    check_audit(case)
    outcome.lost_acceptances = providers.smtp.faults.lost + providers.sms.faults.lost
    outcome.cut_connections = providers.smtp.faults.cut + providers.sms.faults.cut
    _attribute_repeats(world, outcome)
    _check_reminders(outcome)
    _check_deadlines(outcome)


def _attribute_repeats(world: World, outcome: Outcome) -> None:
    """Each repeated mail belongs to the last failure before its first copy was repeated; lost acceptances aside."""
    seen: set[str] = set()
    for position, mail in enumerate(world.sinks.mails(outcome.case.group)):
        delivery = delivery_of(mail)
        if delivery in seen:
            outcome.repeated_after[_failure_before(outcome.failures, position)] += 1
        seen.add(delivery)
    kills = sum(failure.what.startswith("kill") for failure in outcome.failures)
    repeated = sum(outcome.repeated_after.values())
    bound = kills * GROUP_OF_RECORDS + outcome.lost_acceptances + outcome.cut_connections
    assert repeated <= bound, f"{repeated} mails were repeated, the bound is {bound}"


def _failure_before(failures: Sequence[Failure], position: int) -> int:
    return max((index for index, each in enumerate(failures) if each.mails_before <= position), default=-1)


def _check_reminders(outcome: Outcome) -> None:
    """Every reminder was written; how late the latest one was after its time."""
    sent = {
        each["consignee_id"]: datetime.fromisoformat(each["submitted_at"])
        for each in outcome.case.deliveries()
        if each["step"] == 0 and each["submitted_at"]
    }
    wait = timedelta(seconds=outcome.plan.reminder_after_s)
    late = [
        datetime.fromisoformat(each["created_at"]) - sent[each["consignee_id"]] - wait
        for each in outcome.case.deliveries()
        if each["step"] == 1 and each["consignee_id"] in sent
    ]
    assert late, "no reminder was due in this run, so nothing is proven about deadlines"
    outcome.latest_reminder = max(late)


def _check_deadlines(outcome: Outcome) -> None:
    """Every person's task that is late was reminded of and handed over: its timers fired, whatever was killed."""

    def missed() -> list[dict[str, Any]]:
        now = datetime.now(UTC) - timedelta(seconds=15)
        tasks = outcome.case.office.all(f"{outcome.case.base}/tasks")
        late = [each for each in tasks if each["due"] and datetime.fromisoformat(each["due"]["at"]) < now]
        still = [each for each in late if each["done_at"] is None]
        outcome.deadlines_due, outcome.overdue_marked = len(late), len(still)
        return [each for each in still if each["stage"] < Stage.HANDED_OVER]

    wait_for("every passed deadline to be acted on", lambda: not missed(), 120, _POLL_S)
