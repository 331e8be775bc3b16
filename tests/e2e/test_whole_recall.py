"""A whole recall over HTTP on real servers, from the alarm until everybody has acknowledged."""

import json
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import httpx
import pytest
from temporalio.api.enums.v1 import EventType

from tests.e2e.facts import (
    check_audit,
    check_ledger,
    check_nobody_chased_after_the_answer,
    check_replies,
    first_notices,
)
from tests.e2e.office import RecallCase, Recipient
from tests.e2e.running import World
from tests.e2e.temporal import Seen, see_campaign, see_recall, with_client
from tests.support.stack import recall, wait_for

pytestmark = pytest.mark.e2e
REMINDER_S = 12.0
_SILENT = 6
_A_LOOK, _A_NUDGE = 17, 6
"""Events of one look of a campaign (what is due, a report to the recall, the timer up to the next look) and of what
tells it to look (the signal, its task, the timer that collects more of them). A campaign has 250 for both; at this
pace, two hours in a second, a slow machine makes more of them than a policy has rounds."""


class Audience:
    """The consignees' people: they read what arrives and answer; the last few only after a reminder."""

    def __init__(self, world: World, case: RecallCase) -> None:
        self._world, self._case = world, case
        self._silent = {each.code for each in case.group.by_mail[-_SILENT:]}
        self._last_mail = 0
        self.answered: set[str] = set()
        self.missed: set[str] = set()
        """Who let the first notice pass."""

    def look(self) -> bool:
        """Read and answer what is new; True when everybody has answered."""
        group = self._case.group
        for mail in self._world.sinks.mails(group, self._last_mail):
            self._last_mail = mail["id"]
            who = group.of(mail["to"])
            if who.code in self._silent - self.missed:
                self.missed.add(who.code)
            elif who.code not in self.answered:
                Recipient(self._world.office.http, mail).state_quantities(who.quantity)
                self.answered.add(who.code)
        if not {each.code for each in group.by_sms} <= self.answered:
            self._answer_texts()
        return len(self.answered) == len(group.consignees)

    def _answer_texts(self) -> None:
        for text in self._world.sinks.texts(self._case.group):
            code = self._case.group.of(text["to"]).code
            if code not in self.answered:
                assert self._world.sinks.answer_text(text, "1")["answers"], "the phone got no confirmation"
                self.answered.add(code)


@pytest.fixture(scope="module")
def done(world: World) -> RecallCase:
    """The recall, brought to the end of its campaign by people who read mails and text messages."""
    case = world.case("Whole").start(reminder_after_s=REMINDER_S)
    case.release(case.to_notice())
    audience = Audience(world, case)
    wait_for("everybody to answer", audience.look, 120, 0.2)
    assert len(audience.missed) == _SILENT
    case.wait_heard()
    check_replies(case, audience.answered)
    return case


def test_every_consignee_got_exactly_the_notices_on_record(world: World, done: RecallCase) -> None:
    figures = check_ledger(world, done)
    assert first_notices(world, done) == {each.code for each in done.group.consignees}
    assert figures.repeated_mails == 0
    assert figures.ambiguous == 0


def test_only_the_silent_were_reminded_and_bounces_reached_the_second_contact(world: World, done: RecallCase) -> None:
    group, mails = done.group, world.sinks.mails(done.group)
    reminded = {group.of(mail["to"]).code for mail in mails if delivery_step(done, mail) > 0}
    assert {each.code for each in group.by_mail[-_SILENT:]} <= reminded
    check_nobody_chased_after_the_answer(done)
    for each in group.consignees[:3]:
        # Where answering takes the machine longer than the policy's time, a reminder follows by the same address.
        assert {mail["to"] for mail in mails if group.of(mail["to"]) == each} == {each.second_email}
    chinese = {each.email for each in group.consignees if each.language == "zh-CN"}
    assert all("召回" in mail["subject"] for mail in mails if mail["to"] in chinese)
    assert chinese <= {mail["to"] for mail in mails}


def delivery_step(case: RecallCase, mail: dict[str, str]) -> int:
    """The ladder step a caught mail belongs to."""
    return next(int(each["step"]) for each in case.deliveries() if each["id"] in mail["message_id"])


def test_stock_was_held_before_the_first_notice_and_the_quantities_add_up(done: RecallCase) -> None:
    holds = done.office.all(f"{done.base}/holds")
    assert sum(float(hold["quantity"]) for hold in holds) == 40
    first = min(each["submitted_at"] for each in done.deliveries() if each["submitted_at"])
    assert max(hold["requested_at"] for hold in holds) < first
    shipped = {each["partner_code"]: float(each["lots"][0]["shipped"]) for each in done.consignees()}
    assert shipped == {each.code: each.quantity for each in done.group.consignees}
    stated = {line["held"] for reply in done.office.all(f"{done.base}/replies") for line in reply["lines"]}
    assert {float(held) for held in stated} == {float(each.quantity) for each in done.group.by_mail}


def test_the_audit_chain_holds(done: RecallCase) -> None:
    check_audit(done)


def test_histories_stay_within_their_budget(world: World, done: RecallCase) -> None:
    campaign, recall = see_campaign(world, done), see_recall(world, done)
    batches, looks = (campaign.activities(name) for name in ("send_batch", "advance_campaign"))
    nudges = campaign.signals("nudge")
    assert nudges < len(done.group.consignees), "every answer has the campaign look again"
    assert len(campaign.events) <= 5 * batches + max(250, _A_LOOK * looks + _A_NUDGE * nudges)
    assert len(recall.events) <= 600
    assert max(len(event.SerializeToString()) for event in campaign.events + recall.events) < 32 * 1024


def test_the_web_ui_shows_attributes_details_and_named_timers(world: World, done: RecallCase) -> None:
    # The last answer is on record at once; its campaign and the recall show it with their next look.
    recall = wait_for("the recall to show that all have answered", lambda: _with_all_answers(world, done), 60, 0.2)
    campaign = wait_for("its campaign to show it", lambda: _campaign_with_all_answers(world, done), 60, 0.2)
    shown = _attributes(recall)
    assert shown["RecallNumber"] == done.number
    assert (shown["RecallPhase"], shown["RecallClass"], shown["RecallOwner"]) == ("notification", "I", "Quinn")
    assert shown["Drill"] is False
    assert f"### {done.number}" in recall.current_details
    # Which steps a campaign sleeps for and which are due at once depends on the machine (its names are tested with a
    # clock of their own); a recall always has timers for its people.
    timers = [each for run in (recall, campaign) for each in run.summaries(EventType.EVENT_TYPE_TIMER_STARTED)]
    assert any("Remind: " in name for name in timers), timers
    activities = recall.summaries(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
    assert all(0 < len(name.encode()) <= 202 for name in activities + timers)

    def overdue_now() -> object:
        pairs = see_recall(world, done).description.typed_search_attributes
        return next(pair.value for pair in pairs if pair.key.name == "Overdue")

    def listed_now() -> list[str]:
        late = str(overdue_now()).lower()  # at this pace a person's task may be late by now: both must say the same
        return with_client(world, partial(listed, late=late))

    async def listed(client: object, late: str) -> list[str]:
        query = f'RecallNumber = "{done.number}" AND RecallPhase = "notification" AND Overdue = {late}'
        return [each.id async for each in client.list_workflows(query)]  # type: ignore[attr-defined]

    assert wait_for("the visibility list", listed_now) == [f"recall:{done.number}"]
    page = httpx.get(world.stack.addresses()["temporal_ui"], trust_env=False, follow_redirects=True, timeout=30)
    assert page.status_code == 200


def _attributes(seen: Seen) -> dict[str, object]:
    return {pair.key.name: pair.value for pair in seen.description.typed_search_attributes}


def _with_all_answers(world: World, case: RecallCase) -> Seen | None:
    recall = see_recall(world, case)
    shown = _attributes(recall)
    answered = (shown["Outstanding"], shown["ResponsePercent"]) == (0, 100)
    return recall if answered and "60 of 60" in recall.current_details else None


def _campaign_with_all_answers(world: World, case: RecallCase) -> Seen | None:
    campaign = see_campaign(world, case)
    return campaign if "| Answered | 60" in campaign.current_details else None


def test_no_personal_data_is_in_the_workflows_or_the_logs(world: World, done: RecallCase) -> None:
    histories = b"".join(
        event.SerializeToString()
        for seen in (see_recall(world, done), see_campaign(world, done))
        for event in seen.events
    )
    logs = world.log("worker-1") + world.log("api")
    for each in done.group.consignees:
        address = each.first_address
        assert address.encode() not in histories
        assert address not in logs, f"{address} is in a log"


def test_the_dossier_of_the_running_recall_verifies(world: World, done: RecallCase, tmp_path: Path) -> None:
    """Written by the command from real records and histories, checked by the verifier it ships, outside the product."""
    target, state = tmp_path / "dossier.zip", {"RECALL_STATE_DIR": str(world.stack.state_dir)}
    written = recall("dossier", done.number, "--out", str(target), env=state)
    assert written.returncode == 0, written.stdout + written.stderr
    sha256 = written.stdout.split()[-1]
    with zipfile.ZipFile(target) as file:
        file.extract("verify.py", tmp_path)
        runs = json.loads(file.read("temporal/index.json"))
        assert len(json.loads(file.read("record/consignee.json"))) == len(done.group.consignees)
    assert {f"recall:{done.number}", f"recall:{done.number}:campaign:1"} <= {run["workflow_id"] for run in runs}
    checked = subprocess.run(
        [sys.executable, "-I", "-S", str(tmp_path / "verify.py"), str(target), "--sha256", sha256],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    check_audit(done)
