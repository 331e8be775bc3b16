"""The audit chain: any change, removal, insertion or reordering is found at its place."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.audit_chain import GENESIS, AuditValueError, canonical_json, chain_hash, normalise, verify

pytestmark = pytest.mark.unit

Event = dict[str, Any]
stored_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.datetimes(timezones=st.timezones())
    | st.dates()
    | st.uuids()
    | stored_text
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(stored_text, inner, max_size=4),
    max_leaves=12,
)


def chained(contents: list[Event]) -> list[Event]:
    rows, previous = [], GENESIS
    for seq, content in enumerate(contents, start=1):
        event = {"seq": seq, **content}
        row = {**event, "prev_hash": previous, "hash": chain_hash(previous, event)}
        rows.append(row)
        previous = row["hash"]
    return rows


contents = st.lists(st.fixed_dictionaries({"kind": stored_text, "data": values}), min_size=1, max_size=8)


@given(values)
def test_the_canonical_form_is_json_and_stays_the_same_when_read_back(value: Any) -> None:
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text
    assert normalise(json.loads(text)) == normalise(value)


@given(contents)
def test_an_untouched_chain_is_whole_also_after_a_round_trip_through_json(events: list[Event]) -> None:
    rows = chained(events)
    assert verify(rows, expected_head=rows[-1]["hash"]) is None
    assert verify([json.loads(canonical_json(row)) for row in rows]) is None


@given(contents, st.data())
def test_a_changed_event_is_named_by_its_number(events: list[Event], data: st.DataObject) -> None:
    rows = chained(events)
    place = data.draw(st.integers(0, len(rows) - 1))
    rows[place] = {**rows[place], "kind": rows[place]["kind"] + "!"}
    assert verify(rows) == place + 1


@given(contents, st.data())
def test_a_removed_event_is_named_by_its_number(events: list[Event], data: st.DataObject) -> None:
    rows = chained(events)
    head = rows[-1]["hash"]
    place = data.draw(st.integers(0, len(rows) - 1))
    del rows[place]
    assert verify(rows, expected_head=head) == place + 1


def test_swapped_and_inserted_events_are_found() -> None:
    rows = chained([{"kind": name} for name in "abcd"])
    assert verify([rows[0], rows[2], rows[1], rows[3]]) == 2
    assert verify([rows[0], rows[1], dict(rows[1]), rows[2], rows[3]]) == 3


def test_a_chain_rewritten_from_one_event_on_is_found_by_the_head_kept_elsewhere() -> None:
    rows = chained([{"kind": name} for name in "abc"])
    forged = chained([{"kind": name} for name in "axc"])
    assert verify(forged) is None
    assert verify(forged, expected_head=rows[-1]["hash"]) == 4


def test_a_row_without_its_hash_or_with_an_unhashable_value_is_broken_not_a_crash() -> None:
    rows = chained([{"kind": "a"}, {"kind": "b"}])
    del rows[1]["hash"]
    assert verify(rows) == 2
    rows = chained([{"kind": "a"}])
    rows[0]["data"] = float("nan")
    assert verify(rows) == 1


def test_no_events_are_a_whole_chain_unless_a_head_is_expected() -> None:
    assert verify([]) is None
    assert verify([], expected_head="ab") == 1


class Colour(StrEnum):
    RED = "red"


def test_values_have_the_form_the_record_stores() -> None:
    noon = datetime(2026, 1, 2, 12, 0, tzinfo=timezone(timedelta(hours=8)))
    given_event = {
        "b": Decimal("1.500"),
        "a": noon,
        "c": Colour.RED,
        "d": date(2026, 1, 2),
        "e": (Decimal("-0.00"), 2.0),
        "f": UUID(int=1),
        "g": Decimal("1E+3"),
    }
    assert canonical_json(given_event) == (
        '{"a":"2026-01-02T04:00:00.000000Z","b":"1.5","c":"red","d":"2026-01-02","e":["0",2],'
        '"f":"00000000-0000-0000-0000-000000000001","g":"1000"}'
    )


def test_the_same_instant_in_two_zones_hashes_alike() -> None:
    utc = datetime(2026, 3, 1, tzinfo=UTC)
    local = utc.astimezone(timezone(timedelta(hours=-5)))
    assert chain_hash(GENESIS, {"at": utc}) == chain_hash(GENESIS, {"at": local})


def test_the_hash_is_pinned_so_that_old_files_stay_verifiable() -> None:
    expected = "794e161cccd7553e4841e24ffbd477ceb31c58d0c6dd333123dbe6f89b219682"
    made = chain_hash(GENESIS, {"seq": 1, "kind": "recall.started", "quantity": Decimal("5.0")})
    assert made == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (Decimal("NaN"), "NaN"),
        (datetime(2026, 1, 1), "time zone"),  # noqa: DTZ001
        ({1, 2}, "set"),
        (b"x", "bytes"),
        ({1: "a"}, "keys must be text"),
        ("a\x00b", "NUL"),
        ("\ud800", "surrogate"),
        (object(), "object"),
    ],
)
def test_a_value_without_a_single_form_is_refused_with_its_path(value: object, message: str) -> None:
    with pytest.raises(AuditValueError, match=message) as caught:
        canonical_json({"data": [value]})
    assert str(caught.value).startswith("event.data[0]")
