"""What a signing password must be: long, printable, not the person's own name, not one key held down.

Length carries the strength (NIST SP 800-63B 5.1.1.2), so no mix of character classes is asked for. A password is
normalised before it is hashed: the same keys typed on another keyboard must give the same password.
"""

import unicodedata
from typing import Final

MIN_LENGTH: Final = 12
"""Characters; an installation may ask for more, never for less than 8."""
MAX_LENGTH: Final = 128
MAX_FAILED: Final = 5
"""Wrong passwords in a row that lock a person out (21 CFR 11.300(d))."""
_FEWEST_DIFFERENT: Final = 5


def normalised(password: str) -> str:
    """The one form that is hashed and compared (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def fault_of(password: str, *, principal: str, least: int = MIN_LENGTH) -> str | None:
    """What is wrong with a new password, or None; the text never repeats it.

    Args:
        principal: whose password it is to be.
        least: fewest characters.
    """
    given = normalised(password)
    if not least <= len(given) <= MAX_LENGTH:
        return f"expected {least} to {MAX_LENGTH} characters"
    if not given.isprintable():
        return "expected printable characters"
    if len(set(given)) < _FEWEST_DIFFERENT:
        return f"expected at least {_FEWEST_DIFFERENT} different characters"
    if principal.casefold().replace(" ", "") in given.casefold().replace(" ", ""):
        return "expected a password without the person's own name"
    return None


__all__ = ["MAX_FAILED", "MAX_LENGTH", "MIN_LENGTH", "fault_of", "normalised"]
