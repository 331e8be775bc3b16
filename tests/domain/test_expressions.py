"""Conditions over facts: what the language can say, and that everything else is one clear refusal."""

import time
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.expressions import MAX_LENGTH, ExpressionError, check, facts_used, holds
from domain.policy_facts import FACTS, FactType, PolicyFacts

pytestmark = pytest.mark.unit

KNOWN = PolicyFacts(
    implantable=True,
    units=Decimal(7),
    value=Decimal("100000.50"),
    recall_class="I",
    geographic_scope="national",
    countries=("CN", "DE"),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("implantable", True),
        ("not implantable", False),
        ("implantable == true", True),
        ("implantable and units > 5", True),
        ("implantable and units > 7", False),
        ("sterile or units >= 7", True),
        ("implantable or sterile and drill", True),  # and binds closer than or
        ("(implantable or sterile) and drill", False),
        ('"CN" in countries', True),
        ("'US' not in countries", True),
        ("countries.length > 1", True),
        ('recall_class == "I"', True),
        ('recall_class in ["II", "III"]', False),
        ('recall_class != ""', True),
        ("value >= 100000.5", True),
        ("value > 100000.5", False),
        ("harm_reported", False),
        ("true", True),
        ('geographic_scope\n  == "national"', True),
    ],
)
def test_a_condition_says_whether_it_holds(text: str, expected: bool) -> None:
    assert holds(text, KNOWN) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a condition like"),
        ("implantible", "unknown fact 'implantible'; expected one of implantable, life_supporting"),
        ("units", "'units' is a value, not a condition"),
        ("units > 'many'", "data type mismatch"),
        ("units == 'many'", "units (number) and many (text) cannot be compared"),
        ("recall_class > 'I'", "only numbers have an order"),
        ("recall_class == 'IV'", "recall_class is never 'IV'; expected one of '', 'I', 'II', 'III'"),
        ("'IV' != recall_class", "recall_class is never 'IV'"),
        ("recall_class in ['I', 'IIII']", "recall_class is never 'IIII'"),
        ("'china' in countries", "countries holds texts like ^[A-Z]{2}$, never 'china'"),
        ("'I' in recall_class", "expected a text in a list"),
        ("countries == 'CN'", "cannot be compared"),
        ("countries == product_lines", "lists are not compared"),
        ("units and implantable", "'and' joins conditions, got a number: units"),
        ("not units", "'not' joins conditions"),
        ("1 == 1", "names no fact, so it is always the same"),
        ("units ** 9 > 1", "'** 9 > 1' at character 7 is not known"),
        ("recall_class =~ '(a+)+b'", "is not known; expected facts"),
        ("units + 1 > 2", "is not known"),
        ("[x for x in countries]", "unknown fact 'x'"),
        ("countries[0] == 'CN'", "GetItemExpression is not part of the language"),
        ("recall_class.as_upper == 'I'", "unknown fact 'as_upper'"),
        ("recall_class.length > 1", ".length belongs to a list"),
        ("implantable.sterile", "unknown attribute"),
        ("$now > units", "is not known"),
        ("__import__('os').system('true')", "unknown fact '__import__'"),
        ("implantable and", "it ends too early"),
        ("implantable sterile", "it cannot be read from 'sterile' on"),
        ("units > 5)", "it cannot be read from ')' on"),
        ("units == null", "unknown fact 'null'"),
        ("b'CN' in countries", "is not known"),
        ("units > 1e9", "is not known"),
        ("not " * 50 + "implantable", "expected at most 40 brackets and not"),
        ("implantable or " * 40 + "sterile", f"at most {MAX_LENGTH} characters"),
        ('countries == "C\\x00"', "is not known"),
    ],
)
def test_what_is_no_condition_is_refused_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        check(text)
    assert message in str(caught.value)


def test_the_facts_a_condition_reads_are_named_once_in_order() -> None:
    assert facts_used("units > 5 and implantable or units < 2 and true") == ("units", "implantable")


def test_every_fact_can_be_asked_about_and_every_field_is_a_documented_fact() -> None:
    assert set(PolicyFacts.model_fields) == set(FACTS)
    asked = {
        FactType.FLAG: "{}",
        FactType.NUMBER: "{} > 0",
        FactType.TEXT: '{} != ""',
        FactType.LIST: "{}.length > 0",
    }
    for name, fact in FACTS.items():
        assert fact.doc
        assert holds(asked[fact.type].format(name), PolicyFacts()) is False, name


@settings(max_examples=300)
@given(st.text(max_size=60) | st.text(alphabet="()[]'\"!=<>.,&|*+-~$ aeinotrulgh019_", max_size=80))
def test_any_text_is_a_condition_or_a_clear_refusal(text: str) -> None:
    with suppress(ExpressionError):
        assert check(text) == text


PIECES = [
    *FACTS,
    "and",
    "or",
    "not",
    "in",
    "(",
    ")",
    "[",
    "]",
    ",",
    "==",
    "<",
    ">=",
    "'I'",
    '"CN"',
    "5",
    ".length",
    "true",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join))
def test_any_row_of_words_of_the_language_is_judged_the_same_when_read_and_when_used(text: str) -> None:
    try:
        check(text)
    except ExpressionError:
        return
    assert holds(text, KNOWN) in (True, False)
    assert holds(text, PolicyFacts()) in (True, False)


def test_the_longest_condition_is_judged_at_once() -> None:
    text = " or ".join(["units > 1"] * 38)
    assert 400 < len(text) <= MAX_LENGTH
    started = time.perf_counter()
    assert holds(text, KNOWN)
    assert time.perf_counter() - started < 2
