"""How long the file is kept: the latest date the years may be counted from decides, never a shorter one."""

from dataclasses import replace
from datetime import date

import pytest

from domain.policy_parts import Retention
from domain.retention import RetentionFacts, kept_until, years_later

pytestmark = pytest.mark.unit
RULE = Retention(
    years=10,
    implantable_years=15,
    after="last device placed on the market",
    basis="law",
    source="MDR",
    valid_from=date(2021, 5, 26),
)
FACTS = RetentionFacts(
    closed_on=date(2026, 11, 22),
    last_shipped_on=date(2026, 3, 1),
    longest_life_years=None,
    last_expiry_on=None,
    implantable=False,
)


@pytest.mark.parametrize(
    ("facts", "until", "because"),
    [
        (FACTS, date(2036, 11, 22), "end of the recall"),
        (replace(FACTS, last_shipped_on=None), date(2036, 11, 22), "end of the recall"),
        (replace(FACTS, longest_life_years=8), date(2044, 3, 1), "expected life"),
        (replace(FACTS, longest_life_years=8, last_shipped_on=None), date(2036, 11, 22), "end of the recall"),
        (replace(FACTS, last_expiry_on=date(2029, 6, 30)), date(2039, 6, 30), "expiry"),
        (replace(FACTS, last_shipped_on=date(2026, 12, 1)), date(2036, 12, 1), "last shipment"),
        (replace(FACTS, implantable=True), date(2041, 11, 22), "end of the recall"),
    ],
)
def test_the_latest_start_decides(facts: RetentionFacts, until: date, because: str) -> None:
    kept = kept_until(RULE, facts)
    assert kept.until == until
    assert because in kept.because


def test_implants_change_nothing_where_the_policy_has_no_figure_for_them() -> None:
    rule = RULE.model_copy(update={"implantable_years": None})
    assert kept_until(rule, replace(FACTS, implantable=True)).years == 10


def test_a_leap_day_is_never_a_day_short() -> None:
    assert years_later(date(2028, 2, 29), 1) == date(2029, 3, 1)
    assert years_later(date(2028, 2, 29), 4) == date(2032, 2, 29)
