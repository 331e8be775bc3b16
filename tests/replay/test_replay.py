"""Running recalls survive an update of the code: stored histories replay on today's workflows (see `export.py`)."""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from plugin import recall_plugin, workflow_runner
from worker import WORKFLOWS

pytestmark = pytest.mark.workflow
HISTORIES = Path(__file__).parent / "histories"
STORED = {
    "recall-to-resolution": {"approve_assessment", "approve_strategy", "pass_gate", "approve_notice"},
    "recall-rejected-when-overdue": {"record_evaluation", "reject"},
    "recall-reopened-and-terminated": {"complete", "record_authority_answer"},
    "campaign-with-ladder-and-cascade": set[str](),
    "case-with-call": set[str](),
    "capa-planned": {"record_investigation", "record_cause", "plan", "approve_plan"},
    "disposition-carried-over": set[str](),
    "obligations-submitted": set[str](),
}
"""Name -> updates that its history must hold; taking one out needs a reason in the commit."""
_LIMIT = 400 * 1024
_PERSON_OR_HOST = re.compile(r"\w@[A-Za-z]|\+[1-9]\d{7,}|/home/|/root/|/tmp/")


def _read(name: str) -> str:
    return (HISTORIES / f"{name}.json").read_text(encoding="utf-8")


def _replayer() -> Replayer:
    return Replayer(workflows=list(WORKFLOWS), plugins=[recall_plugin()], workflow_runner=workflow_runner())


def test_exactly_the_listed_histories_are_stored_and_small() -> None:
    assert {path.stem for path in HISTORIES.glob("*.json")} == set(STORED)
    assert all(path.stat().st_size < _LIMIT for path in HISTORIES.glob("*.json"))


@pytest.mark.parametrize("name", STORED)
async def test_a_stored_history_replays_on_todays_workflows(name: str) -> None:
    history = WorkflowHistory.from_json(name, _read(name))
    result = await _replayer().replay_workflow(history)
    assert result.replay_failure is None


@pytest.mark.parametrize("name", STORED)
def test_a_stored_history_holds_the_path_it_is_kept_for(name: str) -> None:
    events = json.loads(_read(name))["events"]
    updates = {
        event["workflowExecutionUpdateAcceptedEventAttributes"]["acceptedRequest"]["input"]["name"]
        for event in events
        if "workflowExecutionUpdateAcceptedEventAttributes" in event
    }
    assert STORED[name] <= updates


@pytest.mark.parametrize("name", STORED)
def test_a_stored_history_names_no_host_and_no_person(name: str) -> None:
    for text in _texts(json.loads(_read(name))):
        assert not _PERSON_OR_HOST.search(text), text[:500]


def _texts(value: Any) -> Iterator[str]:
    """Every text of a history, payloads decoded."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from [base64.b64decode(each).decode()] if key == "data" else _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def test_the_campaigns_history_has_reminders_calls_retries_and_rounds() -> None:
    events = json.loads(_read("campaign-with-ladder-and-cascade"))["events"]
    activities = Counter(
        event["activityTaskScheduledEventAttributes"]["activityType"]["name"]
        for event in events
        if "activityTaskScheduledEventAttributes" in event
    )
    assert activities["send_batch"] >= 5, "first notice by two channels, cascade, reminder, escalation"
    assert activities["advance_campaign"] >= 6
    timers = sum("timerStartedEventAttributes" in event for event in events)
    assert timers >= 4
    assert events[-1]["eventType"] != "EVENT_TYPE_WORKFLOW_EXECUTION_FAILED"


@pytest.mark.parametrize("name", STORED)
async def test_a_history_of_other_code_is_found_out(name: str) -> None:
    changed = json.loads(_read(name))
    scheduled = next(event for event in changed["events"] if "activityTaskScheduledEventAttributes" in event)
    scheduled["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "another_activity"
    history = WorkflowHistory.from_json(name, json.dumps(changed))
    with pytest.raises(NondeterminismError):
        await _replayer().replay_workflow(history)
