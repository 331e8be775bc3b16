"""The table of ways out of a hold: where each is possible, what each must bring, and who signs a release."""

from decimal import Decimal

import pytest

from domain.disposition import (
    RULES,
    Capacity,
    DispositionKind,
    PartFacts,
    ResultLot,
    capacity_of,
    part_faults,
    place_fault,
)
from domain.money import MoneyError, check_money, sums

K = DispositionKind
FULL: dict[DispositionKind, dict[str, object]] = {
    K.return_to_us: {"document_no": "R-1", "dock": True},
    K.return_to_factory: {"document_no": "D-1", "destination": True},
    K.rework: {"document_no": "W-1", "result_lot": ResultLot.NEW},
    K.field_correction: {},
    K.destroy: {"document_no": "C-1", "witness": "Wilma"},
    K.replace_: {"document_no": "X-1", "result_lot": ResultLot.EXISTING, "dock": True},
    K.release: {},
}


def facts(**changes: object) -> PartFacts:
    given: dict[str, object] = {"quantity": Decimal(1), "done_by": "Wanda", "evidence": 1}
    return PartFacts(**(given | changes))  # type: ignore[arg-type]


def test_every_kind_has_a_rule_and_is_possible_somewhere() -> None:
    assert set(RULES) == set(DispositionKind) == set(FULL)
    assert all(rule.ours or rule.consignees for rule in RULES.values())


@pytest.mark.parametrize("kind", DispositionKind)
def test_with_everything_it_needs_a_part_has_no_fault_and_without_evidence_it_has(kind: DispositionKind) -> None:
    assert part_faults(kind, facts(**FULL[kind])) == ()
    assert [fault.field for fault in part_faults(kind, facts(**FULL[kind] | {"evidence": 0}))] == ["evidence_ids"]


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, given in FULL.items() for field in given if field != "destination"]
)
def test_each_thing_a_kind_needs_is_missed_by_name(kind: DispositionKind, field: str) -> None:
    without = {name: value for name, value in FULL[kind].items() if name != field}
    named = {"dock": "location_id", "result_lot": "result_lot" if kind is K.rework else "replacement_lot_id"}
    assert [fault.field for fault in part_faults(kind, facts(**without))] == [named.get(field, field)]


@pytest.mark.parametrize("witness", ["Wanda", " WANDA ", "", "  "])
def test_the_witness_of_a_destruction_is_somebody_else_than_the_doer(witness: str) -> None:
    assert [fault.field for fault in part_faults(K.destroy, facts(document_no="C-1", witness=witness))] == ["witness"]


def test_units_at_a_consignee_are_never_released_and_ours_never_corrected_in_the_field() -> None:
    assert place_fault(K.release, at_consignee=True) is not None
    assert place_fault(K.field_correction, at_consignee=False) is not None
    assert place_fault(K.destroy, at_consignee=True) is None
    assert place_fault(K.destroy, at_consignee=False) is None


def test_a_release_needs_both_capacities_and_nobody_stands_in_for_the_head() -> None:
    none: frozenset[Capacity] = frozenset()
    assert capacity_of(approver=True, head=False, signed=none) is Capacity.QUALITY
    assert capacity_of(approver=True, head=False, signed=frozenset({Capacity.QUALITY})) is None
    assert capacity_of(approver=False, head=True, signed=none) is Capacity.HEAD_OF_QUALITY
    assert capacity_of(approver=False, head=True, signed=frozenset({Capacity.HEAD_OF_QUALITY})) is Capacity.QUALITY
    assert capacity_of(approver=False, head=False, signed=none) is None


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        ("1", "DEM", "ISO 4217"),
        ("1", "eur", "ISO 4217"),
        ("0", "EUR", "other than 0"),
        ("NaN", "EUR", "other than 0"),
        ("1.001", "EUR", "EUR has 2 decimals"),
        ("1.5", "JPY", "JPY has 0 decimals"),
        ("999999999999999", "EUR", "at most"),
    ],
)
def test_money_that_cannot_be_is_refused_with_what_was_expected(amount: str, currency: str, words: str) -> None:
    with pytest.raises(MoneyError, match=words):
        check_money(Decimal(amount), currency)


def test_money_is_summed_per_currency_and_never_across() -> None:
    entries = [(Decimal("1.10"), "EUR"), (Decimal("2.20"), "EUR"), (Decimal("5"), "CNY"), (Decimal("-1.10"), "EUR")]
    assert sums(entries) == {"CNY": Decimal("5"), "EUR": Decimal("2.20")}
    assert check_money(Decimal("1.234"), "KWD") == Decimal("1.234")
