"""What a reader of a finished PDF can copy out of it: read back by another library than the one that drew it.

So that the check of a notice judges the file that goes out, not what was meant to be drawn.
"""

import io

from pypdf import PdfReader
from pypdf.errors import PyPdfError


class LetterError(Exception):
    """A file that is no readable PDF, or lacks the foot of its pages; the message says which."""


def pages_of(content: bytes) -> list[str]:
    """Text of each page, in the order of drawing.

    Raises:
        LetterError: not a PDF.
    """
    try:
        return [page.extract_text() for page in PdfReader(io.BytesIO(content), strict=True).pages]
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise LetterError(f"the PDF cannot be read: {type(error).__name__}") from error


def without_feet(pages: list[str], number: str, title: str) -> str:
    """Text of a letter without what `documents.page` prints at the foot of each page.

    Raises:
        LetterError: a page does not end with its foot.
    """
    out = []
    for index, page in enumerate(pages, 1):
        text, foot = "".join(page.split()), "".join(f"{number}{title}{index}".split())
        if not text.endswith(foot):
            raise LetterError(f"page {index} of the letter does not end with its number and title")
        out.append(text.removesuffix(foot))
    return "".join(out)


__all__ = ["LetterError", "pages_of", "without_feet"]
