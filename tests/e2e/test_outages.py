"""Decisions while no worker runs, and a launcher that is stopped or killed in the middle of a campaign."""

import json
import secrets
import time

import httpx
import psutil
import pytest

from tests.e2e.facts import check_audit, check_ledger, first_notices
from tests.e2e.killing import (
    Killed,
    answer_meanwhile,
    check,
    frozen,
    kill,
    port_taken,
    release_and_wait,
    wait_for_first_notices,
    wait_for_reminders,
    wait_until_back,
)
from tests.e2e.running import World
from tests.support.stack import recall, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
_HTTP_TIMEOUT_S = 30.0


def test_a_decision_sent_while_no_worker_runs_counts_once_when_its_repeat_is_answered(world: World) -> None:
    case = world.case("Absent").start()
    proposal = case.evaluate()
    world.office.sign_in("approver")
    path, body, key = f"{case.base}/assessment/approve", {"proposal_id": proposal}, secrets.token_hex(8)
    with frozen(world.process("worker-1")):
        before = time.monotonic()
        unanswered = world.office.request("approver", "POST", path, key=key, json=body)
        took = time.monotonic() - before
        assert world.office.get(case.base)["phase"] == "assessment", "records are served without a worker"
    assert unanswered.status_code in {202, 503}, unanswered.text
    assert took < _HTTP_TIMEOUT_S
    if unanswered.status_code == 503:
        assert "same Idempotency-Key" in unanswered.json()["detail"]
        assert int(unanswered.headers["Retry-After"]) > 0
    answer = world.office.post("approver", path, body, key=key)
    assert answer["state"] == "done"
    case.wait_phase("strategy")
    again = world.office.request("approver", "POST", path, key=key, json=body)
    assert (again.status_code, again.json()) == (200, answer)
    assert again.headers["Idempotency-Replayed"] == "true"
    signed = [each for each in world.office.get(f"{case.base}/sign-offs") if each["step"].startswith("assessment")]
    decided = [e["action"] for e in world.office.all(f"{case.base}/audit", "auditor") if "approved" in e["action"]]
    assert len(signed) == 1, signed
    assert len(decided) == 1, decided
    check_audit(case)


def test_an_api_started_while_database_and_temporal_are_down_says_so_once_and_recovers_by_itself(world: World) -> None:
    logged, parts = len(world.log("api")), ("postgres", "temporal", "api")
    old = kill(world, parts)
    with port_taken(world.stack.port_base), port_taken(world.stack.port_base + 1):
        seen = wait_for("the API to say what is missing", lambda: _readiness(world, 503), 60, 0.2)
        assert seen["database"] == "not reachable (OperationalError)"
        assert seen["temporal"] == "does not answer"
        unserved = world.office.request("qa", "GET", "/v1/recalls")
        assert unserved.status_code == 503, unserved.text
        assert unserved.headers["Content-Type"] == "application/problem+json"
        wait_for("a line on each in the log", lambda: len(_changes(world, logged, "down")) >= 3, 30, 0.2)
    wait_until_back(world, old, parts)
    assert wait_for("the API to be ready", lambda: _readiness(world, 200), 90, 0.2)["database"] == "ok"
    wait_for("a line on each in the log", lambda: len(_changes(world, logged, "up")) >= 3, 30, 0.2)
    down = _changes(world, logged, "down")
    assert sorted(down) == ["database", "migrations", "temporal"], "each is told once"
    status = ("status", "--state-dir", str(world.stack.state_dir))
    wait_for("the worker to be ready again too", lambda: recall(*status).returncode == 0, 90, 0.5)


def _readiness(world: World, status: int) -> dict[str, str] | None:
    try:
        answer = world.office.http.get("/readyz")
    except httpx.TransportError:
        return None
    return answer.json() if answer.status_code == status else None


def _changes(world: World, after: int, state: str) -> list[str]:
    """Dependencies that the API's log says went down or came up."""
    lines = [line[line.index("{") :] for line in world.log("api")[after:].splitlines() if '"dependency"' in line]
    return [each["name"] for each in map(json.loads, lines) if each["state"] == state]


def test_after_an_orderly_stop_in_mid_campaign_the_next_start_goes_on_without_a_repeated_mail(world: World) -> None:
    case = world.case("RelaunchDown")
    killed = Killed(world, case, release_and_wait(world, case, reminder_after_s=12))
    stopped = recall("down", "--state-dir", str(world.stack.state_dir))
    assert stopped.returncode == 0, stopped.stderr
    assert world.stack.processes() == []
    assert world.stack.process is not None
    assert world.stack.process.wait(30) == 0
    world.stack.start()
    wait_for_first_notices(world, case, 90)
    killed.answered = answer_meanwhile(world, case)
    check(killed)
    assert killed.figures is not None
    assert (killed.figures.repeated_mails, killed.figures.ambiguous) == (0, 0)


def test_a_launcher_killed_in_mid_campaign_is_followed_by_one_that_goes_on(world: World) -> None:
    case = world.case("RelaunchKill")
    killed = Killed(world, case, release_and_wait(world, case, reminder_after_s=12))
    old = {process.pid for process in world.stack.processes()}
    world.stack.kill()
    world.stack.start()
    assert not old & {process.pid for process in world.stack.processes()}
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in old)
    wait_for_first_notices(world, case, 90)
    assert first_notices(world, case) == {each.code for each in case.group.consignees}
    killed.answered = answer_meanwhile(world, case)
    check(killed)
    wait_for_reminders(killed, 90)
    assert check_ledger(world, case).repeated_mails == 0
