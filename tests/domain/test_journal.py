"""Journals balance per currency whatever is booked; mapping and exchange rates follow their stated rules."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import Facts, MappingRule, choose, missing
from domain.costs import CostKind, per_unit, propose
from domain.exchange import Rate, convert
from domain.journal import Line, Posting, Side, UnbalancedError, balance, csv_text, lines

pytestmark = pytest.mark.unit
DAY = date(2026, 3, 1)
AMOUNTS = st.decimals("-99999999999999", "99999999999999", places=4, allow_nan=False).filter(bool)
POSTINGS = st.builds(
    Posting,
    entry_id=st.integers(1, 2**40),
    amount=AMOUNTS,
    currency=st.sampled_from(["EUR", "USD", "JPY"]),
    kind=st.sampled_from([kind.value for kind in CostKind]),
    debit=st.sampled_from(["6810", "6820"]),
    credit=st.sampled_from(["2001", "2002"]),
    cost_centre=st.none() | st.just("CC-1"),
    rule_id=st.none(),
    posted_on=st.just(DAY),
    document_no=st.none() | st.just("=1+1"),
    reverses_entry_id=st.none(),
)


@given(st.lists(POSTINGS, max_size=40))
def test_any_entries_give_a_journal_that_balances_and_loses_nothing(postings: list[Posting]) -> None:
    journal = lines("RC-2026-000001", 3, postings)
    assert len({line.id for line in journal}) == len(journal) == 2 * len(postings)
    for currency in ("EUR", "USD", "JPY"):
        # Counted on the accounts, as a ledger would: what is debited to expense less what is taken back is the cost.
        expense = sum(
            (line.amount if line.side is Side.DEBIT else -line.amount)
            for line in journal
            if line.currency == currency and line.account.startswith("68")
        )
        assert expense == sum(each.amount for each in postings if each.currency == currency)
        assert expense == -sum(
            (line.amount if line.side is Side.DEBIT else -line.amount)
            for line in journal
            if line.currency == currency and line.account.startswith("20")
        )
    text = csv_text("J", journal)
    assert text.count("\r\n") == len(journal) + 1
    assert ",=1+1" not in text


@given(st.lists(POSTINGS, min_size=1, max_size=10), st.data())
def test_a_journal_with_a_line_lost_or_changed_is_refused(postings: list[Posting], data: st.DataObject) -> None:
    journal = lines("RC-2026-000001", 1, postings)
    lost = data.draw(st.integers(0, len(journal) - 1))
    with pytest.raises(UnbalancedError):
        balance([line for place, line in enumerate(journal) if place != lost])


def test_an_entry_and_its_reversal_leave_the_accounts_as_they_were() -> None:
    booked = Posting(7, Decimal("12.50"), "EUR", "labour", "6810", "2001", None, 1, DAY, None, None)
    taken_back = Posting(9, Decimal("-12.50"), "EUR", "labour", "6810", "2001", None, 1, DAY, None, 7)
    journal = lines("RC-2026-000001", 1, [booked, taken_back])
    shown = [(line.account, line.side.value, line.amount, line.reverses_entry_id) for line in journal]
    amount = Decimal("12.50")
    assert shown == [
        ("6810", "debit", amount, None),
        ("2001", "credit", amount, None),
        ("2001", "debit", amount, 7),
        ("6810", "credit", amount, 7),
    ]


def test_no_account_stands_on_both_sides() -> None:
    with pytest.raises(ValueError, match="two accounts"):
        lines("RC-2026-000001", 1, [Posting(7, Decimal(1), "EUR", "labour", "1", "1", None, 1, DAY, None, None)])


def _rule(
    number: int, debit: str | None = "6810", since: int = 0, until: int | None = None, **keys: str
) -> MappingRule:
    named: dict[str, str | None] = {"company": None, "jurisdiction": None, "family": None}
    last = None if until is None else DAY + timedelta(days=until)
    first = DAY + timedelta(days=since)
    accounts = (debit, "2001" if debit else None)
    return MappingRule(number, CostKind.LABOUR, **(named | keys), debit=accounts[0], credit=accounts[1],
                       cost_centre=None, valid_from=first, valid_until=last)  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ([_rule(1)], 1),
        ([_rule(1), _rule(2, since=-5)], 1),
        ([_rule(1, since=1)], None),
        ([_rule(1, since=-9, until=-1)], None),
        ([_rule(1), _rule(2, family="tests"), _rule(3, jurisdiction="eu-mdr")], 3),
        ([_rule(1), _rule(2, family="tests"), _rule(3, company="Other")], 2),
        ([_rule(1), _rule(2, family="tests"), _rule(3, debit=None, family="tests", since=0)], 1),
        ([_rule(1), _rule(2, debit=None)], None),
    ],
)
def test_the_most_specific_rule_of_the_day_counts(rules: list[MappingRule], found: int | None) -> None:
    facts = Facts(CostKind.LABOUR, "Ours", "eu-mdr", "tests", DAY)
    rule = choose(rules, facts)
    assert (rule.id if rule else None) == found
    assert choose(rules, Facts(CostKind.FINES, None, None, None, DAY)) is None


def test_what_is_missing_is_named() -> None:
    facts = Facts(CostKind.FINES, None, "eu-mdr", None, DAY)
    assert missing(facts) == "no approved accounts for fines (jurisdiction eu-mdr) on 2026-03-01"


def test_amounts_are_converted_by_the_latest_stated_rate_in_either_direction() -> None:
    rates = [
        Rate(1, "USD", "EUR", Decimal("0.9"), DAY - timedelta(days=3), "ECB"),
        Rate(2, "EUR", "USD", Decimal("1.25"), DAY - timedelta(days=1), "ECB"),
        Rate(3, "USD", "EUR", Decimal("0.1"), DAY + timedelta(days=1), "ECB"),
        Rate(4, "JPY", "USD", Decimal("0.0065"), DAY, "BoJ"),
    ]
    found = convert(Decimal("10.00"), "USD", "EUR", DAY, rates)
    assert found is not None
    assert (found.amount, found.rate) == (Decimal("8.00"), rates[1])
    assert convert(Decimal(1000), "JPY", "EUR", DAY, rates) is None, "never over a third currency"
    assert convert(Decimal(1000), "USD", "EUR", DAY - timedelta(days=9), rates) is None
    to_yen = convert(Decimal("1.00"), "USD", "JPY", DAY, rates)
    assert to_yen is not None
    assert to_yen.amount == Decimal(154)


def test_the_largest_amount_is_converted_at_the_smallest_rate() -> None:
    rate = Rate(1, "KWD", "EUR", Decimal("0.0000000001"), DAY, "s")
    found = convert(Decimal("9999999999999999.99"), "EUR", "KWD", DAY, [rate])
    assert found is not None
    assert found.amount == Decimal("99999999999999999900000000")


def test_a_disposition_suggests_units_times_value_in_the_smallest_unit_of_the_currency() -> None:
    assert propose(1, "replace", Decimal(3), Decimal("2.505"), "EUR") is not None
    found = propose(1, "replace", Decimal(3), Decimal("2.505"), "EUR")
    assert found is not None
    assert (found.kind, found.amount) == (CostKind.REPLACEMENT, Decimal("7.52"))
    assert propose(1, "field_correction", Decimal(3), Decimal(2), "EUR") is None
    assert propose(1, "destroy", Decimal(1), Decimal("0.3"), "JPY") is None


def test_there_is_no_cost_per_unit_of_nothing() -> None:
    assert per_unit({"EUR": Decimal(10)}, Decimal(0)) is None
    assert per_unit({"EUR": Decimal(10)}, Decimal(3)) == {"EUR": Decimal("3.3333")}


def test_line_ids_name_recall_journal_and_line() -> None:
    (first, _second) = lines("RC-2026-000001", 12, [
        Posting(7, Decimal(1), "EUR", "labour", "6810", "2001", None, 1, DAY, None, None)
    ])  # fmt: skip
    assert isinstance(first, Line)
    assert first.id == "RC-2026-000001-J0012-000001"
