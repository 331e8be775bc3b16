"""How long papers take: the documents of a big recall, and the files that go with each notice. No database.

    python -m bench.documents [consignees] [messages]

Documents are pure work over one record, in seconds. The files of a notice are drawn once a language at drafting and
completed for each recipient at sending; what a message costs is the processor's time of this process (median), so other
work on the machine is not counted.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from activities.enclosures import enclose
from activities.notice_body import ApprovedBody, fill
from activities.notice_rendering import TEMPLATES, NoticeRenderer
from adapters.messaging.mime import compose
from documents.answer_code import answer_code
from documents.code_png import code_png
from documents.html import as_html
from documents.notice_files import Enclosures, own_sheet
from documents.notice_pdf import Anchor
from documents.own_sheet import with_own_sheet
from documents.pdf import as_pdf
from domain.channels import Channel
from domain.documents.kinds import KINDS, as_json, draft
from domain.notice_content import NoticeKind, RecipientValues
from domain.notice_enclosure import Enclosed
from tests.documents.factories import rich
from tests.messaging.notices import CONTEXT, RECIPIENT

_DELIVERY = UUID("00000000-0000-4000-8000-000000000001")
_ROUND = 20
"""Messages of one measurement: a clock of the processor's time is coarse."""


def timed(what: str, work: Callable[[], Any]) -> Any:
    """Run it and print the seconds and, for bytes, their size."""
    begun = time.perf_counter()
    found = work()
    size = f"{len(found) / 1e6:8.2f} MB" if isinstance(found, bytes) else ""
    print(f"{what:<28}{time.perf_counter() - begun:8.2f} s {size}")
    return found


def cost(work: Callable[[RecipientValues], Any], recipients: Sequence[RecipientValues]) -> float:
    """Milliseconds of a processor that one recipient takes: median over rounds."""
    rounds = []
    for first in range(0, len(recipients), _ROUND):
        part, begun = recipients[first : first + _ROUND], time.process_time()
        for each in part:
            work(each)
        rounds.append((time.process_time() - begun) / len(part) * 1000)
    return statistics.median(rounds)


def recipients_of(count: int) -> list[RecipientValues]:
    """Recipients with a name and a link of their own, two lots each; a token differs from others in every character."""
    chance, tokens = Random(1), "-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    base, _, token = RECIPIENT.link.rpartition("/")
    links = (f"{base}/{''.join(chance.choices(tokens, k=len(token)))}" for _ in range(count))
    return [
        RECIPIENT.model_copy(update={"recipient_name": f"Hospital {number}", "link": link})
        for number, link in enumerate(links)
    ]


def bodies_of(language: str) -> list[ApprovedBody]:
    """The approved first notice of one language with its files' common half."""
    body = NoticeRenderer().render_for_approval(NoticeKind.INITIAL, Channel.EMAIL, language, CONTEXT)
    return asyncio.run(enclose([body], CONTEXT, TEMPLATES, {language: "Hospital 0123456789"}))


def notices(messages: int) -> None:
    """Print, for each language, what drafting takes once and what each message takes."""
    everybody = recipients_of(messages)
    head = f"{'files of a notice':<20}{'drafting':>10}{'a message':>11}{'sheet':>8}{'code':>7}{'mail':>10}"
    print(f"\n{head}   ({messages} messages, ms of a processor each; drafting: the first in this process)")
    for language in NoticeRenderer().languages(NoticeKind.INITIAL, Channel.EMAIL):
        begun = time.process_time()
        bodies = bodies_of(language)
        drafting = time.process_time() - begun
        body, enclosures = bodies[0], Enclosures(bodies)

        def files(recipient: RecipientValues, body: ApprovedBody = body, kept: Enclosures = enclosures) -> Any:
            machine = kept.machine(body, recipient, _DELIVERY, fill(body, recipient))
            return kept.files(body, recipient, machine)

        filled = fill(body, RECIPIENT)
        size = len(compose([], filled.text, filled.html, "=_0", files(RECIPIENT)))
        figures = (cost(files, everybody), cost(_sheet_of(body), everybody), cost(_code, everybody))
        whole, sheet, code = (f"{figure:.2f}" for figure in figures)
        print(f"  {language:<18}{drafting:>8.2f} s{whole:>11}{sheet:>8}{code:>7}{size / 1000:>7.0f} kB")


def _sheet_of(body: ApprovedBody) -> Callable[[RecipientValues], bytes]:
    enclosed = Enclosed.from_json(body.enclosed or {})
    if enclosed.letter is None or enclosed.words is None:
        raise SystemExit(f"{body.kind}/{body.language}: no letter was drawn")
    letter, anchor, words = enclosed.letter.read(), Anchor(**enclosed.letter.anchor), enclosed.words
    matrix = answer_code(RECIPIENT.link)
    number = CONTEXT.recall_no
    return lambda recipient: with_own_sheet(letter, anchor, own_sheet(recipient, number, words), matrix)


def _code(recipient: RecipientValues) -> bytes:
    return code_png(answer_code(recipient.link))


def main() -> None:
    """Print the figures."""
    consignees = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    messages = int(sys.argv[2]) if len(sys.argv) > 2 else 2_000
    record = timed(f"record of {consignees} consignees", lambda: rich(consignees=consignees))
    found = timed("draft of the 806 report", lambda: draft(KINDS["us_806_report"], record))
    for name, form in (("JSON", as_json), ("HTML", as_html), ("PDF", as_pdf)):
        timed(f"as {name}", partial(form, found))
    notices(messages)


if __name__ == "__main__":
    main()
