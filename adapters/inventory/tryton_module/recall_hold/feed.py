# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed, by the instant of the change: moves, lots, shipments, and what recalls did themselves.

A transaction is seen only when it commits but carries the instant at which it began. A sweep therefore starts a while
before the one before it did, and tells some changes twice rather than one never.
"""

import datetime

from sql import Literal
from sql.functions import CurrentTimestamp
from trytond.model import Model
from trytond.pool import Pool
from trytond.rpc import RPC
from trytond.transaction import Transaction

from . import tools
from .indexed import changed_at

OVERLAP = datetime.timedelta(minutes=10)
"""Longer than any transaction runs."""
SOURCES = (
    ("stock.move", "stock"),
    ("stock.lot", "stock"),
    ("stock.shipment.out", "document"),
    ("stock.shipment.internal", "document"),
    ("stock.shipment.in", "document"),
    ("stock.shipment.out.return", "document"),
    ("stock.shipment.in.return", "document"),
    ("recall.hold", "hold"),
    ("recall.disposal", "disposal"),
    ("recall.block", "document"),
    ("production", "document"),
    ("sale.line", "document"),
    ("purchase.line", "document"),
)
SHARED = {"stock.lot", "recall.block", "sale.line", "purchase.line"}
"""Tables without a company of their own."""
OF_ONE_COMPANY = {model for model, _ in SOURCES} - SHARED


class Feed(Model):
    """Pages of changes, oldest first."""

    __name__ = "recall.feed"

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__.update({"changes": RPC()})

    @classmethod
    def changes(cls, cursor, limit):
        """A page after `cursor`: rows, the next cursor, whether there is more.

        Without a cursor the feed begins now: what lies there already is found by `locate`, not by reading its history.
        """
        tools.check_user()
        with tools.acting():
            now = _now()
            began, since, source, after = _read(cursor) if cursor else (now, now - OVERLAP, 0, 0)
            began = began or now
            found = sorted(
                row
                for index, (model, _) in enumerate(SOURCES)
                if _known(model)
                for row in _changed(model, index, since, source, after, limit + 1)
            )
            page, more = found[:limit], len(found) > limit
            rows = [row for changed in page for row in _described(*changed)]
            if more:
                at, index, record = page[-1]
                following = f"{began.isoformat()}|{at.isoformat()}|{index}|{record}"
            else:
                following = f"|{(began - OVERLAP).isoformat()}|0|0"
            return {"rows": rows, "cursor": following, "more": more}


def _read(cursor):
    """Instant the sweep began (None: a new one), and the last change told: its instant, source and id."""
    try:
        began, since, source, after = cursor.split("|")
        start = datetime.datetime.fromisoformat(began) if began else None
        return start, datetime.datetime.fromisoformat(since), int(source), int(after)
    except ValueError:
        return tools.refuse(f'"{cursor}" is no cursor of this feed')


def _now():
    cursor = Transaction().connection.cursor()
    cursor.execute("SELECT " + str(CurrentTimestamp()), CurrentTimestamp().params)
    return _instant(cursor.fetchone()[0])


def _instant(value):
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value)
    return value.replace(tzinfo=None)


def _known(model):
    try:
        Pool().get(model)
    except KeyError:
        return False
    return True


def _changed(model, index, since, source, after, limit):
    """(instant, index, id) of records changed after this point of the order."""
    table = Pool().get(model).__table__()
    at = changed_at(table)
    # A plain bound first: by it the index is entered where the last page ended.
    if index > source:
        past = at >= since
    elif index == source:
        past = (at >= since) & ((at > since) | (table.id > after))
    else:
        past = at > since
    if model in OF_ONE_COMPANY:
        past &= table.company == tools.company_id()
    if model == "stock.move":
        past &= (table.lot != None) | _watched(table)  # noqa: E711 - a clause, not a comparison
    cursor = Transaction().connection.cursor()
    cursor.execute(*table.select(table.id, at.as_("at"), where=past, order_by=[at, table.id], limit=limit))
    return [(_instant(instant), index, key) for key, instant in cursor]


def _watched(table):
    """Moves that name no lot count where a lot of their product is under a hold."""
    pool = Pool()
    hold, lot = pool.get("recall.hold").__table__(), pool.get("stock.lot").__table__()
    held = hold.join(lot, condition=hold.lot == lot.id).select(lot.product, where=hold.state == "open")
    return table.product.in_(held) & Literal(True)


def _described(_, index, key):
    """The lots and places a changed record concerns."""
    model, what = SOURCES[index]
    record = Pool().get(model)(key)
    if model == "stock.move" and record.origin and record.origin.__name__ == "recall.hold":
        what = "hold"
    whose = getattr(record.document if model == "recall.block" else record, "company", None)
    if whose is not None and whose.id != tools.company_id():
        return []
    rows = {(lot, place) for lot, place in _concerned(record) if lot is not None}
    return [
        {
            "product": lot.product.code,
            "number": lot.number,
            "codes": tools.path(place) if place else [],
            "what": what,
        }
        for lot, place in sorted(rows, key=lambda each: (each[0].id, each[1].id if each[1] else 0))
    ]


def _concerned(record):
    name = record.__name__
    if name == "stock.lot":
        return [(record, None)]
    if name in {"recall.hold", "recall.disposal"}:
        return [(record.lot, record.place)]
    if name == "stock.move":
        return [(lot, place) for lot in _lots_of(record) for place in _ends(record)]
    if name in {"sale.line", "purchase.line"}:
        return [(lot, None) for lot in (_held_lots(record.product) if record.product else ())]
    return [pair for part in _parts(record) for pair in _concerned(part)]


def _parts(record):
    if record.__name__ == "recall.block":
        return [record.document]
    if record.__name__ == "production":
        return [*record.inputs, *record.outputs]
    return [
        *getattr(record, "moves", ()),
        *(getattr(record, "lines", ()) if record.__name__ != "stock.inventory" else ()),
    ]


def _ends(move):
    return [each for each in (move.from_location, move.to_location) if each.type in {"storage", "view"}]


def _lots_of(move):
    return [move.lot] if move.lot else _held_lots(move.product)


def _held_lots(product):
    holds = (
        Pool()
        .get("recall.hold")
        .search([("lot.product", "=", product.id), ("company", "=", tools.company_id()), ("state", "=", "open")])
    )
    return list({hold.lot for hold in holds})
