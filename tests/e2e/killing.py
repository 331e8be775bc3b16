"""Killing parts of a running stack in the middle of a campaign, and answering while they are away."""

import contextlib
import signal
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psutil

from tests.e2e.chain import Consignee, group
from tests.e2e.facts import Figures, check_audit, check_ledger, check_nobody_chased_after_the_answer, check_replies
from tests.e2e.office import RecallCase, Recipient
from tests.e2e.running import World, running_world
from tests.support.stack import wait_for

KILLED_PARTS = ("api", "temporal", "postgres", "mail")
_ENOUGH = 30
"""Mails after which a campaign counts as under way."""
_ANSWERING = 12
_POLL_S = 0.05


@dataclass
class Killed:
    """A campaign that lost a part, and what was seen of it."""

    world: World
    case: RecallCase
    arrived_before: int
    """Mails at the catcher when the part was killed."""
    answered: set[str] = field(default_factory=set)
    back_after_s: float = 0.0
    complete_after_s: float = 0.0
    """Until the last first notice had arrived."""
    figures: Figures | None = None

    def __str__(self) -> str:
        return (
            f"killed after {self.arrived_before} mails, back after {self.back_after_s:.1f} s, every first notice there"
            f" after {self.complete_after_s:.1f} s, {len(self.answered)} answers; {self.figures}"
        )


def mailed(world: World, case: RecallCase, times: int = 1) -> set[str]:
    """Codes of the consignees that got at least so many different mails; repeats of a mail do not count."""
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for mail in world.sinks.mails(case.group):
        ids[mail["to"]].add(mail["message_id"])
    return {case.group.of(to).code for to, each in ids.items() if len(each) >= times}


def release_and_wait(world: World, case: RecallCase, *, reminder_after_s: float) -> int:
    """Start the recall and its campaign; returns as soon as some mails, but not all, have arrived."""
    case.start(reminder_after_s=reminder_after_s)
    notice = case.to_notice()
    with ThreadPoolExecutor(1) as pool:
        released = pool.submit(case.release, notice)
        wait_for("the first mails", lambda: len(mailed(world, case)) >= _ENOUGH, 60)
        released.result()
    return len(mailed(world, case))


def kill(world: World, parts: Sequence[str]) -> list[psutil.Process]:
    """kill -9 of the parts, all at the same moment."""
    processes = [world.process(part) for part in parts]
    for process in processes:
        process.kill()
    return processes


def answer_meanwhile(world: World, case: RecallCase) -> set[str]:
    """Some recipients answer whatever is down; each tries until the product has the answer. Returns their codes."""
    mails = world.sinks.mails(case.group)[:_ANSWERING]
    texts = world.sinks.texts(case.group)[:_ANSWERING]
    with ThreadPoolExecutor(4) as pool:
        acknowledged = [pool.submit(Recipient(world.office.http, mail).acknowledge) for mail in mails]
        replied = [pool.submit(world.sinks.answer_text, text, "1") for text in texts]
        for each in (*acknowledged, *replied):
            each.result()
    return {case.group.of(message["to"]).code for message in (*mails, *texts)}


def wait_until_back(world: World, old: Sequence[psutil.Process], parts: Sequence[str]) -> None:
    """Every killed part runs again as another process."""
    gone = {process.pid for process in old}

    def all_new() -> bool:
        records = [world.stack.record(part) for part in parts]
        return all(record is not None and record.pid not in gone for record in records)

    wait_for(f"{', '.join(parts)} to run again", all_new, 120, _POLL_S)


def wait_for_first_notices(world: World, case: RecallCase, within_s: float) -> None:
    """Every consignee has its first notice, seen at the sinks."""
    mails = {each.code for each in case.group.by_mail}
    texts = {each.phone for each in case.group.by_sms}

    def complete() -> bool:
        return mails <= mailed(world, case) and texts <= {text["to"] for text in world.sinks.texts(case.group)}

    try:
        wait_for("every first notice", complete, within_s, 0.25)
    except AssertionError as error:
        missing = sorted(mails - mailed(world, case))
        raise AssertionError(f"{error}; without a mail: {missing}; campaign: {case.live()}") from error


def wait_for_reminders(killed: Killed, within_s: float) -> None:
    """Every silent consignee has been reminded, seen at the sinks; nobody who had answered."""
    case, world = killed.case, killed.world
    silent = [each for each in case.group.consignees if each.code not in killed.answered]

    def reminded() -> bool:
        texts = [text["to"] for text in world.sinks.texts(case.group)]
        by_mail = mailed(world, case, 2)
        return all(_reminded(each, by_mail, texts) for each in silent)

    wait_for("a reminder to every silent consignee", reminded, within_s, 0.25)
    check_nobody_chased_after_the_answer(case)


def _reminded(consignee: Consignee, by_mail: set[str], texts: list[str]) -> bool:
    return consignee.code in by_mail if consignee.email else texts.count(consignee.phone or "") >= 2


def run_killed(world: World, brand: str, parts: Sequence[str], *, reminder_after_s: float, within_s: float) -> Killed:
    """A campaign that loses `parts` in its middle, up to the last first notice and the last answer."""
    case = world.case(brand)
    arrived = release_and_wait(world, case, reminder_after_s=reminder_after_s)
    moment = time.monotonic()
    old = kill(world, parts)
    killed = Killed(world, case, arrived)
    with ThreadPoolExecutor(1) as pool:
        answers = pool.submit(answer_meanwhile, world, case)
        wait_until_back(world, old, parts)
        killed.back_after_s = time.monotonic() - moment
        wait_for_first_notices(world, case, within_s)
        killed.complete_after_s = time.monotonic() - moment
        killed.answered = answers.result()
    return killed


def check(killed: Killed) -> None:
    """What must be true of such a campaign in the end."""
    case = killed.case
    assert killed.arrived_before < len(case.group.by_mail), "the campaign was over before the kill"
    killed.figures = check_ledger(killed.world, case)
    check_replies(case, killed.answered)
    check_audit(case)


# ---------------------------------------------------------------------- workers

REMINDER_S = 10.0
_LEASES_S = 180.0


def worker_scenarios(consignees: int) -> dict[str, Callable[[], Killed]]:
    """Scenarios that lose a worker, by name; each has a stack of its own and is over when its run returns."""
    return {
        "worker": lambda: _lose_worker(consignees),
        "worker and temporal": lambda: _lose_worker_during_outage(consignees),
    }


def _lose_worker(consignees: int) -> Killed:
    with running_world([group("KillWorker", consignees, 20)]) as world:
        killed = run_killed(world, "KillWorker", ["worker-1"], reminder_after_s=REMINDER_S, within_s=_LEASES_S)
        return _finished(killed)


def _lose_worker_during_outage(consignees: int) -> Killed:
    with running_world([group("KillBoth", consignees, 20)]) as world:
        case = world.case("KillBoth")
        arrived = release_and_wait(world, case, reminder_after_s=REMINDER_S)
        log_before, moment = len(world.log("worker-1")), time.monotonic()
        old = kill(world, ["temporal", "worker-1"])
        killed = Killed(world, case, arrived)
        with ThreadPoolExecutor(1) as pool:
            answers = pool.submit(answer_meanwhile, world, case)
            with port_taken(world.stack.port_base + 1):
                # Temporal cannot come back while somebody sits on its port; the worker is back and waits for it.
                waiting = "does not answer"
                wait_for("the worker to wait", lambda: waiting in world.log("worker-1")[log_before:], 60, _POLL_S)
            wait_until_back(world, old, ["temporal", "worker-1"])
            killed.back_after_s = time.monotonic() - moment
            wait_for_first_notices(world, case, _LEASES_S)
            killed.complete_after_s = time.monotonic() - moment
            killed.answered = answers.result()
        return _finished(killed)


def _finished(killed: Killed) -> Killed:
    wait_for_reminders(killed, _LEASES_S)
    check(killed)
    return killed


@contextlib.contextmanager
def port_taken(port: int) -> Iterator[None]:
    """Sit on a port that its owner has just lost, and hang up on every caller."""
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wait_for(f"port {port} to be free", lambda: _bound(squatter, port), 10)
        squatter.listen()
        hanging_up = threading.Thread(target=_hang_up, args=(squatter,), daemon=True)
        hanging_up.start()
        try:
            yield
        finally:
            squatter.shutdown(socket.SHUT_RDWR)
            hanging_up.join()


def _hang_up(squatter: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            squatter.accept()[0].close()


def _bound(squatter: socket.socket, port: int) -> bool:
    try:
        squatter.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


@contextlib.contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    """Stop a process as SIGSTOP does: it is there, and does nothing."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)
