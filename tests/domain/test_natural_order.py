"""The order of lot and serial numbers: runs of digits are numbers, small letters are capital ones."""

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.natural_order import natural_key
from domain.scope import LotRange, ScopeCriteria
from tests.support.servers import PostgresForTests


@pytest.mark.unit
def test_runs_of_digits_compare_as_numbers() -> None:
    given_order = ["", "7", "A", "A7", "a10", "A10-2", "A10B", "A011", "AB", "B1", "ß"]
    assert sorted(given_order, key=natural_key) == given_order
    assert natural_key("a007") == natural_key("A7")
    assert natural_key("A0") == natural_key("A000")
    assert natural_key("A" + "9" * 79) < natural_key("A1" + "0" * 79)


@pytest.mark.unit
def test_a_range_runs_upwards_in_that_order() -> None:
    assert LotRange(product_code="P", first="A9", last="A10")
    with pytest.raises(ValueError, match="first must not come after last"):
        LotRange(product_code="P", first="A10", last="A9")
    with pytest.raises(ValueError, match="lots are taken as named"):
        ScopeCriteria.model_validate(
            {"lot_ranges": [{"product_code": "P", "first": "1", "last": "2"}], "made_from": "2026-01-01"}
        )


@pytest.mark.db
def test_the_database_has_the_same_order(postgres: PostgresForTests) -> None:
    with psycopg.connect(postgres.app_url) as connection:

        @given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80)))
        def agrees(numbers: list[str]) -> None:
            found = connection.execute(
                "SELECT natural_key(n) FROM unnest(%s::text[]) WITH ORDINALITY AS t(n, place) ORDER BY place", [numbers]
            ).fetchall()
            assert [bytes(key) for (key,) in found] == [natural_key(number).encode() for number in numbers]

        agrees()
