"""Segments of text messages: by alphabet, at every boundary, with characters that take two units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.sms_segments import SmsEncoding, sms_size


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", SmsEncoding.GSM_7, 0, 1),
        ("a" * 160, SmsEncoding.GSM_7, 160, 1),
        ("a" * 161, SmsEncoding.GSM_7, 161, 2),
        ("a" * 306, SmsEncoding.GSM_7, 306, 2),
        ("a" * 307, SmsEncoding.GSM_7, 307, 3),
        ("€" * 80, SmsEncoding.GSM_7, 160, 1),
        ("a" + "€" * 80, SmsEncoding.GSM_7, 161, 2),
        # 153 is odd: a two-unit character does not fit into the last place of a part, twice.
        ("€" * 153, SmsEncoding.GSM_7, 306, 3),
        ("召" * 70, SmsEncoding.UCS_2, 70, 1),
        ("召" * 71, SmsEncoding.UCS_2, 71, 2),
        ("召" * 134, SmsEncoding.UCS_2, 134, 2),
        ("召" * 135, SmsEncoding.UCS_2, 135, 3),
        ("😀" * 35, SmsEncoding.UCS_2, 70, 1),
        ("😀" * 67, SmsEncoding.UCS_2, 134, 3),
    ],
)
def test_a_text_takes_as_many_segments_as_its_alphabet_allows(
    text: str, encoding: SmsEncoding, units: int, segments: int
) -> None:
    size = sms_size(text)
    assert (size.encoding, size.units, size.segments) == (encoding, units, segments)


@given(st.text(st.sampled_from("ab €[召😀\n"), max_size=700))
def test_segments_never_hold_more_than_they_can_and_never_waste_more_than_a_unit_each(text: str) -> None:
    size = sms_size(text)
    single, part = (160, 153) if size.encoding is SmsEncoding.GSM_7 else (70, 67)
    if size.units <= single:
        assert size.segments == 1
    else:
        assert size.units <= size.segments * part
        assert (size.segments - 1) * (part - 1) < size.units
