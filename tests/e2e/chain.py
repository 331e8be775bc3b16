"""A made-up chain as files for the import commands: one product, one lot and consignees of its own per scenario.

Every scenario has its own brand, so that several recalls run on one stack without knowing of each other. The test
knows the truth from here, never from the product.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from pathlib import Path

_MOVEMENTS = """\
kind: movements
description: deliveries of the test
source_system: e2e
source_id: id
dates: {formats: ["%Y-%m-%d"], time_zone: UTC}
units: {kit: 1}
columns:
  kind: {constant: shipment}
  delivered: {constant: true}
  product: brand
  lot: lot
  site: site
  from: site
  to: consignee
  quantity: quantity
  unit: {constant: kit}
  occurred_at: date
create:
  product: {name: brand, brand: brand, family: brand, unit_of_use: {constant: kit}}
  lot: {}
  site: &own
    partner:
      code: site
      name: site
      kind: {constant: manufacturer}
      language: {constant: en}
      time_zone: {constant: UTC}
    location: {name: site, custody: {constant: own}}
  from: *own
  to:
    partner:
      code: consignee
      name: consignee
      kind: {constant: hospital}
      country: {constant: US}
      language: language
      time_zone: {constant: UTC}
    location: {name: consignee, custody: {constant: customer}}
"""
_CONTACTS = """\
kind: contacts
description: contacts of the test
source_system: e2e
columns:
  partner: partner
  position: position
  name: name
  role: {constant: laboratory stores}
  email: email
  phone: phone
  channels: channels
"""
_STOCK = """\
kind: stock
description: stock of the test
source_system: e2e
dates: {formats: ["%Y-%m-%d %H:%M"], time_zone: UTC}
units: {kit: 1}
columns:
  product: brand
  lot: lot
  site: site
  location: site
  quantity: on_hand
  unit: {constant: kit}
  as_of: as_of
"""
SITE = "E2E Plant"
_phones = count(1)


@dataclass(frozen=True)
class Consignee:
    """A site that received the product, with how it can be reached."""

    code: str
    quantity: int
    language: str = "en"
    email: str | None = None
    phone: str | None = None
    second_email: str | None = None

    @property
    def first_address(self) -> str:
        """Where the first notice has to go."""
        return self.email or self.phone or ""


@dataclass(frozen=True)
class Group:
    """The consignees of one brand."""

    brand: str
    consignees: tuple[Consignee, ...]

    @property
    def lot(self) -> str:
        """The brand's one lot."""
        return f"L-{self.brand}"

    @property
    def by_mail(self) -> tuple[Consignee, ...]:
        """Those whose first notice is a mail."""
        return tuple(each for each in self.consignees if each.email)

    @property
    def by_sms(self) -> tuple[Consignee, ...]:
        """Those whose first notice is a text message."""
        return tuple(each for each in self.consignees if not each.email)

    def of(self, address: str) -> Consignee:
        """The consignee an address belongs to."""
        return self._by_address[address]

    @cached_property
    def _by_address(self) -> dict[str, Consignee]:
        return {a: each for each in self.consignees for a in (each.email, each.phone, each.second_email) if a}


def group(brand: str, mails: int, texts: int, *, bouncing: int = 0, chinese: int = 0) -> Group:
    """Consignees with invented addresses that nobody else has; the first ones bounce or read Chinese."""
    slug = brand.lower()
    made = [
        Consignee(
            f"{brand}-{n:04d}",
            quantity=10 + n % 7,
            language="zh-CN" if bouncing <= n < bouncing + chinese else "en",
            email=f"{'bounce.' if n < bouncing else ''}stores@{slug}-{n:04d}.example",
            second_email=f"quality@{slug}-{n:04d}.example" if n < bouncing else None,
        )
        for n in range(mails)
    ]
    made += [
        Consignee(f"{brand}-{n:04d}", quantity=10 + n % 7, phone=f"+254700{next(_phones):06d}")
        for n in range(mails, mails + texts)
    ]
    return Group(brand, tuple(made))


@dataclass(frozen=True)
class Import:
    """One `recall import` to run."""

    kind: str
    file: Path
    mapping: Path


def write(folder: Path, groups: Sequence[Group]) -> list[Import]:
    """Write the files and mappings; returns the imports in their order."""
    shipped = [
        [f"{c.code}/1", g.brand, g.lot, SITE, c.code, c.quantity, "2026-03-02", c.language]
        for g in groups
        for c in g.consignees
    ]
    people = [
        [c.code, position, f"Person {position}", mail or "", (c.phone or "") if position == 1 else "", channel]
        for g in groups
        for c in g.consignees
        for position, mail, channel in _reached(c)
    ]
    counted = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    stock = [[g.brand, g.lot, SITE, 40, counted] for g in groups]
    return [
        _import(
            folder,
            "movements",
            _MOVEMENTS,
            ["id", "brand", "lot", "site", "consignee", "quantity", "date", "language"],
            shipped,
        ),
        _import(folder, "contacts", _CONTACTS, ["partner", "position", "name", "email", "phone", "channels"], people),
        _import(folder, "stock", _STOCK, ["brand", "lot", "site", "on_hand", "as_of"], stock),
    ]


def _reached(consignee: Consignee) -> Iterable[tuple[int, str | None, str]]:
    yield 1, consignee.email, "email" if consignee.email else "sms"
    if consignee.second_email:
        yield 2, consignee.second_email, "email"


def _import(folder: Path, kind: str, mapping: str, head: list[str], rows: Iterable[Sequence[object]]) -> Import:
    file, map_file = folder / f"{kind}.csv", folder / f"{kind}.yaml"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(head)
        writer.writerows(rows)
    map_file.write_text(mapping, encoding="utf-8")
    return Import(kind, file, map_file)
