# SPDX-License-Identifier: GPL-3.0-or-later
"""Units that leave quarantine for good: destroyed, sent back to their maker, or used up by a rework."""

from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.rpc import RPC

from . import tools
from .indexed import IndexedMixin

TARGETS = {"destroy": "lost_found", "return_to_factory": "supplier", "rework": "production"}


class Disposal(tools.KeptMixin, IndexedMixin, ModelSQL, ModelView):
    """A disposal under its idempotency key; its move names it as origin."""

    __name__ = "recall.disposal"
    _rec_name = "key"
    key = fields.Char("Key", required=True, readonly=True)
    kind = fields.Selection(
        [(kind, kind.replace("_", " ").capitalize()) for kind in (*TARGETS, "release")],
        "Kind",
        required=True,
        readonly=True,
    )
    lot = fields.Many2One("stock.lot", "Lot", required=True, readonly=True, ondelete="RESTRICT")
    place = fields.Many2One("stock.location", "Place", required=True, readonly=True, ondelete="RESTRICT")
    company = fields.Many2One("company.company", "Company", required=True, readonly=True)
    quantity = fields.Float("Quantity", required=True, readonly=True)
    document = fields.Char("Document", readonly=True)
    result_lot = fields.Many2One("stock.lot", "New Lot", readonly=True, ondelete="RESTRICT")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints += [("key_unique", Unique(table, table.key), "recall_hold.msg_key_unique")]
        cls._order = [("id", "DESC")]
        cls.__rpc__.update({"put": RPC(readonly=False)})

    @classmethod
    def put(cls, key, kind, product, number, place, quantity, document=None, result=None):
        """Book units out of quarantine; `result` is the (product, number, quantity) of the lot a rework made."""
        tools.check_user()
        with tools.acting():
            lot, place = tools.find_lot(product, number), tools.find_place(place)
            Pool().get("stock.lot").lock([lot])
            found = cls.search([("key", "=", key)])
            if found:
                if (found[0].kind, found[0].lot, found[0].place) != (kind, lot, place):
                    tools.refuse(f"disposal {key} was booked for something else")
                return found[0].id
            values = {"key": key, "kind": kind, "lot": lot.id, "place": place.id, "quantity": quantity}
            values |= {"company": tools.company_id(), "document": document}
            made = _result_lot(*result[:2]) if result else None
            (disposal,) = cls.create([values | {"result_lot": made.id if made else None}])
            if kind != "release":
                disposal._out()
            if made:
                disposal._in(made, result[2])
            return disposal.id

    def _out(self):
        domain = [("lot", "=", self.lot.id), ("place", "=", self.place.id), ("company", "=", self.company.id)]
        holds = Pool().get("recall.hold").search(domain, limit=1)
        inside = holds[0].held_here() if holds else 0.0
        if self.quantity > inside:
            unit = self.lot.product.default_uom.symbol
            tools.refuse(f"only {inside:g} {unit} of lot {self.lot.number} from {self.place.code} lie in quarantine")
        warehouse = self.place.warehouse
        self._book(self.lot, self.quantity, warehouse.quarantine(), self._target(warehouse))

    def _in(self, lot, quantity):
        warehouse = self.place.warehouse
        storage = warehouse.storage_location
        if storage.type != "storage":
            storage = warehouse.input_location
        self._book(lot, quantity, self._target(warehouse), storage)
        # A reworked lot stays locked until its own hold arrives, and that hold's release.
        if not lot.recall_state:
            lot.recall_state = "held"
            lot.save()

    def _target(self, warehouse):
        kind = TARGETS[self.kind]
        if kind == "lost_found":
            waste = warehouse.waste_locations
            return waste[0] if waste else warehouse.lost_found_location or self._any(kind)
        if kind == "production" and getattr(warehouse, "production_location", None):
            return warehouse.production_location
        return self._any(kind)

    @staticmethod
    def _any(kind):
        found = Pool().get("stock.location").search([("type", "=", kind)], order=[("id", "ASC")], limit=1)
        return found[0] if found else tools.refuse(f"there is no location of the type {kind}")

    def _book(self, lot, quantity, source, target):
        move = Pool().get("stock.move")
        made = move(
            product=lot.product,
            lot=lot,
            unit=lot.product.default_uom,
            quantity=quantity,
            from_location=source,
            to_location=target,
            company=self.company,
            origin=self,
        )
        if made.on_change_with_unit_price_required():
            made.unit_price = lot.product.get_multivalue("cost_price", company=self.company.id) or 0
            made.currency = self.company.currency
        made.save()
        move.do([made])


def _result_lot(product, number):
    pool = Pool()
    lots = pool.get("stock.lot").search([("number", "=", number), ("product.code", "=", product)])
    if lots:
        return lots[0]
    products = pool.get("product.product").search([("code", "=", product)])
    if len(products) != 1:
        tools.refuse(f'{len(products) or "no"} products have the code "{product}"; exactly one was expected')
    (made,) = pool.get("stock.lot").create([{"number": number, "product": products[0].id}])
    return made
