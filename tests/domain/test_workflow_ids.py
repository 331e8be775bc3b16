"""Workflow ids, update ids and recall numbers: what is built can be read, nothing else."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.recall_number import RecallNumber, RecallNumberError, build_recall_number
from domain.workflow_ids import (
    WorkflowId,
    WorkflowIdError,
    WorkflowKind,
    campaign_id,
    capa_id,
    case_id,
    disposition_id,
    obligations_id,
    parse_workflow_id,
    recall_id,
    update_id,
)

pytestmark = pytest.mark.unit

numbers = st.builds(build_recall_number, st.integers(2000, 9999), st.integers(1, 999_999), drill=st.booleans())
indices = st.integers(1, 999_999)


@given(numbers, indices, st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True))
def test_every_id_that_is_built_is_read_back(no: str, index: int, consignee: str) -> None:
    assert parse_workflow_id(recall_id(no)) == WorkflowId(WorkflowKind.RECALL, no)
    assert parse_workflow_id(campaign_id(no, index)) == WorkflowId(WorkflowKind.CAMPAIGN, no, index)
    assert parse_workflow_id(capa_id(no, index)) == WorkflowId(WorkflowKind.CAPA, no, index)
    assert parse_workflow_id(disposition_id(no)) == WorkflowId(WorkflowKind.DISPOSITION, no)
    assert parse_workflow_id(obligations_id(no)) == WorkflowId(WorkflowKind.OBLIGATIONS, no)
    assert parse_workflow_id(case_id(no, consignee)) == WorkflowId(WorkflowKind.CASE, no, consignee=consignee)


def test_ids_look_as_the_design_says() -> None:
    assert recall_id("RC-2026-000001") == "recall:RC-2026-000001"
    assert campaign_id("RC-2026-000001", 2) == "recall:RC-2026-000001:campaign:2"
    assert case_id("RC-2026-000001", "0192-ab") == "recall:RC-2026-000001:case:0192-ab"


# Hypothesis mixes constants of the source into its texts, so it does write our own numbers.
LIKE_OURS = re.compile(r"recall:R[CD]-[0-9]{4}-[0-9]{6}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "recall:",
        "recall:RC-2026-1",
        "recall:rc-2026-000001",
        "recall:RC-2026-000001:campaign",
        "recall:RC-2026-000001:campaign:0",
        "recall:RC-2026-000001:campaign:01",
        "recall:RC-2026-000001:campaign:-1",
        "recall:RC-2026-000001:campaign:٣",
        "recall:RC-2026-000001:disposition:1",
        "recall:RC-2026-000001:case:",
        "recall:RC-2026-000001:case:a b",
        "recall:RC-2026-000001\n",
        "order:RC-2026-000001",
    ],
)
def test_an_id_this_product_cannot_have_made_is_refused(text: str) -> None:
    with pytest.raises(WorkflowIdError):
        parse_workflow_id(text)


@given(st.text(max_size=80).filter(lambda text: not LIKE_OURS.match(text)))
@example("recall:")
@example("recall::disposition")
def test_any_other_text_is_refused_with_an_error_of_this_module(text: str) -> None:
    with pytest.raises(WorkflowIdError, match=r"is not a (workflow id of this product|recall number)"):
        parse_workflow_id(text)


@pytest.mark.parametrize("number", ["RC-1999-000001", "RC-2026-000000", "RD-0000-000000"])
def test_an_id_with_a_number_out_of_range_is_refused_saying_the_range(number: str) -> None:
    with pytest.raises(WorkflowIdError, match=r"2000 to 9999|1 to 999999"):
        parse_workflow_id(f"recall:{number}")


@pytest.mark.parametrize("consignee", ["", "a:b", "St. Mary Hospital", "x" * 65, "-a"])
def test_a_name_or_a_path_cannot_become_part_of_a_case_id(consignee: str) -> None:
    with pytest.raises(WorkflowIdError):
        case_id("RC-2026-000001", consignee)


texts = st.text(min_size=1, max_size=40)


@given(texts, texts, texts, texts)
def test_update_ids_meet_only_for_the_same_person_operation_and_key(
    person: str, key: str, other_person: str, other_key: str
) -> None:
    same = (person, key) == (other_person, other_key)
    left, right = update_id(person, "approve_notice", key), update_id(other_person, "approve_notice", other_key)
    assert (left == right) is same
    assert update_id(person, "approve_strategy", key) != left


def test_moving_text_between_the_parts_of_an_update_id_changes_it() -> None:
    assert update_id("ab", "approve", "c") != update_id("a", "approve", "bc")


def test_an_update_id_does_not_show_the_person_or_the_key() -> None:
    made = update_id("ana@hospital.example", "approve_notice", "secret-key")
    assert made.startswith("approve_notice-")
    assert "ana" not in made.removeprefix("approve_notice-")
    assert len(made) == len("approve_notice-") + 40


@pytest.mark.parametrize("parts", [("", "approve", "k"), ("p", "approve", ""), ("p", "Approve it", "k")])
def test_an_update_id_with_an_empty_or_odd_part_is_refused(parts: tuple[str, str, str]) -> None:
    with pytest.raises(WorkflowIdError):
        update_id(*parts)


@given(st.integers(2000, 9999), st.integers(1, 999_999), st.booleans())
def test_a_recall_number_survives_text_and_a_drill_shows(year: int, sequence: int, drill: bool) -> None:
    number = RecallNumber(year, sequence, drill)
    assert RecallNumber.parse(f" {str(number).lower()} ") == number
    assert str(number).startswith("RD-" if drill else "RC-")


@pytest.mark.parametrize("text", ["RC-2026-0000001", "RC-26-000001", "XX-2026-000001", "RC-2026-000000", ""])
def test_a_text_that_is_no_recall_number_is_refused(text: str) -> None:
    with pytest.raises(RecallNumberError):
        RecallNumber.parse(text)


@pytest.mark.parametrize(("year", "sequence"), [(1999, 1), (2026, 0), (2026, 1_000_000)])
def test_a_recall_number_out_of_range_is_refused(year: int, sequence: int) -> None:
    with pytest.raises(RecallNumberError):
        build_recall_number(year, sequence)
