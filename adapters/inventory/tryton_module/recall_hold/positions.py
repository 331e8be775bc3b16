# SPDX-License-Identifier: GPL-3.0-or-later
"""What Tryton knows of lots: where they lie, what is reserved or on the way, which open documents name them."""

from collections import defaultdict

from sql import Null
from sql.aggregate import Sum
from trytond.model import Model
from trytond.pool import Pool
from trytond.rpc import RPC
from trytond.transaction import Transaction

from . import tools

MOVABLE = ("staging", "draft", "assigned")
ORDERS = (("sale.sale", "sale.line", "sale"), ("purchase.purchase", "purchase.line", "purchase"))
PARENTS = {"sale.line": "sale", "purchase.line": "purchase", "stock.inventory.line": "inventory"}


class Positions(Model):
    """Questions only; nothing is written here."""

    __name__ = "recall.positions"

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__.update({"version": RPC(), "units": RPC(), "locate": RPC(), "documents": RPC()})

    @classmethod
    def version(cls):
        """That the module is here and the user may use it."""
        tools.check_user()
        return {"company": tools.company_id()}

    @classmethod
    def units(cls, products):
        """By product code: the default unit (in which every quantity of this module is) and the others beside it."""
        tools.check_user()
        with tools.acting():
            found = Pool().get("product.product").search([("code", "in", products)])
            return {each.code: _units(each) for each in found}

    @classmethod
    def locate(cls, names):
        """Positions of the lots with these (product, number): on hand, reserved, in transit.

        A row without a number tells of units of a product that were booked without a lot: of any of its lots they may
        be more, or (below 0) fewer than the other rows say.
        """
        tools.check_user()
        with tools.acting():
            lots, loose = _lots(names), _loose({name[0] for name in names})
            if not lots:
                return loose
            there, open_moves = _stock(lots), _open_moves([("lot", "in", [lot.id for lot in lots])])
            rows = _on_the_way(open_moves)
            bound, transit = _bound(open_moves)
            for (location, lot), units in there.items():
                rows += _at(location, lot, units, bound[location, lot], transit[location, lot])
            return [row for row in rows if row["quantity"] > 0] + loose

    @classmethod
    def documents(cls, names):
        """Open documents that move, reserve or bring these lots, or their products without naming a lot."""
        tools.check_user()
        with tools.acting():
            lots = _lots(names)
            products = {name[0] for name in names}
            clause = [
                "OR",
                ("lot", "in", [lot.id for lot in lots]),
                [("lot", "=", None), ("product.code", "in", sorted(products))],
            ]
            by_document = defaultdict(list)
            for move in _open_moves([clause]):
                if (document := _document(move)) is not None:
                    by_document[document].append(move)
            rows = [_described(document, moves) for document, moves in by_document.items()]
            rows += _orders(products, set(by_document)) + _counts(lots, products)
            return sorted(rows, key=lambda row: row["number"])


def _units(product):
    unit = product.default_uom
    beside = [
        {"name": each.name, "symbol": each.symbol, "factor": each.factor} for each in product.default_uom_category.uoms
    ]
    return {
        "name": unit.name,
        "symbol": unit.symbol,
        "factor": unit.factor,
        "rounding": unit.rounding,
        "beside": beside,
    }


def _lots(names):
    wanted = {tuple(name) for name in names}
    numbers = sorted({number for _, number in wanted})
    with Transaction().set_context(active_test=False):
        found = Pool().get("stock.lot").search([("number", "in", numbers)])
        return [lot for lot in found if (lot.product.code, lot.number) in wanted]


def _row(lot, units, location, state, *, other=None, document=None):
    return {
        "product": lot.product.code,
        "number": lot.number,
        "quantity": units,
        "codes": tools.path(location),
        "other_codes": tools.path(other),
        "name": location.rec_name,
        "state": state,
        "document": tools.label(document) if document else None,
    }


def _stock(lots):
    pool = Pool()
    locations = {each.id: each for each in pool.get("stock.location").search([("type", "=", "storage")])}
    by_id = {lot.id: lot for lot in lots}
    with Transaction().set_context(
        stock_date_end=pool.get("ir.date").today(), company=tools.company_id(), forecast=False
    ):
        found = pool.get("product.product").products_by_location(
            list(locations),
            with_childs=False,
            grouping=("product", "lot"),
            grouping_filter=(sorted({lot.product.id for lot in lots}), sorted(by_id)),
        )
    return {(locations[key[0]], by_id[key[2]]): units for key, units in found.items() if units > 0}


def _open_moves(domain):
    ours = [("company", "=", tools.company_id()), ("state", "in", MOVABLE)]
    return Pool().get("stock.move").search([*ours, *domain], order=[("id", "ASC")])


def _document(move):
    """What a move belongs to: its shipment, production or count, otherwise the order it comes from."""
    if move.shipment:
        return move.shipment
    for name in ("production_input", "production_output"):
        if found := getattr(move, name, None):
            return found
    origin = move.origin
    if origin and origin.id >= 0 and (name := PARENTS.get(origin.__name__)):
        return getattr(origin, name)
    return None


def _bound(moves):
    """Assigned units and units in transit between warehouses, by location and lot."""
    bound, transit = defaultdict(float), defaultdict(list)
    for move in moves:
        shipment = move.shipment
        if shipment and shipment.state == "shipped":
            transit[move.from_location, move.lot].append(move)
        elif move.state == "assigned":
            bound[move.from_location, move.lot] += move.internal_quantity
    return bound, transit


def _at(location, lot, units, bound, travelling):
    """Rows of one lot at one location."""
    rows = []
    for move in travelling:
        share = min(units, move.internal_quantity)
        rows.append(_travelling(move, lot, share))
        units -= share
    warehouse = location.warehouse
    if warehouse and warehouse.quarantine_location == location:
        company = Pool().get("company.company")(tools.company_id())
        for place, inside in Pool().get("recall.hold").shares(lot, location, company).items():
            rows.append(_row(lot, inside, place, "on_hand"))
            units -= inside
    reserved = min(bound, units)
    rows.append(_row(lot, reserved, location, "reserved"))
    rows.append(_row(lot, units - reserved, location, "on_hand"))
    return rows


def _travelling(move, lot, units):
    """Goods that left and have not arrived: where they go, otherwise where they left."""
    shipment = move.shipment
    source = move.from_location
    if shipment.__name__ == "stock.shipment.internal":
        source = shipment.from_location
    return _row(lot, units, move.to_location, "in_transit", other=source, document=shipment)


def _loose(codes):
    """Units of these products that lie, or are missing, somewhere without a lot."""
    pool = Pool()
    products = {each.id: each for each in pool.get("product.product").search([("code", "in", sorted(codes))])}
    sums, cursor = defaultdict(float), Transaction().connection.cursor()
    if products:
        for end, sign in (("to_location", 1), ("from_location", -1)):
            move = pool.get("stock.move").__table__()
            place = getattr(move, end)
            booked = (move.lot == Null) & (move.state == "done") & (move.company == tools.company_id())
            booked &= move.product.in_(list(products))
            total = Sum(move.internal_quantity)
            cursor.execute(*move.select(move.product, place, total, where=booked, group_by=[move.product, place]))
            for product, location, units in cursor:
                sums[product, location] += sign * units
    rows = []
    for (product, location), units in sorted(sums.items()):
        place, unit = pool.get("stock.location")(location), products[product].default_uom
        if place.type == "storage" and (rounded := unit.round(units)):
            row = {"product": products[product].code, "number": None, "quantity": rounded, "unit": unit.symbol}
            row |= {"codes": tools.path(place), "other_codes": [], "name": place.rec_name}
            rows.append(row | {"state": "on_hand", "document": None})
    return rows


def _on_the_way(moves):
    """Goods of these lots announced to us: supplier shipments, purchases, customers' returns not yet received."""
    rows = []
    for move in moves:
        outside = move.from_location.type in {"supplier", "customer"} and move.to_location.type in {"storage", "view"}
        document = _document(move)
        if outside and document is not None and move.internal_quantity > 0:
            place = move.to_location
            if place.type == "view" and place.warehouse:
                place = place.warehouse
            rows.append(
                _row(move.lot, move.internal_quantity, place, "in_transit", other=move.from_location, document=document)
            )
    return rows


def _kind(document):
    name, state = document.__name__, document.state
    if name in {"stock.shipment.out.return", "stock.shipment.in.return"}:
        return "return"
    if name in {"stock.shipment.in", "purchase.purchase", "stock.inventory"}:
        return "receipt"
    if name in {"sale.sale", "production"}:
        return "order"
    if state in {"request", "draft"} and name == "stock.shipment.internal":
        return "order"
    return "pick" if state in {"draft", "waiting", "assigned"} else "shipment"


def _described(document, moves):
    """A document by its open moves; of goods that move in two steps within it only the next step counts."""
    targets = {(move.to_location, move.product) for move in moves}
    next_step = [move for move in moves if (move.from_location, move.product) not in targets] or moves
    lines = defaultdict(float)
    for move in next_step:
        lines[move.product.code, move.lot.number if move.lot else None] += move.internal_quantity
    source, target = moves[0].from_location, moves[-1].to_location
    arriving = source.type not in {"storage", "view"} or document.__name__ == "stock.shipment.in"
    place, other = (target, source) if arriving else (source, target)
    if document.__name__ == "stock.shipment.internal":
        place, other = document.from_location, document.to_location
    return _listed(document, place, other, lines)


def _listed(document, place, other, lines, kind=None):
    blocked = Pool().get("recall.block").blocked({str(document)})
    return {
        "number": tools.label(document),
        "kind": kind or _kind(document),
        "state": "blocked" if blocked else "open",
        "codes": tools.path(place),
        "other_codes": tools.path(other),
        "name": place.rec_name if place else "(none)",
        "lines": [
            {"product": product, "number": number, "quantity": units} for (product, number), units in lines.items()
        ],
    }


def _orders(products, listed):
    """Sales and purchases that have not led to moves yet, also those in process that ship by hand or once paid."""
    pool, rows = Pool(), []
    known = {model.__name__ for _, model in pool.iterobject(type="model")}
    for model, line, parent in ORDERS:
        if model not in known:
            continue
        wanted = [
            (f"{parent}.company", "=", tools.company_id()),
            ("product.code", "in", sorted(products)),
            [
                "OR",
                (f"{parent}.state", "in", ["draft", "quotation", "confirmed"]),
                [(f"{parent}.state", "=", "processing"), ("moves", "=", None)],
            ],
        ]
        lines = defaultdict(lambda: defaultdict(float))
        returned = defaultdict(lambda: True)
        for each in pool.get(line).search(wanted):
            units = pool.get("product.uom").compute_qty(each.unit, each.quantity, each.product.default_uom)
            order = getattr(each, parent)
            lines[order][each.product.code, None] += abs(units)
            returned[order] &= units < 0
        for order, units in lines.items():
            if order not in listed:
                rows.append(_listed(order, order.warehouse, None, units, "return" if returned[order] else None))
    return rows


def _counts(lots, products):
    """Counts being taken: they can bring up units of these lots or lose them."""
    line = Pool().get("stock.inventory.line")
    domain = [
        ("inventory.state", "=", "draft"),
        ("inventory.company", "=", tools.company_id()),
        ["OR", ("lot", "in", [lot.id for lot in lots]), [("lot", "=", None), ("product.code", "in", sorted(products))]],
    ]
    lines = defaultdict(lambda: defaultdict(float))
    for each in line.search(domain):
        lines[each.inventory][each.product.code, each.lot.number if each.lot else None] += each.quantity or 0
    return [_listed(inventory, inventory.location, None, wanted) for inventory, wanted in lines.items()]
