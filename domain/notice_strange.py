"""What has no place in a notice whoever put it there: values that are on no record, and text a reader does not see.

A right value beside a wrong one leaves the reader to choose, so nothing that looks like a date, a telephone, an
identifier or an address may stand in a notice's own words. Text that is hidden, or whose letters only look like others,
would pass every test of words and still say something else.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from domain.notice_facts import PROBE_LINK, counts_of, scope_lots
from domain.notice_markup import markup_faults
from domain.notice_part import Fault, Part

_HOST: Final = r"(?:[a-z0-9-]+\.)+"
ADDRESS: Final = re.compile(
    r"https?://\S+|www\.\S+|[\w.+-]+@[\w-]+\.[\w.-]*\w"
    rf"|\b{_HOST}[a-z]{{2,}}/\S+|\b{_HOST}(?:com|org|net|info|biz|io|app|link|shop|cn|eu|de|fr|es|uk|us)\b",
    re.IGNORECASE,
)
_LONG: Final = re.compile(
    r"\+?(?:[0-9][ ()./\u2010-\u2015-]{0,3}){6,}[0-9]|[0-9]{4,}"
    r"|(?<![0-9./-])[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2}(?![0-9./-])"
)
"""A telephone, an identifier or a date; sections and paragraphs of laws have fewer digits."""
_MONTHS: Final = (
    r"jan(?:uary)?|feb(?:ruary)?|march|april|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
)
_DAY: Final = re.compile(
    rf"\b[0-9]{{1,2}}(?:st|nd|rd|th)?\s+(?:de\s+)?(?:{_MONTHS}|may)\b|\b(?:{_MONTHS}|may)\s+[0-9]{{1,2}}\b"
    r"|[0-9]{1,2}\s*月\s*[0-9]{1,2}\s*[日号]",
    re.IGNORECASE,
)
"""A day of a month in words."""
_ALPHABETS: Final = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")
"""Scripts with letters that look alike."""
_OF_UNITS: Final = frozenset("\u03bc\u03a9")
"""Greek letters that look like none of another script and stand before or behind Latin ones in units: μg, kΩ."""
_BLANK: Final = "\u2800\u3164\u115f\u1160\uffa0"
"""Letters and signs without a shape."""
_MORE: Final = r"(?:[A-Za-z0-9_@]|[-./+][A-Za-z0-9])"
"""What behind an identifier or address is read as a part of it."""
_LEAST: Final = 6
"""A shorter telephone number stands by chance within other numbers."""
_FAR: Final = re.compile(r"(?:\n[^\S\n]*){7,}")
_FAR_IN_MARKUP: Final = re.compile(
    r"(?:<br[^>]*>(?:\s|&nbsp;|\u00a0)*){4,}|(?:<(?:p|div)[^>]*>(?:\s|&nbsp;|\u00a0)*</(?:p|div)>\s*){2,}"
)
"""Empty lines that put what follows out of sight."""
_MOST: Final = 10


def strange_values(text: str, allowed: frozenset[str] = frozenset()) -> list[str]:
    """Addresses, long numbers and dates in a text, as they stand there."""
    found = ADDRESS.findall(text)
    rest = ADDRESS.sub(" ", text) if found else text
    found += [each for each in _LONG.findall(rest) if each not in allowed]
    found += _DAY.findall(rest)
    return list(dict.fromkeys(found))


def hidden_characters(text: str, script: str = "") -> list[str]:
    """Characters of a text that cannot be seen, or lie over others that are none of `script`, by code point."""
    over = re.compile(script or "(?!)")
    every = set(text)
    unseen = {each for each in every if unicodedata.category(each) in {"Cf", "Cs", "Co", "Cc"} and each not in "\n\t\r"}
    unseen |= every & set(_BLANK)
    marks = {each for each in set(unicodedata.normalize("NFC", text)) if unicodedata.category(each) in {"Mn", "Me"}}
    unseen |= {each for each in marks if not over.match(each)}
    return sorted(f"U+{ord(each):04X}" for each in unseen)


def mixed_words(text: str) -> list[str]:
    """Words with letters of two alphabets that look alike."""
    words = (each for each in re.findall(r"[^\W\d_]+", text) if not each.isascii())
    return [each for each in words if len({*map(_alphabet, each)} - {""}) > 1]


@lru_cache(maxsize=4096)
def _alphabet(letter: str) -> str:
    name = unicodedata.name(letter, "") if letter not in _OF_UNITS else ""
    return next((each for each in _ALPHABETS if name.startswith(each)), "")


def strange_letters(text: str, script: str) -> list[str]:
    """Words with a letter that neither the language (`script`) nor plain Latin has."""
    good = re.compile(script)
    return [
        word
        for word in re.findall(r"[^\W\d_]+", text)
        if not word.isascii() and any(not (_is_latin(letter) or good.match(letter)) for letter in word)
    ]


def _is_latin(letter: str) -> bool:
    # What lies above is phonetic or a variant of form: it looks like another letter.
    return letter.isascii() or 0xC0 <= ord(letter) < 0x250 or letter in "ªº" or 0x1E00 <= ord(letter) < 0x1F00


def no_strange_value(part: Part) -> Iterator[Fault]:
    """No date, telephone, identifier or address beside those on record."""
    found = strange_values(part.own, frozenset(counts_of(part.context)))
    # What is left of lots in scope stands outside every list: "lot A1 may be used".
    tokens = set(re.findall(r"[^\s,;:()\"“”'<>]{4,}", part.own))
    found += sorted(lot for lot in scope_lots(part.context) & tokens if any(each.isdigit() for each in lot))
    found += _lengthened(part)
    if found:
        names = ", ".join(each[:60] for each in found[:_MOST])
        yield Fault(f"on no record: {names}", f"记录中没有：{names}")


def _lengthened(part: Part) -> list[str]:
    """Numbers and addresses of the record with something joined to them, which makes others of them."""
    context, found = part.context, []
    for value in (context.recall_no, context.firm_phone, context.firm_email, context.manufacturer_srn or ""):
        if len(value) < _LEAST:
            continue
        core = r"\s+".join(re.escape(word) for word in value.split())
        more = r"(?: ?[0-9]|[A-Za-z_@]|[-./+][A-Za-z0-9])" if value == context.firm_phone else _MORE
        joined = rf"[A-Za-z0-9_@+./-]{core}|{core}{more}[A-Za-z0-9._@/-]*"
        found += re.findall(joined, part.said)
    return found


def readable(part: Part) -> Iterator[Fault]:
    """Everything is seen as it is stored: no hidden character, no letter of another script, no hiding markup."""
    if hidden := hidden_characters(part.written, part.words.script):
        yield Fault(f"hidden characters: {', '.join(hidden[:_MOST])}", f"含有不可见字符：{', '.join(hidden[:_MOST])}")
    strange = list(dict.fromkeys(strange_letters(part.written, part.words.script) + mixed_words(part.written)))
    if strange:
        names = ", ".join(each[:60] for each in strange[:_MOST])
        yield Fault(f"letters of another script: {names}", f"含有其他文字的字母：{names}")
    if _FAR_IN_MARKUP.search(part.markup) if part.name == "html" else _FAR.search(part.bare):
        yield Fault("empty lines that put what follows out of sight", "大段空行使后文不易被看到")
    for link in part.links:
        if link not in {PROBE_LINK, *_own_addresses(part)}:
            yield Fault(f"a link leads to {link[:100]!r}", f"链接指向“{link[:100]}”")
    for fault in list(markup_faults(part.markup))[:_MOST]:
        yield Fault(f"markup that a notice does not have: {fault}", f"通知中不得使用的标记：{fault}")


def _own_addresses(part: Part) -> tuple[str, str]:
    phone = "".join(each for each in part.context.firm_phone if each.isdigit() or each == "+")
    return f"mailto:{part.context.firm_email}", f"tel:{phone}"


__all__ = ["hidden_characters", "mixed_words", "no_strange_value", "readable", "strange_letters", "strange_values"]
