"""Broken regulation profiles: every fault is one line with its path, never a traceback."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.dry_run_case import parse_case
from domain.policy import PolicyError, parse_policy, policy_hash
from domain.policy_text import fault_line
from tests.domain.factories import policy_text

pytestmark = pytest.mark.unit


def broken(change: Callable[[dict[str, Any]], None]) -> tuple[str, ...]:
    data = yaml.safe_load(policy_text("us-fda"))
    change(data)
    with pytest.raises(PolicyError) as caught:
        parse_policy(yaml.safe_dump(data, allow_unicode=True))
    return caught.value.faults


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda d: d["levels"]["I"]["notify"].update(due="soon"), "levels.I.notify.due: 'soon' is not a limit"),
        (lambda d: d["levels"]["I"]["notify"].pop("clock"), "levels.I.notify: due '24 h' needs a clock"),
        (lambda d: d["levels"]["I"].update(colour="red"), "levels.I.colour: Extra inputs are not permitted"),
        (lambda d: d["gates"][0].pop("source"), "gates[0].source: Field required"),
        (lambda d: d["gates"][0].pop("waiver_text"), "gates[0]: a waivable gate needs waiver_text"),
        (lambda d: d["tasks"].pop("phone_call"), "tasks: no task rule for phone_call"),
        (lambda d: d["tasks"]["gate"].update(remind="13 h"), "tasks.gate: remind 13 h must lie before due 12 h"),
        (lambda d: d["decision_table"].pop(), "decision_table: the last rule must have no condition"),
        (
            lambda d: d["decision_table"][0].update(level="IV"),
            "decision_table[0].level: us-death-occurred: level 'IV' is none of I, II, III",
        ),
        (
            lambda d: d["decision_table"][0].update(when={"deaths": True}),
            "decision_table[0].when: unknown fact 'deaths'; expected one of",
        ),
        (
            lambda d: d["decision_table"][2].update(when={"likelihood": {"at_least": "often"}}),
            "decision_table[2].when: likelihood: 'often' is not one of",
        ),
        (
            lambda d: d["decision_table"][2].update(when={"likelihood": 3}),
            "decision_table[2].when: likelihood: expected true or false, a word, a list of words",
        ),
        (lambda d: d["levels"]["I"]["effectiveness"].update(percent=90), "levels.I.effectiveness: level A is 100"),
        (
            lambda d: d["levels"]["I"]["ladder"]["phone"].update(after="40 h"),
            "levels.I.ladder: expected first_reminder before escalation before phone",
        ),
        (lambda d: d["levels"]["I"]["ladder"]["phone"].update(after="3 wd"), "levels.I.ladder.phone.after: '3 wd'"),
        (lambda d: d["zone"].update(zone="Mars/Base"), "zone.zone: 'Mars/Base' is no time zone"),
        (lambda d: d["zone"].update(zone="../etc"), "zone.zone: '../etc' is no time zone"),
        (lambda d: d.update(schema="recall-policy/9"), "schema: Input should be 'recall-policy/1'"),
        (lambda d: d["levels"].pop("II"), "levels: no level covers class II"),
        (
            lambda d: d["obligations"].append(dict(d["obligations"][0])),
            "levels.I.obligations: id scope_extension_report is used twice for the same days",
        ),
        (lambda d: d["calendar"].update(state="DE"), "calendar: state is needed for eu-member-state"),
        (
            lambda d: d["levels"]["III"]["obligations"][1].pop("record_instead"),
            "levels.III.obligations[1]: due none needs record_instead",
        ),
        (lambda d: d.update(valid_to="2020-01-01"), "valid_to: lies before valid_from"),
        (lambda d: d.update(version=0), "version: Input should be greater than or equal to 1, got 0"),
    ],
)
def test_a_fault_is_one_line_with_its_path(change: Callable[[dict[str, Any]], None], line: str) -> None:
    faults = broken(change)
    assert any(fault.startswith(line) for fault in faults), faults
    assert all("\n" not in fault for fault in faults)


def test_all_faults_are_reported_at_once() -> None:
    def change(data: dict[str, Any]) -> None:
        data["version"] = "x"
        data["levels"]["I"]["notify"]["due"] = "soon"
        data["gates"][0]["role"] = "boss"

    assert len(broken(change)) == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "file: expected a mapping of keys, got NoneType"),
        ("- a", "file: expected a mapping of keys, got list"),
        ("a: 1\na: 2", "line 2, column 1: key 'a' is given twice"),
        ("a: &x 1\nb: *x", "line 2, column 4: aliases (*name) are not allowed"),
        ("a: [", "line 1"),
        ("a: !!python/object:os.system x", "line 1, column 4"),
        ("? [a]\n: 1", "line 1, column 3: a key must be plain text"),
        ("[" * 60, "line 1, column 25: nested deeper than 24 levels"),
        ("a: \x00", "file: not valid YAML"),
        ("a: 2026-13-45", "line 1, column 4: '2026-13-45' is not a date or an instant"),
        ("x" * 600_000, "file: expected at most 262144 characters"),
    ],
)
def test_a_text_that_is_no_plain_yaml_mapping_gives_its_place(text: str, line: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    assert caught.value.faults[0].startswith(line), caught.value.faults


UNFIT = {
    "a: !!bool maybe": "line 1, column 4: 'maybe' is not true or false",
    'a: !!int ""': "line 1, column 4: '' is not a whole number",
    'a: !!float "-"': "line 1, column 4: '-' is not a number",
    "a: !!timestamp xx": "line 1, column 4: 'xx' is not a date or an instant",
    "a: !!timestamp {=: 2026-01-01}": "line 1, column 4: '2026-01-01' is not a date or an instant",
    "a: !!set [x]": "line 1, column 4: expected keys with values",
    "a: !!map x": "line 1, column 4: expected keys with values",
    "a: !!int [1]": "line 1, column 4: expected a scalar node",
    "a: 1" + ":59" * 400 + ".5": "line 1, column 4: expected at most 40 characters of a number, got 1203",
    "a: 1" + ":59" * 80_000: "line 1, column 4: expected at most 40 characters of a whole number, got 240001",
    "a: 0x" + "f" * 6000: "line 1, column 4: expected at most 40 characters of a whole number, got 6002",
    "? 0x" + "f" * 6000 + "\n: 1": "line 1, column 3: expected at most 40 characters of a whole number, got 6002",
    "a: !<" + "x" * 9000 + "> 1": "line 1, column 4: could not determine a constructor",
}


@pytest.mark.parametrize("parse", [parse_policy, parse_case])
@pytest.mark.parametrize(("text", "line"), UNFIT.items(), ids=[text[:20].strip() for text in UNFIT])
def test_a_value_that_does_not_fit_its_tag_or_is_overlong_is_one_line(
    text: str, line: str, parse: Callable[[str], Any]
) -> None:
    before = time.process_time()
    with pytest.raises(PolicyError) as caught:
        parse(text)
    [fault] = caught.value.faults
    assert fault.startswith(line)
    assert len(fault) < 400
    assert time.process_time() - before < 1, "an overlong number is not computed"


@pytest.mark.parametrize("version", ["1000001", "0xFFFFFFFFFFFFFFFF", "9" * 40])
def test_a_version_beyond_a_million_is_refused(version: str) -> None:
    text = policy_text("us-fda").replace("\nversion: 1\n", f"\nversion: {version}\n")
    with pytest.raises(PolicyError, match=r"^version: Input should be less than or equal to 1000000, got [0-9]+$"):
        parse_policy(text)


def test_a_number_too_long_to_write_is_a_fault_without_it() -> None:
    item = {"loc": ("version",), "msg": "Input should be less than 9", "input": 1 << 30_000}
    assert fault_line(item) == "version: Input should be less than 9"


@given(st.text(max_size=200))
def test_any_text_at_all_gives_only_policy_errors(text: str) -> None:
    with pytest.raises(PolicyError):
        parse_policy(text)


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [prefix, *(path for key, item in items for path in paths(item, (*prefix, key)))]


BASE = yaml.safe_load(policy_text("eu-mdr"))
junk = st.none() | st.integers() | st.booleans() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)


@settings(max_examples=40, deadline=None)  # each example writes and reads a whole profile
@given(st.sampled_from(paths(BASE)[1:]), junk)
def test_a_profile_with_any_value_replaced_is_parsed_or_refused_line_by_line(path: tuple[Any, ...], value: Any) -> None:
    data = yaml.safe_load(yaml.safe_dump(BASE))
    target = data
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    try:
        policy = parse_policy(yaml.safe_dump(data, allow_unicode=True))
    except PolicyError as error:
        lines = error.faults
        assert lines
        assert all(": " in line for line in lines)
    else:
        assert policy_hash(policy)
