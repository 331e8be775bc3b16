"""The files that go with a notice: the PDF letter with the recipient's own sheet, its lots as CSV, the notice as JSON.

What is common was drawn when the notice was drafted, and approved with it; here it is only read back. What is the
recipient's own is added, the same bytes on every attempt: nothing here reads a clock or draws a number. Sending,
preview and test all take their files from here, so that what is looked at is what is sent.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from documents.answer_code import answer_code
from documents.code_png import code_png
from documents.notice_pdf import Anchor
from documents.own_sheet import Sheet, shared, with_own_sheet
from domain.attachment import Attachment
from domain.lots_csv import lots_csv
from domain.notice_body import ApprovedBody, Rendered
from domain.notice_content import NoticeKind, RecipientValues, plain
from domain.notice_enclosure import MACHINE_FILE, Enclosed, FileName, SheetWords, carries_facts
from domain.notice_machine import machine_notice

MAX_TOTAL: Final = 5 * 1024 * 1024
"""Bytes of all files of a message; one that no longer fits is left out. Many servers refuse more than ten megabytes."""
CODE_ID: Final = "answer-code@recall"
"""Content-ID of the QR code, as the HTML body names it."""
_Key = tuple[str, str, str]
"""Kind, channel, language."""


class Enclosures:
    """The approved half of the files of a notice's bodies, read once for all its recipients."""

    def __init__(self, bodies: Sequence[ApprovedBody]) -> None:
        """Raises `EnclosureError` when what is stored is not what was approved."""
        self._enclosed: dict[_Key, Enclosed] = {}
        self._letters: dict[_Key, tuple[bytes, Anchor]] = {}
        for body in bodies:
            if body.enclosed is None:
                continue
            key = (body.kind, body.channel, body.language)
            self._enclosed[key] = enclosed = Enclosed.from_json(body.enclosed)
            if enclosed.letter:
                self._letters[key] = (enclosed.letter.read(), shared(Anchor(**enclosed.letter.anchor)))

    def machine(
        self,
        body: ApprovedBody,
        recipient: RecipientValues,
        delivery_id: UUID,
        filled: Rendered,
        *,
        test: bool = False,
    ) -> bytes | None:
        """The notice for machines; None where a channel carries none. `test`: its schema says that it is none."""
        enclosed = self._enclosed.get((body.kind, body.channel, body.language))
        if enclosed is None or not carries_facts(NoticeKind(body.kind), body.channel):
            return None
        return machine_notice(enclosed.facts, recipient, delivery_id, filled.text, test=test).canonical()

    def files(self, body: ApprovedBody, recipient: RecipientValues, machine: bytes | None) -> tuple[Attachment, ...]:
        """The attachments of an e-mail: first the code that the HTML shows, then the files as far as they fit."""
        enclosed = self._enclosed.get((body.kind, body.channel, body.language))
        if enclosed is None or enclosed.words is None or enclosed.letter_of is None:
            return ()
        letter, anchor = self._letters[(enclosed.letter_of, body.channel, body.language)]
        code = answer_code(recipient.link)
        number, words = enclosed.facts.recall_no, enclosed.words
        names = FileName(words, number)
        sheet = own_sheet(recipient, number, words)
        files = [
            Attachment(names.notice, "application/pdf", with_own_sheet(letter, anchor, sheet, code)),
            Attachment(names.lots, "text/csv; charset=utf-8", lots_csv(recipient.lots, words)),
        ]
        if machine is not None:
            files.append(Attachment(MACHINE_FILE, "application/json", machine))
        picture = Attachment("answer-code.png", "image/png", code_png(code), content_id=CODE_ID)
        return (picture, *_fitting(files))


def own_sheet(recipient: RecipientValues, recall_no: str, words: SheetWords) -> Sheet:
    """The recipient's values in the places of its sheet."""
    slots, rows = recipient.slots(), []
    for lot in recipient.lots:
        days = (lot.expires_on, lot.shipped_on)
        expires, shipped = (day.isoformat() if day else "–" for day in days)
        number = "\n".join([lot.lot, *([f"{words.serials}: {' '.join(lot.serials)}"] if lot.serials else [])])
        quantity = f"{plain(lot.quantity)} {lot.unit}"
        product = f"{lot.site}\n{lot.product}" if lot.site else lot.product
        rows.append((product, lot.gtin or "–", lot.udi_di or "–", number, expires, quantity, shipped))
    more = (words.distributor,) if recipient.distributor else ()
    due = (f"{words.respond_by}: {slots['respond_by']}",) if slots["respond_by"] else ()
    sites = (f"{words.sites}: {len(recipient.sites)}",) if recipient.sites else ()
    return Sheet(
        title=words.title,
        lines=(f"{words.recall}: {recall_no}", f"{words.recipient}: {slots['recipient_name']}", *sites, *due, *more),
        titles=(
            words.product,
            words.gtin,
            words.udi_di,
            words.lot,
            words.expires_on,
            words.quantity,
            words.shipped_on,
        ),
        rows=tuple(rows),
        scan=words.scan,
        link=recipient.link,
        more=words.more,
    )


def _fitting(files: list[Attachment]) -> list[Attachment]:
    kept, total = [], 0
    for file in files:
        if total + len(file.content) <= MAX_TOTAL:
            kept.append(file)
            total += len(file.content)
    return kept


__all__ = ["CODE_ID", "MAX_TOTAL", "Enclosures", "own_sheet"]
