"""Locks in the stock itself: a held lot says so, leaves neither quarantine nor its warehouse, and is not assigned.

Goods may always arrive and be counted, and what had left before the hold may still be booked as delivered: records
must stay able to tell the truth. What arrives while a hold is not covered goes into quarantine in the same transaction.
"""

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction

from . import tools

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


class Lot(metaclass=PoolMeta):
    """A lot shows whether a recall holds it."""

    __name__ = "stock.lot"
    recall_state = fields.Selection(
        [(None, ""), ("held", "Held"), ("partly_released", "Partly Released")],
        "Recall",
        readonly=True,
        help="Held: no unit may be used or shipped. Partly released: units outside quarantine may be.",
    )


class Move(metaclass=PoolMeta):
    """Moves of held lots and of blocked documents stop here, whichever document they belong to."""

    __name__ = "stock.move"

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

    def locked_by_recall(self):
        """Why a hold forbids to assign or do this move; None when it does not."""
        lot, source, target = self.lot, self.from_location, self.to_location
        if not lot or source.type not in {"storage", "view"}:
            return None
        quarantine = source.warehouse.quarantine_location if source.warehouse else None
        if quarantine and source.below(quarantine):
            return f"lot {lot.number} lies in quarantine"
        if not lot.recall_state:
            return None
        shipment = self.shipment
        gone = shipment and (
            (shipment.__name__ == "stock.shipment.out" and shipment.state == "shipped")
            or (shipment.__name__ == "stock.shipment.internal" and shipment.state == "shipped")
        )
        put_away = shipment and shipment.__name__ in PUT_AWAY and source.warehouse == target.warehouse
        counted = self.origin and self.origin.__name__ == "stock.inventory.line"
        if gone or put_away or counted:
            return None
        if lot.recall_state == "partly_released" and not Pool().get("recall.hold").short_of(lot):
            return None
        return f"lot {lot.number} is held by a recall"

    @classmethod
    def check_recall(cls, moves):
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

    @classmethod
    def assign_try(cls, moves, **options):
        """Held lots are passed over, so that one of them does not stop everybody else's assignment."""
        free = [move for move in moves if not move.locked_by_recall()]
        return super().assign_try(free, **options) and len(free) == len(moves)

    @classmethod
    def assign(cls, moves):
        """Refuses what a recall has locked."""
        cls.check_recall(moves)
        super().assign(moves)

    @classmethod
    def do(cls, moves):
        """Refuses what a recall has locked; what arrives and is claimed goes into quarantine at once."""
        moves = list(moves)
        cls.check_recall(moves)
        cls._only_what_is_there(moves)
        super().do(moves)
        if not Transaction().context.get(tools.OURS):
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
        super().cancel(moves)
