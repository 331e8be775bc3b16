"""Cases as data: what fits is read, what does not is named by its path and what was expected, never a traceback."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.dry_run_case import CaseError, DryRunCase, parse_case
from domain.dry_run_facts import facts_of, placed
from tests.domain.test_timelines import TIMELINES, policies

pytestmark = pytest.mark.unit
CASE: dict[str, Any] = {
    "schema": "recall-case/1",
    "title": "A case",
    "jurisdictions": ["us-fda", "eu-mdr"],
    "clocks": {"awareness": "2026-11-20 09:00 America/New_York"},
    "lines": {"pumps": [{"at": "2026-11-20T10:00:00-05:00", "levels": {"us-fda": "I", "eu-mdr": "2"}}]},
}


def changed(path: str, value: Any) -> str:
    """The case with one value replaced."""
    case = copy.deepcopy(CASE)
    *parents, last = path.split("/")
    inner: Any = case
    for key in parents:
        inner = inner[int(key)] if isinstance(inner, list) else inner.setdefault(key, {})
    inner[last] = value
    return yaml.safe_dump(case, allow_unicode=True)


def read(text: str) -> None:
    case = parse_case(text)
    facts_of(case, placed(case, policies()))


def test_every_timeline_worked_by_hand_is_a_case_that_its_text_gives_back() -> None:
    for item in TIMELINES:
        text = yaml.safe_dump(item["case"], allow_unicode=True)
        assert parse_case(text) == DryRunCase.model_validate(item["case"])


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("schema", "recall-case/2", "schema: Input should be 'recall-case/1'"),
        ("titel", "x", "titel: Extra inputs are not permitted"),
        ("clocks/awareness", "2026-11-20 09:00", "names no time zone"),
        ("clocks/awareness", "2026-11-20 09:00 Mars/Olympus", "'Mars/Olympus' is no time zone"),
        ("clocks/awareness", "20 November", "expected an instant like"),
        ("clocks/awareness", "2026-03-08 02:30 America/New_York", "does not exist: the clock is put forward"),
        ("clocks/awareness", "2026-11-01 01:30 America/New_York", "happens twice: the clock is put back"),
        ("clocks/awareness", "2026-11-20T09:00:00+01:00 Europe/Berlin", "has an offset and a zone"),
        ("clocks/awareness", 7, "expected an instant like"),
        ("clocks/awareness", "0001-01-01T00:00:00+14:00", "expected a year from 2 to 9998"),
        ("clocks/awareness", datetime.max.replace(tzinfo=UTC), "expected a year from 2 to 9998"),
        ("clocks/awareness", "9999-01-01 00:00 Asia/Tokyo", "expected a year from 2 to 9998"),
        ("clocks/awareness", None, "clocks.awareness: expected an instant like"),
        ("clocks/begun", "2026-11-20T09:00:00Z", "clocks.begun: Extra inputs are not permitted"),
        ("lines/pumps/0/levels/us-fda", "IV", "lines.pumps[0].levels.us-fda: no level 'IV'; expected one of I, II"),
        ("lines/pumps/0/levels/xx-yy", "I", "lines.pumps[0].levels: xx-yy is none of the case's jurisdictions"),
        ("lines/pumps/0/actions/us-fda", "fsca", "lines.pumps[0].actions.us-fda: expected one of removal, correction"),
        ("lines/pumps/0/actions/us-fda", "burn", "lines.pumps[0].actions.us-fda: Input should be"),
        ("lines/pumps/0/new_facts", "2026-12-24T00:00:00Z", "new_facts lies after the decision that rests on them"),
        ("lines/pumps", [], "lines.pumps: expected at least one decision"),
        ("lines", {}, "lines: Dictionary should have at least 1 item"),
        ("jurisdictions", ["us-fda", "eu-mdr", "mars"], "jurisdictions: mars is none of the policies given"),
        ("places/us-fda/state", "DE", "places.us-fda.state: us-fda does not count by the holidays of a member state"),
        ("places/eu-mdr/state", "CH", "places.eu-mdr.state: 'CH' does not apply the MDR"),
        ("places/eu-mdr/zone", "Europe/Atlantis", "places.eu-mdr.zone: 'Europe/Atlantis' is no time zone"),
        ("gates", [{"jurisdiction": "us-fda", "gate": "x", "outcome": "passed", "at": "2026-11-20T15:00:00Z"}],
         "gates[0].gate: no gate 'x'; expected one of fda_informed"),
        ("extensions", [{"scope_version": 1, "decided": "2026-11-20T15:00:00Z"}], "extensions[0].scope_version"),
        ("corrections", [{"clock": "first_communication", "at": "2026-11-20T15:00:00Z",
                          "corrected": "2026-11-21T15:00:00Z"}],
         "corrections: the case starts no clock first_communication"),
        ("harm", [{"awareness": "2026-11-20T15:00:00Z", "severity": "mild"}], "harm[0].severity: Input should be"),
    ],
)  # fmt: skip
def test_a_fault_is_named_by_its_path_and_what_was_expected(path: str, value: Any, fault: str) -> None:
    with pytest.raises(CaseError) as error:
        read(changed(path, value))
    assert any(fault in line for line in error.value.faults), error.value.faults


@pytest.mark.parametrize("text", ["", "- a", "a: [", "a: *b", "schema: recall-case/1\nschema: x", "\x00"])
def test_a_text_that_is_no_mapping_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(CaseError):
        read(text)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
paths = st.sampled_from(
    ["title", "jurisdictions", "clocks", "clocks/completion", "lines", "lines/pumps/0/at", "lines/pumps/0/levels",
     "harm", "extensions", "gates", "places", "authority_orders", "corrections", "until", "facts"]
)  # fmt: skip


@settings(deadline=None)
@given(paths, values)
def test_whatever_stands_in_a_case_it_is_read_or_refused_with_lines(path: str, value: Any) -> None:
    faults: tuple[str, ...] = ("none",)
    try:
        read(changed(path, value))
    except CaseError as error:
        faults = error.faults
    assert faults
    assert all(faults)
