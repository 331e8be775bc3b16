"""The recipients, played from outside: they know only what lies in their mailbox and on their telephone.

Each person reads a message, follows the link in it, fills in the form a step at a time as a browser without
JavaScript would, or answers the text message. What they say, they write down: the checker compares it later.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from demo.cast import Cast, Contact, NamedSite
from demo.html_form import Browser, Page, PageError, own_address
from demo.sinks import Sinks
from demo.truth import LotKey
from demo.waiting import DemoError

_LINK = re.compile(r"https?://\S+/r/[A-Za-z0-9_-]+")
_HANDS = 4


@dataclass
class Diary:
    """What the people did, in their own words."""

    told: list[dict[str, Any]] = field(default_factory=list)
    onward: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Books:
    """One site's own books: what it received, and how much of it is used by now."""

    received: Mapping[LotKey, Decimal]
    product_names: Mapping[str, str]
    """Product code -> name as printed on the pack and the page."""
    used_share: Decimal
    passed_on: tuple[LotKey, Decimal] | None = None

    def statement(self, lot: LotKey) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """On hand, used, held, passed on; whole packs."""
        received = self.received[lot]
        passed = self.passed_on[1] if self.passed_on and self.passed_on[0] == lot else Decimal(0)
        used = ((received - passed) * self.used_share).to_integral_value(rounding="ROUND_DOWN")
        on_hand = received - passed - used
        return on_hand, used, on_hand, passed


class Recipients:
    """Everybody who may get a message; `look` lets them read what is new and answer it."""

    def __init__(
        self,
        sinks: Sinks,
        cast: Cast,
        asked: Iterable[str],
        books: Callable[[str], Books],
        say: Callable[[str], None],
    ) -> None:
        self._sinks, self._cast, self._books, self._say = sinks, cast, books, say
        self._people: dict[str, Contact] = {}
        for contact in cast.contacts:
            self._people |= {address: contact for address in (contact.email, contact.phone) if address}
        self._people[cast.clinic.email] = Contact(
            cast.clinic.name, 1, cast.clinic.contact, "head of stores", cast.clinic.email, None, "email", "page"
        )
        self._read: Counter[tuple[str, int]] = Counter()
        self._answering: set[str] = set()
        self._pool = ThreadPoolExecutor(_HANDS, thread_name_prefix="recipient")
        self._under_way: list[Future[None]] = []
        self._lock = threading.Lock()
        self._browsers = 0
        self._owed = Counter(dict.fromkeys([*asked, cast.clinic.name], 1))
        """How many whole answers each site owes."""
        self.staff: set[str] = set()
        """Addresses of our own people; their mail is not for the recipients."""
        self.staff_mail = 0
        self.diary = Diary()

    def addresses(self) -> dict[str, str]:
        """Address -> whose it is, for the checker."""
        return {address: contact.partner for address, contact in self._people.items()}

    def look(self) -> int:
        """Read what is new at both sinks; returns how many messages were read.

        Raises:
            DemoError: a message came to somebody who is not in the story, or an answer could not be given.
        """
        self._raise_failures()
        read = 0
        for mail in self._sinks.new_mail():
            read += 1
            if mail["to"] in self.staff:
                self.staff_mail += 1
                continue
            self._receive(mail["to"], mail["text"] or mail["html"] or "", None)
        for text in self._sinks.new_sms():
            read += 1
            if text["to"] in self.staff:
                continue
            self._receive(text["to"], text["body"], text["from"])
        return read

    def missing(self) -> list[str]:
        """Sites that have not said their whole part yet."""
        done = Counter(
            told["consignee"] for told in self.diary.told if told["channel"] == "sms" or told["kind"] == "statement"
        )
        return sorted(
            site for site, times in self._owed.items() if done[site] < times and site not in self._cast.silent
        )

    def expect_again(self, sites: set[str]) -> None:
        """These sites will be asked once more, and answer the next message they get."""
        done = Counter(
            told["consignee"] for told in self.diary.told if told["channel"] == "sms" or told["kind"] == "statement"
        )
        for site in sites - self._cast.silent:
            self._owed[site] = done[site] + 1
            self._answering.discard(site)

    def listen_again(self, sites: set[str]) -> None:
        """These sites answer the next message they get, whatever they have said."""
        self._answering -= sites

    def settle(self) -> None:
        """Wait for the answers that are being given now.

        Raises:
            DemoError: one of them could not be given.
        """
        wait(self._under_way)
        self._raise_failures()

    def finish(self) -> None:
        """Wait for the last answers; nobody reads anything any more.

        Raises:
            DemoError: one of them could not be given.
        """
        self._pool.shutdown(wait=True)
        self._raise_failures()

    def _raise_failures(self) -> None:
        for done in [each for each in self._under_way if each.done()]:
            self._under_way.remove(done)
            error = done.exception()
            if error is not None:
                raise DemoError(f"a recipient could not answer: {error!r}") from error

    def _receive(self, address: str, text: str, number: str | None) -> None:
        person = self._people.get(address)
        if person is None:
            raise DemoError(f"a message went to {address}, who is not in the story")
        link = _LINK.search(text)
        if link is None:
            raise DemoError(f"the message to {address} has no link: {text[:200]}")
        self.diary.links.append(link.group())
        self._read[person.partner, person.position] += 1
        times = self._read[person.partner, person.position]
        if person.part == "silent" or times < person.at_message or person.partner in self._answering:
            return
        self._answering.add(person.partner)
        self._under_way.append(self._pool.submit(self._answer, person, link.group(), number, times))

    def _answer(self, person: Contact, link: str, number: str | None, times: int) -> None:
        by_text = person.part.startswith("sms:") and number is not None
        if by_text:
            self._answer_by_sms(person, number or "", person.part.partition(":")[2])
        else:
            self._answer_on_page(person, link)
        reached = "text message" if number else "mail"
        how = f"by text: {person.part[-1]}" if by_text else "on the page"
        self._say(f"{person.partner}: {person.role} answers {reached} {times} {how}")

    def _answer_by_sms(self, person: Contact, number: str, body: str) -> None:
        said = self._sinks.answer_sms(person.phone or "", number, body)
        if said["webhook_status"] != 200 or not said["answers"]:
            raise PageError(f"the text message {body!r} was answered with {said}")
        self._write_down(person.partner, "sms", "acknowledgement", {})

    def _answer_on_page(self, person: Contact, link: str) -> None:
        with self._lock:
            self._browsers += 1
            address = own_address(self._browsers)
        browser = Browser(address)
        try:
            page = self._expect(browser.open(link))
            if person.partner in self._cast.chinese and not page.language.startswith("zh"):
                raise PageError(f"{person.partner} reads Chinese, the page is in {page.language!r}")
            page = self._expect(browser.submit(page, page.form("acknowledged"), {}, "acknowledged"))
            self._write_down(person.partner, "page", "acknowledgement", {})
            page = self._expect(browser.submit(page, page.form("affected"), {"affected": "yes"}))
            self._fill_in_lots(browser, page, person)
        finally:
            browser.close()

    def _fill_in_lots(self, browser: Browser, page: Page, person: Contact) -> None:
        books = self._books(person.partner)
        form = page.form()
        filled: dict[str, str] = {}
        lines: dict[LotKey, tuple[Decimal, Decimal, Decimal, Decimal]] = {}
        for name, one in form.fields.items():
            kind, dash, _ = name.partition("-")
            if one.kind == "hidden" or not dash:
                continue
            lot = lot_of(one.group, books)
            lines[lot] = books.statement(lot)
            figures = dict(zip(("on_hand", "used", "held", "passed_on"), lines[lot], strict=True))
            if kind in figures:  # nothing was sent back or destroyed: those boxes may stay empty
                filled[name] = format(figures[kind].normalize(), "f")
        if set(lines) != set(books.received):
            raise PageError(
                f"{person.partner}: the page asks for {sorted(lines)}, received was {sorted(books.received)}"
            )
        page = self._expect(browser.submit(page, form, filled))
        if books.passed_on is not None:
            page = self._name_receiver(browser, page, person, self._cast.clinic, books.passed_on)
        named = {"responder_name": person.name, "responder_role": person.role}
        page = self._expect(browser.submit(page, page.form("responder_name"), named))
        if any("responder_name" in form.fields or "lot" in "".join(form.fields) for form in page.forms):
            raise PageError(f"{person.partner}: the answer was not taken: {page.text[:300]}")
        self._write_down(person.partner, "page", "statement", lines)

    def _name_receiver(
        self, browser: Browser, page: Page, person: Contact, site: NamedSite, passed: tuple[LotKey, Decimal]
    ) -> Page:
        (product, lot, made_at), quantity = passed
        form = page.form("to-0-name")
        filled = {"to-0-name": site.name, "to-0-email": site.email, "to-0-quantity": format(quantity.normalize(), "f")}
        page = self._expect(browser.submit(page, form, filled))
        self.diary.onward.append((site.name, product, lot, made_at, str(quantity)))
        self._say(f"{person.partner}: names {site.name} as the receiver of {quantity} packs of {lot}")
        return page

    def _expect(self, page: Page) -> Page:
        if page.status != 200:
            raise PageError(f"the page answered {page.status}: {page.text[:300]}")
        return page

    def _write_down(
        self,
        partner: str,
        channel: str,
        kind: str,
        lines: Mapping[LotKey, tuple[Decimal, Decimal, Decimal, Decimal]],
    ) -> None:
        listed = [[*lot, *(str(figure) for figure in figures)] for lot, figures in sorted(lines.items())]
        with self._lock:
            self.diary.told.append({"consignee": partner, "channel": channel, "kind": kind, "lines": listed})


def lot_of(group: str, books: Books) -> LotKey:
    """Which of the site's own lots a group of the form asks about.

    Raises:
        PageError: none, or more than one.
    """
    found = [
        (product, number, site)
        for product, number, site in books.received
        if re.search(rf"(?<!\S){re.escape(number)}(?!\S)", group) and books.product_names[product] in group
    ]
    if len(found) != 1:
        raise PageError(f"the page asks about something else than one of {sorted(books.received)}: {group[:200]}")
    return found[0]
