"""Steps of the walk that move goods: returns, disposals, samples, replacements and feeds."""

from datetime import timedelta
from decimal import Decimal

from domain.disposition import DispositionKind as K
from tests.process.desk import Refused
from tests.process.model import Case
from tests.process.table import BOTH, PICK, Table
from tests.process.walk import action
from tests.process.world import HOSPITALS, KITS, OUR_PLACES
from tests.support.chain import day

UNITS = range(1, 41)


class GoodsSteps(Table):
    """Units go their ways."""

    # ------------------------------------------------------------------ goods

    @action(2, pick=PICK, who=PICK, lot=PICK, place=PICK, units=range(1, 9), again=BOTH)
    def returned(self, pick: int, who: int, lot: int, place: int, units: int, again: bool) -> None:
        case = self.case(pick)
        consignee = self.consignee(case, who)
        if consignee:
            lots = sorted(lot for lot, at in self.work.world.goods.shipped if at == consignee.partner)
            chosen = lots[lot % len(lots)] if lots else self.lot(case, lot)
            self.work.take_back(case, consignee, chosen, self.place(place), Decimal(units), again=again)

    @action(
        pick=PICK, kind=tuple(K), at=PICK, units=UNITS, by=("Wanda", "Ada"),
        again=BOTH,
    )  # fmt: skip
    def proposed(self, pick: int, kind: K, at: int, units: int, by: str, again: bool) -> None:
        case = self.case(pick)
        if kind in (K.return_to_us, K.replace_, K.field_correction) or (kind is K.destroy and at % 3 == 0):
            consignee = self.consignee(case, at)
            if consignee is not None:
                self.work.propose(
                    case, kind, self.lot(case, units), None, consignee.id, Decimal(units % 9 + 1), by, again=again
                )
            return
        held = self.row(
            at, "SELECT DISTINCT lot_id, location_id FROM hold WHERE recall_number = %s AND quantity > 0 ORDER BY 1, 2",
            case.number,
        )  # fmt: skip
        if held is not None:
            self.work.propose(case, kind, held["lot_id"], held["location_id"], None, Decimal(units), by, again=again)

    @action(2, pick=PICK, by=("Ada", "Hedda", "Hugo", "Wanda"), yes=range(5))
    def decided(self, pick: int, by: str, yes: int) -> None:
        found = self.disposition(pick)
        if found is not None:
            role = "head_of_quality" if by in ("Hedda", "Hugo") else "approver"
            self.work.decide(found[0], found[1]["sequence"], by, role, yes=yes > 0)

    @action(2, pick=PICK)
    def signed_at_once(self, pick: int) -> None:
        """Everybody needed signs, so that walks come to carry things out."""
        found = self.disposition(pick)
        if found is not None:
            case, row = found
            self.work.decide(case, row["sequence"], "Hugo", "head_of_quality", yes=True)
            if row["kind"] == "release":
                self.work.decide(case, row["sequence"], "Alan", "approver", yes=True)

    @action(4,
        pick=PICK, at=PICK, units=range(1, 26), part=range(1, 26), dock=PICK, again=BOTH,
        kind=(K.release, K.destroy, K.rework, K.return_to_factory, K.release),
    )  # fmt: skip
    def disposed_of(self, pick: int, kind: K, at: int, units: int, part: int, dock: int, again: bool) -> None:
        """Our own stock goes the whole way at once: proposed, signed by everybody, carried out in part or whole."""
        case = self.case(pick)
        held = self.row(
            at, "SELECT DISTINCT lot_id, location_id FROM hold WHERE recall_number = %s AND quantity > 0"
            " AND confirmed_at IS NOT NULL ORDER BY 1, 2", case.number,
        )  # fmt: skip
        if held is not None:
            self.whole_way(case, kind, (held["lot_id"], held["location_id"], None), units, part, dock, again=again)

    @action(4,
        pick=PICK, who=PICK, lot=PICK, units=range(1, 7), part=range(1, 7), dock=PICK, again=BOTH,
        kind=(K.return_to_us, K.replace_, K.field_correction, K.destroy),
    )  # fmt: skip
    def disposed_of_there(
        self, pick: int, kind: K, who: int, lot: int, units: int, part: int, dock: int, again: bool
    ) -> None:
        """The same at a consignee that has stated what it has."""
        case = self.case(pick)
        stated = [each for each in case.consignees.values() if each.latest and any(each.latest.lines.values())]
        if stated and not case.ended:
            consignee = stated[who % len(stated)]
            lots = sorted(consignee.latest.lines) if consignee.latest else []
            spot = (lots[lot % len(lots)], None, consignee.id)
            self.whole_way(case, kind, spot, units, part, dock, again=again)

    def whole_way(
        self, case: Case, kind: K, spot: tuple[int, int | None, int | None], units: int, part: int, dock: int,
        *, again: bool,
    ) -> None:  # fmt: skip
        made = self.work.propose(case, kind, *spot, Decimal(units), "Wanda")
        if isinstance(made, Refused):
            return
        (row,) = self.work.desk.rows("SELECT * FROM disposition WHERE id = %s", made[0].id)
        if units % 3 == 0:
            own = self.work.decide(case, row["sequence"], "wanda", "approver", yes=True)
            assert isinstance(own, Refused), "the proposer approved"
        self.work.decide(case, row["sequence"], "Hugo", "head_of_quality", yes=True)
        if kind is K.release:
            self.work.decide(case, row["sequence"], "Ada", "approver", yes=True)
        spare = (self.work.world.lots["K9"], self.work.world.places["depot"])
        self.work.carry_out(case, row, Decimal(min(part, units)), self.place(dock), spare, again=again)

    @action(pick=PICK)
    def withdrawn(self, pick: int) -> None:
        found = self.disposition(pick, "proposed", "approved")
        if found is not None:
            self.work.withdraw(found[0], found[1]["sequence"])

    @action(2, pick=PICK, units=UNITS, whole=BOTH, dock=PICK, again=BOTH)
    def carried_out(self, pick: int, units: int, whole: bool, dock: int, again: bool) -> None:
        found = self.disposition(pick, "approved") or self.disposition(pick, "proposed", "done")
        if found is not None:
            case, row = found
            part = row["quantity"] - row["done"] if whole and row["quantity"] > row["done"] else Decimal(units)
            spare = (self.work.world.lots["K9"], self.work.world.places["depot"])
            self.work.carry_out(case, row, part, self.place(dock), spare, again=again)

    @action(pick=PICK, lot=PICK, place=PICK, units=range(1, 6), settle=BOTH)
    def sample(self, pick: int, lot: int, place: int, units: int, settle: bool) -> None:
        case = self.case(pick)
        if settle and case.samples:
            self.work.settle_sample(case, min(case.samples))
        else:
            self.work.keep(case, self.lot(case, lot), self.place(place), Decimal(units), again=True)

    @action(2, pick=PICK, what=("approve", "approve", "reject", "ship", "ship", "settle"))
    def supplied(self, pick: int, what: str) -> None:
        case = self.case(pick)
        self.work.look_at_disposition(case)
        if what == "settle":
            short = self.row(pick, "SELECT id FROM shortage WHERE recall_number = %s ORDER BY id", case.number)
            if short is not None:
                self.work.settle_shortage(case, short["id"])
            return
        state = "approved" if what == "ship" else "proposed"
        row = self.row(
            pick, "SELECT * FROM allocation WHERE recall_number = %s AND state = %s ORDER BY id", case.number, state
        ) or self.row(pick, "SELECT * FROM allocation WHERE recall_number = %s ORDER BY id", case.number)
        if row is not None:
            self.work.allocate(case, row, what)

    @action(2,
        what=("shipment", "delivery", "consumption", "to us"), lot=range(4),
        units=range(1, 9), goal=range(4), late=BOTH,
    )  # fmt: skip
    def movement_imported(self, what: str, lot: int, units: int, goal: int, late: bool) -> None:
        at = day(60) if late else self.work.desk.now.replace(minute=0) + timedelta(minutes=30)
        name, document = KITS[lot], f"X{self.work.desk.hours}"
        if what == "to us":
            self.work.bring("delivery", name, Decimal(units), "plant", ("depot", "carrier")[goal % 2], at, document)
        elif what == "consumption":
            self.work.bring(what, name, Decimal(units), "depot", "", at, document)
        else:
            place = (*HOSPITALS[:3], "carrier")[goal]
            self.work.bring(what, name, Decimal(units), "depot", place, at, document)

    @action(pick=PICK)
    def shipment_arrives(self, pick: int) -> None:
        under_way = sorted(self.work.world.goods.under_way.items())
        if not under_way:
            return
        (lot, place, document), units = under_way[pick % len(under_way)]
        names = {number: name for name, number in self.work.world.lots.items()}
        places = {number: name for name, number in self.work.world.places.items()}
        at = self.work.desk.now.replace(minute=0) + timedelta(minutes=30)
        self.work.bring("receipt", names[lot], units, "", places[place], at, document)

    @action(1, lot=range(4), place=range(3), change=range(-6, 7), reserved=range(6))
    def counted(self, lot: int, place: int, change: int, reserved: int) -> None:
        name, where = KITS[lot], OUR_PLACES[place]
        there = self.work.world.goods.at(self.work.world.lots[name], self.work.world.places[where])
        units = max(there + change, Decimal(0))
        self.work.count(name, where, units, min(Decimal(reserved), units))


__all__ = ["GoodsSteps"]
