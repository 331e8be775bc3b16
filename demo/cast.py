"""Who plays in the demonstration: for each consignee its contacts, invented, and how each of them will behave.

Everything follows from the seed, so a run can be repeated. Names are invented, e-mail addresses end in `.example`,
telephone numbers are of the ranges reserved for fiction (NANP 555-0100 to 555-0199).
"""

import csv
import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_FIRST = ("Amina", "Dalia", "Emeka", "Farah", "Grace", "Hugo", "Imani", "Jonas", "Kwame", "Lena", "Musa", "Nadia")
_LAST = ("Abebe", "Banda", "Costa", "Diallo", "Fofana", "Gomez", "Haile", "Kamau", "Lungu", "Moyo", "Okafor", "Phiri")
_CHINESE = ("林晓雯", "陈国强", "王雅琴", "赵明远")
_AREAS = ("212", "213", "312", "415", "617")
_NUMBERS = 100


@dataclass(frozen=True)
class Contact:
    """A person at a consignee, and what this person will do."""

    partner: str
    position: int
    name: str
    role: str
    email: str | None
    phone: str | None
    channels: str
    part: str
    """page, sms:1, sms:2: how the answer is given; silent: never."""
    at_message: int = 1
    """Answers at this message: 2 waits for the reminder."""


@dataclass(frozen=True)
class Cast:
    """All contacts, the partners that read Chinese, and the site one of them passes product on to."""

    contacts: tuple[Contact, ...]
    chinese: frozenset[str]
    silent_until_reminder: frozenset[str]
    silent_until_escalation: frozenset[str]
    bouncing: frozenset[str]
    by_sms: frozenset[str]
    silent: frozenset[str]
    """Never say anything."""
    passing_on: str
    clinic: "NamedSite"


@dataclass(frozen=True)
class NamedSite:
    """The customer's customer nobody has on record before an answer names it."""

    name: str
    contact: str
    email: str


class _Inventor:
    """Invents people with addresses that are never given twice."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a story, not a secret
        self._phones = (f"+1{area}5550{100 + n}" for area in _AREAS for n in range(_NUMBERS))
        self._used: set[str] = set()

    def name(self) -> str:
        return f"{self.random.choice(_FIRST)} {self.random.choice(_LAST)}"

    def phone(self) -> str:
        return next(self._phones)

    def email(self, desk: str, partner: str) -> str:
        address = f"{desk}@{slug(partner)}.example"
        if address in self._used:
            raise ValueError(f"{address} is given twice")
        self._used.add(address)
        return address


def slug(text: str) -> str:
    """A name as part of a domain."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60]


def cast_roles(
    consignees: Sequence[str], seed: int, passing_on: str, reads_chinese: frozenset[str] | None = None
) -> Cast:
    """Give every consignee its contacts and their parts.

    Args:
        consignees: partner codes.
        seed: same seed, same cast.
        passing_on: the consignee that passes product on; it must hold enough of a lot.
        reads_chinese: partners whose language is Chinese on record; without it some are chosen.
    """
    inventor = _Inventor(seed)
    others = sorted(set(consignees) - {passing_on})
    inventor.random.shuffle(others)
    # Shares are those of the story with 53 consignees; a small chain still has one of each.
    shares = {"silent": 0.0, "bounce": 0.05, "sms": 0.12, "reminder": 0.12, "escalation": 0.04}
    if reads_chinese is None:
        shares["chinese"] = 0.08
    groups: dict[str, list[str]] = {}
    for name, share in shares.items():
        size = min(max(1, round(share * len(consignees))), len(others))
        groups[name], others = others[:size], others[size:]
    chinese = frozenset(groups["chinese"]) if reads_chinese is None else reads_chinese
    contacts: list[Contact] = []
    for partner in sorted(consignees):
        part = next((name for name, members in groups.items() if partner in members), "page")
        names = _CHINESE if partner in chinese else None
        contacts += _contacts(inventor, partner, part, names)
    return Cast(
        contacts=tuple(contacts),
        chinese=chinese,
        silent_until_reminder=frozenset(groups["reminder"]),
        silent_until_escalation=frozenset(groups["escalation"]),
        bouncing=frozenset(groups["bounce"]),
        by_sms=frozenset(groups["sms"]),
        silent=frozenset(groups["silent"]),
        passing_on=passing_on,
        clinic=NamedSite("Riverside District Clinic", "Tomas Achieng", "stores@riverside-clinic.example"),
    )


def _contacts(inventor: _Inventor, partner: str, part: str, names: Sequence[str] | None) -> Iterator[Contact]:
    first = inventor.random.choice(names) if names else inventor.name()
    second = inventor.random.choice(names) if names else inventor.name()
    if part == "sms":
        answer = inventor.random.choice(("sms:1", "sms:2"))
        yield Contact(partner, 1, first, "duty telephone", None, inventor.phone(), "sms", answer)
        return
    if part == "silent":
        yield Contact(partner, 1, first, "laboratory stores", inventor.email("stores", partner), None, "email", part)
        yield Contact(partner, 2, second, "quality manager", None, inventor.phone(), "sms", part)
        return
    desk = "bounce.stores" if part == "bounce" else "stores"
    silent = part in {"bounce", "escalation"}
    yield Contact(
        partner,
        1,
        first,
        "laboratory stores",
        inventor.email(desk, partner),
        None,
        "email",
        "silent" if silent else "page",
        at_message=2 if part == "reminder" else 1,
    )
    if silent or inventor.random.random() < 0.5:
        email = inventor.email("quality", partner)
        yield Contact(partner, 2, second, "quality manager", email, inventor.phone(), "email;sms", "page")


def write_contacts(cast: Cast, path: Path) -> None:
    """The contact list as a file for `recall import contacts`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["partner", "position", "name", "role", "email", "phone", "channels"])
        for c in cast.contacts:
            writer.writerow([c.partner, c.position, c.name, c.role, c.email or "", c.phone or "", c.channels])
