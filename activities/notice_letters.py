"""Reading the letters of a draft back from the files that go out, for the content check.

Each is completed as at sending, for the recipient that the check fills bodies with, so that the own sheet is read too.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from activities.notice_body import ApprovedBody, fill
from documents.font import drawable
from documents.letter_text import LetterError, pages_of, without_feet
from documents.notice_files import Enclosures
from domain.notice_body import BodyError, common_text
from domain.notice_enclosure import Enclosed, EnclosureError
from domain.notice_enclosure_check import ReadLetter
from domain.notice_facts import PROBE

_NOBODY = UUID(int=0)
_PDF = "application/pdf"


async def read_letters(bodies: Sequence[ApprovedBody]) -> dict[str, ReadLetter]:
    """By the hash of the body that holds it; one that cannot be read says why. Read beside the event loop."""
    return await asyncio.to_thread(_read_all, bodies)


def _read_all(bodies: Sequence[ApprovedBody]) -> dict[str, ReadLetter]:
    read = {}
    for body in bodies:
        if (body.enclosed or {}).get("letter"):
            try:
                read[body.sha256] = _read(body)
            except (LetterError, EnclosureError, BodyError, KeyError, ValueError) as error:
                read[body.sha256] = ReadLetter("", "", fault=str(error) or type(error).__name__)
    return read


def _read(body: ApprovedBody) -> ReadLetter:
    files = Enclosures([body])
    machine = files.machine(body, PROBE, _NOBODY, fill(body, PROBE))
    [pdf] = [file for file in files.files(body, PROBE, machine) if file.content_type == _PDF]
    pages = pages_of(pdf.content)
    enclosed = Enclosed.from_json(body.enclosed or {})
    own = len(enclosed.letter.anchor["kids"]) if enclosed.letter else len(pages)
    title = common_text(body).strip().partition("\n")[0]
    letter = without_feet(pages[:own], drawable(enclosed.facts.recall_no), drawable(title))
    return ReadLetter(letter=letter, sheet="\n".join(pages[own:]))


__all__ = ["read_letters"]
