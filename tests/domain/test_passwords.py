"""What a signing password must be, over many texts."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.passwords import MAX_LENGTH, MIN_LENGTH, fault_of, normalised

pytestmark = pytest.mark.unit


@given(st.text(max_size=200), st.text(min_size=1, max_size=30))
def test_whatever_is_accepted_is_long_printable_varied_and_not_the_own_name(password: str, principal: str) -> None:
    if fault_of(password, principal=principal) is None:
        given_form = normalised(password)
        assert MIN_LENGTH <= len(given_form) <= MAX_LENGTH
        assert given_form.isprintable()
        assert len(set(given_form)) >= 5
        assert principal.casefold().replace(" ", "") not in given_form.casefold().replace(" ", "")


@given(st.text(max_size=60))
def test_what_is_said_about_a_password_never_repeats_it(password: str) -> None:
    fault = fault_of(password, principal="Quinn")
    assert fault is None or len(password) < 6 or password not in fault


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("short", "characters"),
        ("a" * 129, "characters"),
        ("aaaaaaaaaaaab", "different"),
        ("my name is quinn!", "name"),
        ("line\nbreak and more", "printable"),
        ("correct horse battery", None),
        ("安全的召回口令需要足够长的文字", None),
    ],
)
def test_faults_name_what_is_expected(password: str, fault: str | None) -> None:
    found = fault_of(password, principal="Quinn")
    assert (found is None) if fault is None else (found is not None and fault in found)


def test_the_same_keys_on_another_keyboard_are_the_same_password() -> None:
    composed = "Zürich 2026 ist schön"
    assert normalised(composed) == normalised(unicodedata.normalize("NFD", composed))
