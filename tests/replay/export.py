"""Makes the stored histories anew: `python -m tests.replay.export`, about a minute.

Runs small recalls on a stack of its own and writes the histories of their workflows to `histories/`. Renew them only
together with a version of the workflows that need no longer replay the old ones, that is: before a release, never to
make a failing replay pass. A change that must still replay goes behind `workflow.patched`.
"""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from temporalio.client import Client

from domain import workflow_ids
from tests.e2e.chain import group
from tests.e2e.closure import Closure
from tests.e2e.office import RecallCase, Recipient
from tests.e2e.running import World, running_world
from tests.support.stack import wait_for

HISTORIES = Path(__file__).parent / "histories"
_REMINDER_S = 5.0
_PROCESS = re.compile(r"\d+@[\w.-]+")
_CLINIC = {"name": "Riverside Clinic", "email": "stores@replay-clinic.example"}


def main() -> None:
    """Run the recalls and write the files."""
    with running_world([group("Replay", 4, 1, bouncing=1), group("Ending", 2, 0)]) as world:
        rejected = _rejected_when_overdue(world)
        full = _with_every_step_of_the_ladder(world)
        ended = _to_the_authoritys_last_word(world)
        wanted = {
            "recall-rejected-when-overdue": workflow_ids.recall_id(rejected.number),
            "recall-to-resolution": workflow_ids.recall_id(full.number),
            "campaign-with-ladder-and-cascade": workflow_ids.campaign_id(full.number, 1),
            "case-with-call": workflow_ids.case_id(full.number, str(_called(full))),
            "recall-reopened-and-terminated": workflow_ids.recall_id(ended.number),
            "capa-planned": workflow_ids.capa_id(ended.number, 1),
            "disposition-carried-over": workflow_ids.disposition_id(ended.number),
            "obligations-submitted": workflow_ids.obligations_id(ended.number),
        }
        histories = asyncio.run(_histories(world.stack.addresses()["temporal"], wanted))
    HISTORIES.mkdir(exist_ok=True)
    for name, text in histories.items():
        (HISTORIES / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"{name}: {len(text)} bytes")  # noqa: T201 - a command


def _rejected_when_overdue(world: World) -> RecallCase:
    """The evaluation comes after its due time; the approver decides that it is no recall."""
    case = world.case("Replay").start(reminder_after_s=_REMINDER_S)
    wait_for("the evaluation to be overdue", lambda: case.live()["overdue"], 60, 0.2)
    case.evaluate()
    reason = {"reason": "The complaint was about another product."}
    case.office.post("approver", f"{case.base}/assessment/reject", reason)
    case.wait_phase("rejected")
    return case


def _with_every_step_of_the_ladder(world: World) -> RecallCase:
    """One bounces, one answers at once and passes on, one by SMS, one after the escalation, one after the call."""
    case = world.case("Replay").start(reminder_after_s=_REMINDER_S)
    case.release(case.to_notice())
    bouncing, passing, escalated, called = case.group.by_mail
    _answer(world, case, passing.email or "", 1, passing.quantity, passed_on=3)
    _answer(world, case, bouncing.second_email or "", 1, bouncing.quantity)
    text = wait_for("the text message", lambda: world.sinks.texts(case.group), 60)[0]
    world.sinks.answer_text(text, "1")
    _answer(world, case, _CLINIC["email"], 1, 3)
    _answer(world, case, escalated.email or "", 3, escalated.quantity)
    tasks = f"{case.base}/tasks"
    wait_for("the call", lambda: [t for t in case.office.all(tasks) if t["key"].startswith("call:")], 60, 0.2)
    _answer(world, case, called.email or "", 1, called.quantity)
    case.wait_heard()
    return case


def _called(case: RecallCase) -> int:
    """The consignee that got as far as the call."""
    calls = [task["key"] for task in case.office.all(f"{case.base}/tasks") if task["key"].startswith("call:")]
    return int(calls[0].removeprefix("call:"))


def _to_the_authoritys_last_word(world: World) -> RecallCase:
    """Completed, sent back by the authority, completed again and terminated; its CAPA is planned."""
    closure = Closure(world, world.case("Ending").start(reminder_after_s=60))
    closure.to_resolution()
    closure.plan_capa()
    closure.carry_over()
    for answer, more in (("more_ordered", {"reason": "The final report lacks a table."}), ("terminated", {})):
        closure.wait_checklist()
        closure.sign()
        closure.submit_reports()
        closure.answer(answer, **more)
        closure.case.wait_phase("resolution" if answer == "more_ordered" else "terminated")
    return closure.case


def _answer(world: World, case: RecallCase, address: str, message: int, quantity: int, passed_on: int = 0) -> None:
    """The page behind the n-th mail to this address."""

    def mails() -> list[dict[str, Any]]:
        mine = [mail for mail in world.sinks.mails(case.group) if mail["to"] == address]
        return mine[message - 1 :]

    mail = wait_for(f"mail {message} to {address}", mails, 90, 0.1)[0]
    receiver = _CLINIC if passed_on else None
    Recipient(world.office.http, mail).state_quantities(quantity, passed_on, receiver)


async def _histories(address: str, wanted: dict[str, str]) -> dict[str, str]:
    client = await Client.connect(address)
    found = {}
    for name, workflow_id in wanted.items():
        history = await client.get_workflow_handle(workflow_id).fetch_history()
        found[name] = _one_event_per_line(_without_machines(json.loads(history.to_json())))
    return found


def _one_event_per_line(history: dict[str, Any]) -> str:
    lines = ",\n".join(json.dumps(event, separators=(",", ":")) for event in history["events"])
    return f'{{"events": [\n{lines}\n]}}\n'


def _without_machines(value: Any) -> Any:
    """The history without the names of the processes and hosts that wrote it; replay does not look at them."""
    if isinstance(value, dict):
        return {k: "replay" if k in {"identity", "workerId"} else _without_machines(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_machines(each) for each in value]
    # The name of a sticky task queue begins with pid@host.
    return _PROCESS.sub("replay", value) if isinstance(value, str) else value


if __name__ == "__main__":
    main()
