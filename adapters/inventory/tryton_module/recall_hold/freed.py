# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of a held lot that a release has put back: these alone may be used while other units are still claimed.

The count follows them from place to place within Tryton, and ends with the last claim on the lot.
"""

from trytond.model import ModelSQL, Unique, fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from . import tools


class Freed(tools.KeptMixin, ModelSQL):
    """How many units of a lot may leave one location."""

    __name__ = "recall.freed"
    lot = fields.Many2One("stock.lot", "Lot", required=True, readonly=True, ondelete="RESTRICT")
    location = fields.Many2One("stock.location", "Location", required=True, readonly=True, ondelete="RESTRICT")
    company = fields.Many2One("company.company", "Company", required=True, readonly=True)
    quantity = fields.Float("Freed", required=True, readonly=True, help="In the product's default unit.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        once = Unique(table, table.lot, table.location, table.company)
        cls._sql_constraints += [("once", once, "recall_hold.msg_key_unique")]

    @classmethod
    def left(cls, lot, company):
        """Freed units of a lot by location id."""
        with tools.acting():
            found = cls.search([("lot", "=", lot.id), ("company", "=", company.id), ("quantity", ">", 0)])
            return {each.location.id: each.quantity for each in found}

    @classmethod
    def unassigned(cls, lot, company, but=()):
        """Freed units by location id, without those that moves other than `but` have reserved."""
        left = cls.left(lot, company)
        with tools.acting():
            domain = [
                ("lot", "=", lot.id),
                ("company", "=", company.id),
                ("state", "=", "assigned"),
                ("from_location", "in", list(left)),
                ("id", "not in", [move.id for move in but]),
            ]
            for move in Pool().get("stock.move").search(domain):
                left[move.from_location.id] -= move.internal_quantity
        return left

    @classmethod
    def add(cls, lot, company, location, units):
        """More units at a location may leave it, or (`units` below 0) fewer."""
        with tools.acting():
            found = cls._of(lot, company, location)
            if found:
                cls._set(found[0], found[0].quantity + units)
            elif units > 0:
                cls.create([{"lot": lot.id, "company": company.id, "location": location.id, "quantity": units}])

    @classmethod
    def cap(cls, lot, company, location):
        """Units that went unasked took those with them that the location has no longer; returns how many."""
        with tools.acting():
            found = cls._of(lot, company, location)
            if not found or not found[0].quantity:
                return 0.0
            there = Pool().get("recall.hold").units_at(lot, location, company)
            gone = found[0].quantity - max(there, 0.0)
            if gone > 0:
                cls._set(found[0], found[0].quantity - gone)
            return max(gone, 0.0)

    @classmethod
    def clear(cls, lot):
        """No claim is left: nothing is counted any more."""
        with tools.acting():
            if found := cls.search([("lot", "=", lot.id), ("quantity", ">", 0)]):
                cls.write(found, {"quantity": 0.0})

    @classmethod
    def follow(cls, moves, unasked):
        """After these moves of partly released lots, those with an id in `unasked` regardless of what was freed."""
        for move in sorted(moves, key=lambda each: each.id in unasked):
            if move.from_location.type == "storage":
                if move.id in unasked:
                    units = cls.cap(move.lot, move.company, move.from_location)
                else:
                    units = move.internal_quantity
                    cls.add(move.lot, move.company, move.from_location, -units)
                if move.to_location.type == "storage":
                    cls.add(move.lot, move.company, move.to_location, min(units, move.internal_quantity))

    @classmethod
    def _of(cls, lot, company, location):
        return cls.search([("lot", "=", lot.id), ("company", "=", company.id), ("location", "=", location.id)])

    @classmethod
    def _set(cls, freed, units):
        freed.quantity = max(freed.lot.product.default_uom.round(units), 0.0)
        freed.save()


def lock(lots):
    """One at a time for each lot, outside a recall's own calls too."""
    if lots:
        with Transaction().set_context(_check_access=False):
            Pool().get("stock.lot").lock(sorted(lots, key=lambda each: each.id))
