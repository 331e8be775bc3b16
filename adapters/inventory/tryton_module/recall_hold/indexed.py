# SPDX-License-Identifier: GPL-3.0-or-later
"""An index by the instant of the last change, for every table that the feed reads."""

from sql.conditionals import Coalesce
from trytond.model import Index
from trytond.pool import PoolMeta


def changed_at(table):
    """Instant of the last change of a row, as Tryton itself tells it."""
    return Coalesce(table.write_date, table.create_date)


class IndexedMixin:
    """A table that the feed reads in the order of its changes."""

    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_indexes.add(Index(table, (changed_at(table), Index.Range()), (table.id, Index.Range())))


class ShipmentOut(IndexedMixin, metaclass=PoolMeta):
    """See `IndexedMixin`."""

    __name__ = "stock.shipment.out"


class ShipmentInternal(IndexedMixin, metaclass=PoolMeta):
    """See `IndexedMixin`."""

    __name__ = "stock.shipment.internal"


class ShipmentIn(IndexedMixin, metaclass=PoolMeta):
    """See `IndexedMixin`."""

    __name__ = "stock.shipment.in"


class ShipmentOutReturn(IndexedMixin, metaclass=PoolMeta):
    """See `IndexedMixin`."""

    __name__ = "stock.shipment.out.return"


class ShipmentInReturn(IndexedMixin, metaclass=PoolMeta):
    """See `IndexedMixin`."""

    __name__ = "stock.shipment.in.return"


class SaleLine(IndexedMixin, metaclass=PoolMeta):
    """See `IndexedMixin`."""

    __name__ = "sale.line"


class PurchaseLine(IndexedMixin, metaclass=PoolMeta):
    """See `IndexedMixin`."""

    __name__ = "purchase.line"
