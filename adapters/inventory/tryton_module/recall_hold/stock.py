# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks in the stock itself: a held lot says so, leaves neither quarantine nor its warehouse, and is not assigned.

Goods may always arrive and be counted, and what had left before the hold may still be booked as delivered: records
must stay able to tell the truth. What arrives while a hold is not covered goes into quarantine in the same transaction.
"""

from collections import defaultdict

from sql import Null
from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction

from . import tools
from .freed import lock
from .indexed import IndexedMixin

PUT_AWAY = ("stock.shipment.in", "stock.shipment.out.return")


class Location(metaclass=PoolMeta):
    """A warehouse has one place for quarantine, beside its storage zone so that nothing is picked from it."""

    __name__ = "stock.location"
    quarantine_location = fields.Many2One(
        "stock.location",
        "Recall Quarantine",
        states={"invisible": Eval("type") != "warehouse"},
        domain=[("type", "=", "storage"), ("parent", "child_of", [Eval("id", -1)])],
        help="Where held units lie. It must not be below the storage location. Made by the first hold.",
    )

    def quarantine(self):
        """Where held units of this warehouse lie; made when nobody has set it."""
        if not self.quarantine_location:
            (made,) = (
                Pool()
                .get("stock.location")
                .create(
                    [
                        {
                            "name": f"Recall quarantine {self.name}",
                            "code": f"{self.code}-QUARANTINE" if self.code else None,
                            "type": "storage",
                            "parent": self.id,
                        }
                    ]
                )
            )
            self.quarantine_location = made
            self.save()
        return self.quarantine_location

    def below(self, other):
        """Whether this is `other` or lies under it."""
        location = self
        while location is not None:
            if location == other:
                return True
            location = location.parent
        return False


class Lot(IndexedMixin, metaclass=PoolMeta):
    """A lot shows whether a recall holds it."""

    __name__ = "stock.lot"
    recall_state = fields.Selection(
        [(None, ""), ("held", "Held"), ("partly_released", "Partly Released")],
        "Recall",
        readonly=True,
        help="Held: no unit may be used or shipped. Partly released: units that a release has put back may be.",
    )

    @classmethod
    def check_modification(cls, mode, lots, values=None, external=False):
        """The state follows from the claims: nobody else sets or clears it, administrators included."""
        super().check_modification(mode, lots, values=values, external=external)
        if Transaction().context.get(tools.OURS):
            return
        if mode == "create":
            changed = any(each.get("recall_state") for each in values)
        else:
            changed = (
                mode == "write"
                and "recall_state" in values
                and any(lot.recall_state != (values["recall_state"] or None) for lot in lots)
            )
        if changed:
            tools.refuse("whether a lot is held is changed by a recall only")

    @classmethod
    def copy(cls, lots, default=None):
        """A copy is another lot: no recall holds it."""
        default = dict(default or {})
        default.setdefault("recall_state", None)
        return super().copy(lots, default=default)


class Move(IndexedMixin, metaclass=PoolMeta):
    """Moves of held lots and of blocked documents stop here, whichever document they belong to."""

    __name__ = "stock.move"

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        no_lot = (table.lot == Null) & (table.state == "done")
        cls._sql_indexes.add(Index(table, (table.product, Index.Equality()), where=no_lot))

    @classmethod
    def _get_origin(cls):
        return [*super()._get_origin(), "recall.hold", "recall.disposal"]

    def recall_documents(self):
        """The documents this move belongs to, as references."""
        found = [self.shipment] if self.shipment else []
        found += [each for name in ("production_input", "production_output") if (each := getattr(self, name, None))]
        origin = self.origin
        if origin and origin.id >= 0:
            parents = {"sale.line": "sale", "purchase.line": "purchase", "stock.inventory.line": "inventory"}
            if name := parents.get(origin.__name__):
                found.append(getattr(origin, name))
            elif origin.__name__ == "stock.move" and origin != self:
                found += origin.recall_documents()
        return list(dict.fromkeys(map(str, found)))

    def recorded(self):
        """Whether it only says what happened anyway: a count, a put-away, goods that had left before the hold."""
        if self.origin and self.origin.__name__ == "stock.inventory.line":
            return self.to_location.type == "lost_found"
        shipment = self.shipment
        if not shipment:
            return False
        if shipment.__name__ in PUT_AWAY:
            return self.from_location.warehouse == self.to_location.warehouse
        return shipment.__name__ in {"stock.shipment.out", "stock.shipment.internal"} and shipment.state == "shipped"

    def locked_by_recall(self):
        """Why a hold forbids to assign or do this move; None when it does not."""
        lot, source = self.lot, self.from_location
        if not lot or not lot.recall_state or source.type not in {"storage", "view"}:
            return None
        recorded = self.recorded()
        if recorded and self.to_location.type == "lost_found":
            return None
        quarantine = source.warehouse.quarantine_location if source.warehouse else None
        if quarantine and source.below(quarantine):
            return f"lot {lot.number} lies in quarantine"
        if recorded:
            return None
        if lot.recall_state == "partly_released" and not Pool().get("recall.hold").short_of(lot):
            return None
        return f"lot {lot.number} is held by a recall"

    def limited_by_recall(self):
        """Whether it takes units of which only those may go that a release has put back."""
        released = self.lot and self.lot.recall_state == "partly_released"
        return bool(released and self.from_location.type in {"storage", "view"} and not self.recorded())

    @classmethod
    def check_recall(cls, moves, doing=False):
        """Refuse what a hold or a block forbids.

        Raises:
            RecallError: says which lot or document, and whose.
        """
        if Transaction().context.get(tools.OURS):
            return
        blocks = Pool().get("recall.block").blocked({each for move in moves for each in move.recall_documents()})
        for move in moves:
            for document in move.recall_documents():
                if document in blocks:
                    tools.refuse(f"{blocks[document]} is blocked by a recall")
            if reason := move.locked_by_recall():
                tools.refuse(f"{move.rec_name}: {reason}")
        cls._within_freed([m for m in moves if m.state not in {"done", "cancelled"} and m.limited_by_recall()], doing)

    @classmethod
    def _within_freed(cls, moves, doing):
        """Of a partly released lot only as many units as a release has put back, from where it put them."""
        freed = Pool().get("recall.freed")
        lock({move.lot for move in moves})
        left = {}
        for move in moves:
            lot, company, source, target = move.lot, move.company, move.from_location.id, move.to_location
            if (lot, company) not in left:
                found = freed.left(lot, company) if doing else freed.unassigned(lot, company, moves)
                left[lot, company] = defaultdict(float, found)
            units, unit = left[lot, company], lot.product.default_uom
            rest = unit.round(units[source] - move.internal_quantity)
            if rest < 0:
                text = f"{max(units[source], 0.0):g} {unit.symbol} of lot {lot.number}"
                tools.refuse(f"{move.rec_name}: a recall has released {text} at {move.from_location.rec_name}, no more")
            units[source] = rest
            if doing and target.type == "storage":
                units[target.id] += move.internal_quantity

    def sort_quantities(self, quantities, locations, grouping):
        """Of a partly released lot nothing is picked but what a release has put back."""
        quantities = super().sort_quantities(quantities, locations, grouping)
        if Transaction().context.get(tools.OURS) or not self.limited_by_recall():
            return quantities
        left = Pool().get("recall.freed").unassigned(self.lot, self.company)
        uom, default = Pool().get("product.uom"), self.product.default_uom
        return [
            (key, min(units, uom.compute_qty(default, max(left.get(key[0], 0.0), 0.0), self.unit, round=False)))
            for key, units in quantities
        ]

    @classmethod
    def assign_try(cls, moves, **options):
        """Held lots are passed over, so that one of them does not stop everybody else's assignment."""
        free = [move for move in moves if not move.locked_by_recall()]
        limited = [move for move in free if move.limited_by_recall()]
        lock({move.lot for move in limited})
        done = super().assign_try([move for move in free if not move.limited_by_recall()], **options)
        for move in limited:  # each sees what the one before it has reserved
            done = super().assign_try([move], **options) and done
        return done and len(free) == len(moves)

    @classmethod
    def assign(cls, moves):
        """Refuses what a recall has locked."""
        cls.check_recall(moves)
        super().assign(moves)

    @classmethod
    def do(cls, moves):
        """Refuses what a recall has locked; what arrives and is claimed goes into quarantine at once."""
        moves = list(moves)
        cls.check_recall(moves, doing=True)
        cls._only_what_is_there(moves)
        released = [m for m in moves if m.state != "done" and m.lot and m.lot.recall_state == "partly_released"]
        unasked = {m.id for m in released if not m.limited_by_recall()}
        super().do(moves)
        if not Transaction().context.get(tools.OURS):
            Pool().get("recall.freed").follow(cls.browse(released), unasked)
            arrived = {(m.lot, m.to_location) for m in moves if m.lot and m.lot.recall_state}
            for lot, location in sorted(arrived, key=lambda each: (each[0].id, each[1].id)):
                if location.type == "storage":
                    Pool().get("recall.hold").arrived(lot, location)

    @classmethod
    def _only_what_is_there(cls, moves):
        """A put-away finds less on the dock where a hold has taken units to quarantine."""
        hold = Pool().get("recall.hold")
        for move in moves:
            if not (move.lot and move.lot.recall_state and move.shipment and move.state != "done"):
                continue
            if move.shipment.__name__ in PUT_AWAY and move.from_location.type == "storage":
                there = hold.units_at(move.lot, move.from_location, move.company)
                if there < move.internal_quantity:
                    uom = Pool().get("product.uom")
                    move.quantity = uom.compute_qty(move.lot.product.default_uom, max(there, 0.0), move.unit)
                    move.save()

    @classmethod
    def cancel(cls, moves):
        """What put units into quarantine or out of it is undone by a release only."""
        ours = [m for m in moves if m.origin and m.origin.__name__.startswith("recall.") and m.state == "done"]
        if ours and not Transaction().context.get(tools.OURS):
            tools.refuse(f"{ours[0].rec_name} was moved by a recall")
        undone = [m for m in moves if m.state == "done" and m.lot and m.lot.recall_state == "partly_released"]
        super().cancel(moves)
        for move in undone:
            Pool().get("recall.freed").cap(move.lot, move.company, move.to_location)
