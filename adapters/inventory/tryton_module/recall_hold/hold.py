# SPDX-License-Identifier: GPL-3.0-or-later
"""A recall's claim on units of a lot at a place, and the moves that put as many units into quarantine.

Claims of one recall add up, those of two recalls overlap: what must lie in quarantine is the largest recall's sum.
Each call is one transaction of Tryton behind the lock of the lot, so that a call that is repeated, or whose answer was
lost, finds what was done.
"""

from collections import defaultdict

from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.rpc import RPC
from trytond.transaction import Transaction

from . import tools
from .indexed import IndexedMixin


class Hold(tools.KeptMixin, IndexedMixin, ModelSQL, ModelView):
    """A claim under its idempotency key."""

    __name__ = "recall.hold"
    _rec_name = "key"
    key = fields.Char("Key", required=True, readonly=True)
    claimant = fields.Char("Recall", required=True, readonly=True)
    lot = fields.Many2One("stock.lot", "Lot", required=True, readonly=True, ondelete="RESTRICT")
    place = fields.Many2One("stock.location", "Place", required=True, readonly=True, ondelete="RESTRICT")
    company = fields.Many2One("company.company", "Company", required=True, readonly=True)
    quantity = fields.Float("Claimed", required=True, readonly=True, help="In the product's default unit.")
    inside = fields.Function(fields.Float("In Quarantine"), "get_inside")
    bound = fields.Selection(
        [("on_hand", "On Hand"), ("reserved", "Reserved"), ("in_transit", "In Transit")],
        "Found",
        required=True,
        readonly=True,
    )
    document = fields.Char("Document", readonly=True)
    state = fields.Selection([("open", "Open"), ("ended", "Ended")], "State", required=True, readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints += [("key_unique", Unique(table, table.key), "recall_hold.msg_key_unique")]
        cls._order = [("id", "DESC")]
        write = RPC(readonly=False)
        cls.__rpc__.update({"put": write, "confirm": write, "leave": write, "product": RPC()})

    @classmethod
    def put(cls, key, claimant, product, number, place, quantity, bound, document=None):
        """Claim units and move what can be reached into quarantine; the same key with more raises the claim."""
        tools.check_user()
        with tools.acting():
            lot, place = tools.find_lot(product, number), tools.find_place(place)
            cls._queue(lot)
            hold = cls._by_key(key)
            if hold is None:
                (hold,) = cls.create(
                    [
                        {
                            "key": key,
                            "claimant": claimant,
                            "lot": lot.id,
                            "place": place.id,
                            "company": tools.company_id(),
                            "quantity": quantity,
                            "bound": bound,
                            "document": document,
                            "state": "open",
                        }
                    ]
                )
            elif (hold.lot, hold.place, hold.claimant, hold.state) != (lot, place, claimant, "open"):
                tools.refuse(f"hold {key} belongs to another position or was released")
            elif quantity > hold.quantity:
                hold.quantity = quantity
                hold.save()
            if not lot.recall_state:
                lot.recall_state = "held"
                lot.save()
            hold.settle()
            return hold.id

    @classmethod
    def confirm(cls, key):
        """What lies in quarantine for this hold, in the default unit; `under_way` while its document still travels."""
        tools.check_user()
        with tools.acting():
            hold = cls._by_key(key)
            if hold is None or hold.state != "open":
                return None
            cls._queue(hold.lot)
            hold.settle()
            travels = hold.bound == "in_transit" and hold.document and (tools.find_document(hold.document))
            return {
                "product": hold.lot.product.code,
                "quantity": hold.covered(),
                "claimed": hold.quantity,
                "under_way": bool(travels and travels.state not in {"done", "cancelled"}),
            }

    @classmethod
    def product(cls, key):
        """Code of the product under this hold; None when there is no such hold."""
        tools.check_user()
        with tools.acting():
            hold = cls._by_key(key)
            return hold.lot.product.code if hold else None

    @classmethod
    def leave(cls, key, left):
        """Leave `left` units under this hold, 0 ends it; what no other claim covers goes back where it was taken."""
        tools.check_user()
        with tools.acting():
            hold = cls._by_key(key)
            if hold is None or hold.state != "open" or (left and left >= hold.quantity):
                return
            lot = hold.lot
            cls._queue(lot)
            if left > 0:
                hold.quantity = left
            else:
                hold.state = "ended"
            hold.save()
            freed = hold.give_back()
            if not cls.search([("lot", "=", lot.id), ("state", "=", "open")], limit=1):
                state = None
                Pool().get("recall.freed").clear(lot)
            else:
                state = "partly_released" if freed else lot.recall_state
            if lot.recall_state != state:
                lot.recall_state = state
                lot.save()

    @classmethod
    def arrived(cls, lot, location):
        """Units came to rest at a location: those claimed and not yet found go into quarantine."""
        with tools.acting():
            seen = set()
            for hold in cls.search([("lot", "=", lot.id), ("state", "=", "open")], order=[("id", "ASC")]):
                at = hold.place, hold.company
                if at not in seen and location.below(hold.place):
                    seen.add(at)
                    hold.settle()

    @classmethod
    def short_of(cls, lot):
        """Whether any claim on the lot is not covered by quarantine."""
        with tools.acting():
            holds = cls.search([("lot", "=", lot.id), ("state", "=", "open")])
            places = {(hold.place, hold.company): hold for hold in holds}
            return any(hold.needed() > hold.held_here() for hold in places.values())

    @classmethod
    def _by_key(cls, key):
        found = cls.search([("key", "=", key)])
        return found[0] if found else None

    @classmethod
    def _queue(cls, lot):
        """One at a time for each lot."""
        Pool().get("stock.lot").lock([lot])

    def get_inside(self, name):
        """Units in quarantine that this claim covers."""
        return self.covered() if self.state == "open" else 0.0

    def quarantine(self):
        """Where units of this hold lie."""
        if not self.place.warehouse:
            tools.refuse(f'location "{self.place.rec_name}" belongs to no warehouse; it has no quarantine')
        return self.place.warehouse.quarantine()

    def _round(self, quantity):
        return self.lot.product.default_uom.round(quantity)

    def _beside(self):
        """Open claims on the company's units of the lot at the same place, in the order in which they are covered."""
        domain = [("lot", "=", self.lot.id), ("place", "=", self.place.id), ("company", "=", self.company.id)]
        holds = type(self).search([*domain, ("state", "=", "open")])
        return sorted(holds, key=lambda each: (each.bound == "in_transit", each.id))

    def needed(self):
        """Units that must lie in quarantine: of overlapping recalls the largest."""
        sums = defaultdict(float)
        for hold in self._beside():
            sums[hold.claimant] += hold.quantity
        return self._round(max(sums.values(), default=0.0))

    def covered(self):
        """Units in quarantine for this claim; other claims of its own recall that came first are served first."""
        inside = self.held_here()
        for hold in self._beside():
            if hold.claimant != self.claimant:
                continue
            share = self._round(min(hold.quantity, inside))
            if hold == self:
                return share
            inside = self._round(inside - share)
        return 0.0

    @staticmethod
    def moves(lot, company):
        """Done moves of recalls, of a company's units of a lot, into quarantine and out of it, oldest first."""
        ours = ["OR", *(("origin", "like", f"{model},%") for model in ("recall.hold", "recall.disposal"))]
        domain = [("lot", "=", lot.id), ("company", "=", company.id), ("state", "=", "done"), ours]
        return Pool().get("stock.move").search(domain, order=[("id", "ASC")])

    def held_here(self):
        """Units of the lot in quarantine that count at this place."""
        quarantine = self.place.warehouse.quarantine_location if self.place.warehouse else None
        return self.shares(self.lot, quarantine, self.company).get(self.place, 0.0) if quarantine else 0.0

    @classmethod
    def shares(cls, lot, quarantine, company):
        """Units of a lot that really lie in a quarantine, by the claimed place they count at: where they were taken.

        What a count found there, or people put there, counts at the nearest claimed place around the quarantine.
        """
        holds = cls.search([("lot", "=", lot.id), ("company", "=", company.id)])
        inside = {hold.place: 0.0 for hold in holds if hold.place.warehouse == quarantine.warehouse}
        for move in cls.moves(lot, company):
            if move.origin.place in inside and quarantine in {move.to_location, move.from_location}:
                arrives = move.to_location == quarantine
                inside[move.origin.place] += move.internal_quantity if arrives else -move.internal_quantity
        unit = lot.product.default_uom
        there = cls.units_at(lot, quarantine, company)
        shares = {}
        for place in sorted(inside, key=lambda each: each.id):
            shares[place] = max(unit.round(min(inside[place], there)), 0.0)
            there -= shares[place]
        around = [place for place in shares if quarantine.below(place)]
        if around and there > 0:
            nearest = next(place for place in around if not any(p != place and p.below(place) for p in around))
            shares[nearest] = unit.round(shares[nearest] + there)
        return shares

    def stock(self, location_ids):
        """What physically lies of the lot at each of these locations, in the default unit."""
        return self._stock(self.lot, location_ids, self.company)

    @classmethod
    def units_at(cls, lot, location, company):
        """What physically lies of a lot at a location."""
        with tools.acting():
            return cls._stock(lot, [location.id], company).get(location.id, 0.0)

    @classmethod
    def _stock(cls, lot, location_ids, company):
        pool = Pool()
        today = pool.get("ir.date").today()
        with Transaction().set_context(stock_date_end=today, company=company.id, forecast=False):
            found = pool.get("product.product").products_by_location(
                location_ids,
                with_childs=False,
                grouping=("product", "lot"),
                grouping_filter=([lot.product.id], [lot.id]),
            )
        return {key[0]: quantity for key, quantity in found.items()}

    def settle(self):
        """Move what is missing into quarantine: free units first, then reserved ones, whose reservation is broken."""
        quarantine = self.quarantine()
        missing = self._round(self.needed() - self.held_here())
        if missing <= 0:
            return
        locations = (
            Pool()
            .get("stock.location")
            .search([("parent", "child_of", [self.place.id]), ("type", "=", "storage")], order=[("id", "ASC")])
        )
        sources = {each.id: each for each in locations if not each.below(quarantine)}
        if not sources:
            return
        there = {key: units for key, units in self.stock(list(sources)).items() if units > 0}
        assigned = self._assigned(list(there))
        for breaking in (False, True):
            for key in sorted(there):
                if missing <= 0:
                    return
                travelling = sum(m.internal_quantity for m in assigned[key] if _travels(m))
                reserved = sum(m.internal_quantity for m in assigned[key] if not _travels(m))
                free = there[key] - travelling - (0.0 if breaking else reserved)
                units = self._round(min(missing, free))
                if units <= 0:
                    continue
                if breaking:
                    _break_reservations([m for m in assigned[key] if not _travels(m)])
                self._book(sources[key], quarantine, units)
                Pool().get("recall.freed").cap(self.lot, self.company, sources[key])
                there[key] -= units
                missing = self._round(missing - units)

    def _assigned(self, location_ids):
        found = defaultdict(list)
        domain = [
            ("company", "=", self.company.id),
            ("lot", "=", self.lot.id),
            ("state", "=", "assigned"),
            ("from_location", "in", location_ids),
        ]
        for move in Pool().get("stock.move").search(domain):
            found[move.from_location.id].append(move)
        return found

    def give_back(self):
        """Return what no claim covers to where it was taken, the last first; returns the units freed."""
        quarantine = self.quarantine()
        excess = self._round(self.held_here() - self.needed())
        freed = 0.0
        taken = defaultdict(float)
        for move in self.moves(self.lot, self.company):
            if move.origin.place != self.place:
                continue
            if move.to_location == quarantine:
                taken[move.from_location] += move.internal_quantity
            elif move.origin.__name__ == "recall.hold":
                taken[move.to_location] -= move.internal_quantity
        for location in sorted(taken, key=lambda each: -each.id):
            units = self._round(min(excess, taken[location]))
            if units > 0:
                self._book(quarantine, location, units)
                Pool().get("recall.freed").add(self.lot, self.company, location, units)
                excess, freed = self._round(excess - units), freed + units
        return freed

    def _book(self, source, target, units):
        """A move of ours, done at once."""
        move = Pool().get("stock.move")
        (made,) = move.create(
            [
                {
                    "product": self.lot.product.id,
                    "lot": self.lot.id,
                    "unit": self.lot.product.default_uom.id,
                    "quantity": units,
                    "from_location": source.id,
                    "to_location": target.id,
                    "company": self.company.id,
                    "origin": str(self),
                }
            ]
        )
        move.do([made])


def _travels(move):
    """Whether the units left the building and only their booking is outstanding."""
    shipment = move.shipment
    return bool(shipment and shipment.__name__ == "stock.shipment.out" and shipment.state == "shipped")


def _break_reservations(moves):
    """The documents wait again; what has none becomes a draft."""
    pool = Pool()
    for move in moves:
        if pool.get("stock.move")(move.id).state != "assigned":
            continue
        production = getattr(move, "production_input", None)
        document = move.shipment or production
        if document and document.state in {"assigned", "packed"}:
            pool.get(document.__name__).wait([document])
        still = pool.get("stock.move").search([("id", "=", move.id), ("state", "=", "assigned")])
        if still:
            pool.get("stock.move").draft(still)
