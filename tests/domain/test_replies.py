"""Statements against shipments: zero is an answer, missing is not, the impossible opens a query."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.replies import (
    FindingKind,
    LotStatement,
    Severity,
    Shipped,
    accounted,
    check_statement,
    is_settled,
)

pytestmark = pytest.mark.unit

TODAY = date(2026, 11, 21)
LONG_AGO = TODAY - timedelta(days=200)
quantities = st.decimals(0, 10_000, places=2)


def stated(lot: str = "L1", **values: Any) -> LotStatement:
    numbers = {"on_hand": 0, "used": 0, "held": 0, "passed_on": 0} | values
    return LotStatement.model_validate({"lot": lot, **numbers})


def shipped(quantity: object = 10, last: date | None = LONG_AGO) -> Shipped:
    return Shipped.model_validate({"quantity": quantity, "last_shipped_on": last})


def kinds(*statements: LotStatement, sent: Shipped | None = None) -> list[tuple[FindingKind, Severity]]:
    findings = check_statement(statements, {"L1": sent or shipped()}, TODAY)
    return [(finding.kind, finding.severity) for finding in findings]


def test_a_statement_that_accounts_for_everything_and_holds_it_raises_nothing() -> None:
    findings = check_statement([stated(on_hand=6, held=6, used=3, passed_on=1, named=1)], {"L1": shipped()}, TODAY)
    assert findings == ()
    assert is_settled(findings)


@pytest.mark.parametrize(
    "values",
    [{"on_hand": 11}, {"used": "10.01"}, {"on_hand": 6, "used": 5}, {"held": 11}, {"passed_on": 10, "used": 1}],
)
def test_more_than_was_shipped_is_impossible(values: dict[str, Any]) -> None:
    assert (FindingKind.MORE_THAN_SHIPPED, Severity.IMPOSSIBLE) in kinds(stated(**values))


def test_a_lot_that_was_never_shipped_there_is_impossible() -> None:
    found = check_statement([stated("L9", on_hand=1), stated(on_hand=10, held=10)], {"L1": shipped()}, TODAY)
    assert [(item.lot, item.kind) for item in found] == [("L9", FindingKind.UNKNOWN_LOT)]
    assert found[0].opens_query
    assert not is_settled(found)


def test_a_lot_stated_twice_is_asked_about() -> None:
    twice = stated(on_hand=10, held=10)
    assert kinds(twice, twice) == [(FindingKind.STATED_TWICE, Severity.IMPOSSIBLE)]


def test_missing_is_not_zero_and_names_what_is_missing() -> None:
    findings = check_statement([LotStatement(lot="L1", on_hand=Decimal(0))], {"L1": shipped()}, TODAY)
    assert [finding.kind for finding in findings] == [FindingKind.NOT_ANSWERED]
    assert findings[0].message == "lot L1: no answer for used, held, passed on"
    assert not is_settled(findings)


def test_a_lot_nobody_answered_for_is_reported_as_missing() -> None:
    assert kinds() == [(FindingKind.NOT_ANSWERED, Severity.MISSING)]


def test_zero_pieces_days_after_a_shipment_open_a_query_and_long_after_they_do_not() -> None:
    recent = shipped(last=TODAY - timedelta(days=3))
    assert kinds(stated(), sent=recent) == [(FindingKind.ZERO_AFTER_SHIPMENT, Severity.WARNING)]
    assert kinds(stated(), sent=shipped()) == [(FindingKind.LESS_THAN_SHIPPED, Severity.NOTE)]
    assert kinds(stated(), sent=shipped(last=None)) == [(FindingKind.ZERO_AFTER_SHIPMENT, Severity.WARNING)]
    assert kinds(stated(), sent=shipped(0)) == []


def test_units_not_accounted_for_or_not_set_aside_are_noted_and_nobody_is_asked() -> None:
    statement = stated(on_hand=4, held=1, used=5)
    findings = check_statement([statement], {"L1": shipped()}, TODAY)
    assert [finding.message for finding in findings] == [
        "lot L1: 1 of 10 shipped are not accounted for",
        "lot L1: 3 on hand are not set aside yet",
    ]
    assert is_settled(findings)


def test_more_set_aside_than_on_hand_is_asked_about() -> None:
    assert (FindingKind.HELD_MORE_THAN_ON_HAND, Severity.WARNING) in kinds(stated(on_hand=1, held=5))


@pytest.mark.parametrize("value", [-1, "NaN", "Infinity", "1.0000001", "abc", "1e30"])
def test_a_quantity_that_is_no_exact_number_from_zero_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        stated(on_hand=value)


@pytest.mark.parametrize(
    ("passed_on", "named", "expected"),
    [
        (4, 4, []),
        (0, 0, []),
        (4, 0, [(FindingKind.RECEIVER_NOT_NAMED, Severity.WARNING)]),
        (4, "3.999999", [(FindingKind.RECEIVER_NOT_NAMED, Severity.WARNING)]),
        (4, "4.000001", [(FindingKind.MORE_NAMED_THAN_PASSED_ON, Severity.IMPOSSIBLE)]),
        (0, 10, [(FindingKind.MORE_NAMED_THAN_PASSED_ON, Severity.IMPOSSIBLE)]),
    ],
)
def test_every_unit_passed_on_has_a_receiver_and_no_more(
    passed_on: object, named: object, expected: list[tuple[FindingKind, Severity]]
) -> None:
    found = check_statement([stated(on_hand=6, held=6, passed_on=passed_on, named=named)], {"L1": shipped()}, TODAY)
    asked = [finding for finding in found if finding.severity is not Severity.NOTE]
    assert [(finding.kind, finding.severity) for finding in asked] == expected
    assert is_settled(found) is (not expected)


def test_quantities_are_exact() -> None:
    tenths = stated(on_hand="0.1", used="0.2")
    assert accounted(tenths) == Decimal("0.3")
    assert (FindingKind.MORE_THAN_SHIPPED, Severity.IMPOSSIBLE) not in kinds(tenths, sent=shipped("0.3"))


@given(quantities, quantities, quantities, quantities, quantities)
def test_a_complete_statement_is_impossible_exactly_when_it_accounts_for_more_than_shipped(
    on_hand: Decimal, used: Decimal, held: Decimal, passed_on: Decimal, sent: Decimal
) -> None:
    statement = stated(on_hand=on_hand, used=used, held=held, passed_on=passed_on)
    impossible = (FindingKind.MORE_THAN_SHIPPED, Severity.IMPOSSIBLE) in kinds(statement, sent=shipped(sent))
    assert impossible is (max(on_hand, held) + used + passed_on > sent)


def test_units_sent_back_or_destroyed_are_accounted_for_and_counted_returns_are_not_stated_twice() -> None:
    said = LotStatement(
        lot="L1",
        on_hand=Decimal(3),
        held=Decimal(3),
        used=Decimal(0),
        passed_on=Decimal(0),
        returned=Decimal(5),
        destroyed=Decimal(2),
    )
    assert check_statement([said], {"L1": Shipped(quantity=Decimal(10))}, TODAY) == ()
    assert check_statement([said], {"L1": Shipped(quantity=Decimal(6), returned=Decimal(4))}, TODAY) == ()
    (found,) = check_statement([said], {"L1": Shipped(quantity=Decimal(5), returned=Decimal(4))}, TODAY)
    assert (found.kind, found.severity) == (FindingKind.MORE_THAN_SHIPPED, Severity.IMPOSSIBLE)
