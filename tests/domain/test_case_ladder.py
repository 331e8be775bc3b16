"""Call, visit, authority: each step after the limit of the one before, each silence from the first step."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.case_ladder import Next, Stage, StageTask, next_stage, task_key

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(hours=1), NOW - timedelta(hours=1)


def task(stage: Stage, due: datetime | None = LATER, *, is_open: bool = True) -> StageTask:
    return StageTask(stage, due, is_open)


@pytest.mark.parametrize("reason", ["silence", "bounce", "effectiveness"])
def test_a_consignee_that_does_not_answer_is_called_first(reason: str) -> None:
    assert next_stage([reason], [], NOW) == Next(stage=Stage.CALL)


def test_the_next_step_waits_for_the_limit_of_the_one_before() -> None:
    assert next_stage(["silence"], [task(Stage.CALL)], NOW) == Next(look_at=LATER)
    late = [task(Stage.CALL, EARLIER)]
    assert next_stage(["silence"], late, NOW) == Next(stage=Stage.VISIT)
    late.append(task(Stage.VISIT, NOW))
    assert next_stage(["silence"], late, NOW) == Next(stage=Stage.AUTHORITY)
    late.append(task(Stage.AUTHORITY, EARLIER))
    assert next_stage(["silence"], late, NOW) == Next(stage=Stage.ACCOUNT)
    late.append(task(Stage.ACCOUNT, EARLIER))
    assert next_stage(["silence"], late, NOW) == Next(), "now only an answer or the account ends it"


def test_the_account_manager_comes_between_call_and_visit_where_there_is_one() -> None:
    called = [task(Stage.CALL, EARLIER)]
    assert next_stage(["silence"], called, NOW, has_manager=True) == Next(stage=Stage.MANAGER)
    asked = [*called, task(Stage.MANAGER, EARLIER)]
    assert next_stage(["silence"], asked, NOW, has_manager=True) == Next(stage=Stage.VISIT)
    assert next_stage(["refusal"], called, NOW, has_manager=True) == Next(stage=Stage.AUTHORITY)


def test_a_step_done_without_an_answer_brings_the_next_at_once() -> None:
    assert next_stage(["bounce"], [task(Stage.CALL, is_open=False)], NOW) == Next(stage=Stage.VISIT)


def test_a_refusal_goes_to_the_authority_and_a_closed_firm_to_a_documented_account() -> None:
    called = [task(Stage.CALL)]
    assert next_stage(["silence", "refusal"], called, NOW) == Next(stage=Stage.AUTHORITY)
    told = [*called, task(Stage.AUTHORITY, is_open=False)]
    assert next_stage(["silence", "refusal"], told, NOW) == Next(stage=Stage.ACCOUNT)
    assert next_stage(["refusal", "out_of_business"], called, NOW) == Next(stage=Stage.ACCOUNT)


def test_queries_and_patients_ask_for_no_contact() -> None:
    assert next_stage(["statement", "patients", "help"], [], NOW) == Next()


def test_a_second_silence_has_keys_of_its_own() -> None:
    assert (task_key(Stage.CALL, 7), task_key(Stage.VISIT, 7, 2)) == ("call:7", "visit:7:2")
