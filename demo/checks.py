"""Every comparison between the right answer and what the product says, as pure functions."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from demo import chain
from demo.comparing import Comparison, holds, same, same_map, same_set
from demo.facts import Facts
from demo.truth import Figures, LotKey, Told, Truth, by_lot

_OUT = ("own", "logistics")
_MICROSECOND = 1e-6


def compare_all(truth: Truth, facts: Facts) -> list[Comparison]:
    """Every comparison; the order is the order of the story."""
    return [
        *scope(truth, facts),
        *stock(truth, facts),
        *messages(truth, facts),
        *answers(truth, facts),
        *record(truth, facts),
    ]


def scope(truth: Truth, facts: Facts) -> Iterator[Comparison]:
    """Lots, consignees, quantities."""
    yield same_set("lots in scope", truth.lots, [facts.lot_of(lot) for lot in facts.lots], "lots")
    listed = [site["partner_code"] for site in facts.sites]
    named = {each["partner_code"] for each in facts.consignees} - facts.on_record()
    yield same_set("consignees", truth.consignees(), [code for code in listed if code not in named], "consignees")
    received = facts.received(stated=False)
    yield same_map("units shipped by lot", by_lot(truth.received), by_lot(received), "lots")
    yield same_map("units received by consignee and lot", truth.received, received, "consignees' lots")
    traced = {site["partner_code"]: Decimal(site["shipped"]) for site in facts.sites}
    by_site = {code: quantity for code, quantity in traced.items() if code not in named}
    yield same_map("units received by consignee", _by_place(truth.received), by_site, "consignees")
    yield same("figures of the recall: lots", len(truth.lots), facts.detail["scope"]["lots"])
    stated = {(facts.name_of(code), lot): quantity for (code, lot), quantity in facts.received(stated=True).items()}
    yield same_map("units passed on to sites nobody had on record", truth.onward, stated, "lots at named sites")


def _by_place(received: Mapping[tuple[str, LotKey], Decimal]) -> dict[str, Decimal]:
    total: defaultdict[str, Decimal] = defaultdict(Decimal)
    for (place, _), quantity in received.items():
        total[place] += quantity
    return dict(total)


def stock(truth: Truth, facts: Facts) -> Iterator[Comparison]:
    """Holds, and that they came first."""
    held: defaultdict[tuple[str, LotKey], Decimal] = defaultdict(Decimal)
    for hold in facts.holds:
        if hold["state"] == "confirmed":
            held[hold["location_code"], facts.lot_of(hold)] += Decimal(hold["quantity"])
    yield same_map("units under a confirmed hold", truth.held, held, "positions")
    foreign = [
        f"hold {hold['id']} lies at {hold['location_code']} ({hold['custody']})"
        for hold in facts.holds
        # What is on its way to a customer can still be stopped; what lies there is held by the customer.
        if hold["custody"] not in _OUT and hold["position"] != "in_transit"
    ]
    yield holds("holds on what lies in our or our logistics partners' hands", f"{len(facts.holds)} holds", foreign)
    first = facts.first_sent_at()
    late = [
        f"hold {hold['id']} was requested at {hold['requested_at']}, the first notice left at {first}"
        for hold in facts.holds
        if first is not None and not hold["late"] and datetime.fromisoformat(hold["requested_at"]) >= first
    ]
    known = sum(not hold["late"] for hold in facts.holds)
    yield holds("holds requested before the first notice left", f"{known} holds", late)


def messages(truth: Truth, facts: Facts) -> Iterator[Comparison]:
    """Every message is where it should be and says what it should."""
    yield from sent(truth, facts)
    yield holds("each notice names every lot of its consignee", f"{len(facts.mails)} mails", unnamed_lots(facts))


def sent(truth: Truth, facts: Facts) -> Iterator[Comparison]:
    """Every message the product says it sent is at a sink, once, at an address of the right consignee."""
    mails, out = facts.mail_deliveries(), facts.out("email")
    yield same_set("mails caught, by delivery", [d["id"] for d in out], mails, "mails")
    yield same("mails caught twice", 0, facts.mail_stats["duplicates"])
    failed = [d for d in facts.deliveries if d["channel"] == "email" and d["state"] == "failed"]
    yield same("mails refused by the receiving server", len(failed), facts.mail_stats["refused"])
    texts = [text for text in facts.texts if text["direction"] == "outbound-api"]
    yield same_set(
        "text messages, by the provider's id",
        [d["provider_id"] for d in facts.out("sms")],
        [text["sid"] for text in texts],
        "text messages",
    )
    yield holds("nothing waits to be sent", "no open delivery", _open_deliveries(facts))
    yield holds("each message is at an address of its consignee", "every message", _misdirected(truth, facts))
    yield holds("each consignee got a notice", f"{len(facts.consignees)} consignees", _missed(facts))


def _open_deliveries(facts: Facts) -> Iterator[str]:
    for delivery in facts.unsent():
        yield f"delivery {delivery['id']} is still {delivery['state']}"


def _misdirected(truth: Truth, facts: Facts) -> Iterator[str]:
    by_id = {d["id"]: facts.code_of(d["consignee_id"]) for d in facts.deliveries}
    by_provider = {d["provider_id"]: by_id[d["id"]] for d in facts.deliveries if d["provider_id"]}
    found = [(mail["to"], by_id.get(each)) for mail, each in zip(facts.mails, facts.mail_deliveries(), strict=True)]
    found += [(t["to"], by_provider.get(t["sid"])) for t in facts.texts if t["direction"] == "outbound-api"]
    for address, code in found:
        owner = truth.addresses.get(address)
        if code is None or owner not in (code, facts.name_of(code)):
            yield f"a message of {code} went to an address of {owner or 'nobody'}"


def _missed(facts: Facts) -> Iterator[str]:
    told = {d["consignee_id"] for channel in ("email", "sms") for d in facts.out(channel)}
    for consignee in facts.consignees:
        if consignee["id"] not in told:
            yield f"{consignee['partner_code']} got nothing"


def unnamed_lots(facts: Facts, spoke_of: Mapping[str, int] | None = None) -> Iterator[str]:
    """Mails that leave out a lot of their consignee.

    Args:
        facts: what the product and the sinks say.
        spoke_of: delivery -> scope version its notice speaks of; without it every notice speaks of all lots.
    """
    lots = {each["id"]: each["lots"] for each in facts.consignees}
    consignee_of = {d["id"]: d["consignee_id"] for d in facts.deliveries}
    for mail, delivery in zip(facts.mails, facts.mail_deliveries(), strict=True):
        text = mail["text"] or ""
        for lot in lots.get(consignee_of.get(delivery, 0), []):
            known = spoke_of is None or lot["scope_version"] <= spoke_of.get(delivery, 0)
            if known and lot["lot_number"] not in text:
                yield f"mail {mail['id']} does not name lot {lot['lot_number']}"


def answers(truth: Truth, facts: Facts) -> Iterator[Comparison]:
    """What recipients said is what was recorded, and nobody is left but those who never say anything."""
    yield from statements(truth, facts)
    yield from heard(truth, facts)


def statements(truth: Truth, facts: Facts) -> Iterator[Comparison]:
    """What recipients said is what was recorded."""
    known = truth.consignees()
    recorded = []
    for reply in facts.replies:
        code = facts.code_of(reply["consignee_id"])
        recorded.append(_as_told(code if code in known else facts.name_of(code), reply, facts))
    yield same_answers("answers as given", truth.told, recorded)
    tally = Counter(told.channel for told in truth.told)
    yield same_map("answers by channel", tally, Counter(reply["channel"] for reply in facts.replies), "channels")


def same_answers(what: str, expected: Iterable[Told], found: Iterable[Told]) -> Comparison:
    """The same answers as often as they were given: somebody who is asked again may say the same again."""
    return same_map(what, Counter(map(line, expected)), Counter(map(line, found)), "different answers")


def heard(truth: Truth, facts: Facts) -> Iterator[Comparison]:
    """Exactly those who never answer are open; the counters say the same."""
    known = truth.consignees()
    silent = truth.silent & known
    states = {each["partner_code"]: each["state"] for each in facts.consignees}
    wrong = [f"{code} is {state}" for code, state in states.items() if (state == "open") != (code in silent)]
    listed = f"{len(states)} consignees"
    rule = f"{listed}, {len(silent)} of them silent to the end" if silent else listed
    yield holds("every consignee was heard of", rule, wrong)
    stated = {told.consignee for told in truth.told if told.kind == "statement"}
    owing = len((known | {site for site, _ in truth.onward}) - stated - silent)
    counters = facts.detail["counters"]
    yield same("consignees that still owe quantities", owing, counters["consignees"].get("acknowledged", 0))
    yield same("consignees nothing was heard of", len(silent), counters["outstanding"])


def _as_told(consignee: str, reply: dict[str, Any], facts: Facts) -> Told:
    lines = {facts.lot_of(each): figures(each) for each in reply["lines"]}
    return Told(consignee, reply["channel"], reply["kind"], lines)


def figures(record: Mapping[str, Any]) -> Figures:
    """The four quantities of a stated lot."""
    on_hand, used, held, passed_on = (units(record[name]) for name in ("on_hand", "used", "held", "passed_on"))
    return on_hand, used, held, passed_on


def units(value: Any) -> Decimal:
    """A quantity as the API and the dossier write it."""
    return Decimal(str(value))


def line(told: Told) -> tuple[Any, ...]:
    """An answer as something that can be compared: trailing zeros and the order of lots say nothing."""
    stated = [(*lot, *(format(q.normalize(), "f") for q in figures)) for lot, figures in told.lines.items()]
    return (told.consignee, told.channel, told.kind, *sorted(stated))


def record(truth: Truth, facts: Facts) -> Iterator[Comparison]:
    """The record itself: audit chain, notice hashes, both times of every deadline."""
    kept = {each["file_name"]: each["sha256"] for each in facts.evidence}
    yield same_map("evidence files", truth.evidence, kept, "files")
    yield from integrity(facts)


def integrity(facts: Facts) -> Iterator[Comparison]:
    """Nothing on record was changed afterwards."""
    number = facts.detail["number"]
    yield holds("audit chain recomputed", f"{len(facts.audit)} events", chain.faults(number, facts.audit))
    yield same("audit chain as the product verifies it", True, facts.audit_verified["intact"])
    yield same("events in the chain", len(facts.audit), facts.audit_verified["events"])
    yield same("head of the chain", facts.audit[-1]["hash"] if facts.audit else None, facts.audit_verified["head"])
    faults = notice_faults(facts.notices, facts.detail["started_by"])
    yield holds("the approved notice is what its hash says", f"{len(facts.notices)} notices", faults)
    yield holds("deadlines in real and policy time agree", f"{len(facts.deadlines)} deadlines", _pace_faults(facts))


def notice_faults(notices: Iterable[dict[str, Any]], started_by: str) -> Iterator[str]:
    """Notices whose bodies are not what was approved, or that the wrong person approved."""
    for notice in notices:
        hashes = []
        for each in notice["bodies"]:
            # A body that encloses nothing is hashed without a word of it.
            unhashed = {"sha256"} if each["body"].get("enclosed") is not None else {"sha256", "enclosed"}
            content = {name: value for name, value in each["body"].items() if name not in unhashed}
            text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            hashes.append(hashlib.sha256(text.encode()).hexdigest())
            if hashes[-1] != each["sha256"]:
                yield f"notice {notice['id']}, {each['kind']}/{each['channel']}.{each['language']} was changed"
        if hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest() != notice["sha256"]:
            yield f"notice {notice['id']} has another hash than its bodies"
        if notice["approved_by"] in (None, notice["drafted_by"], started_by):
            yield f"notice {notice['id']} was approved by {notice['approved_by']}"


def _pace_faults(facts: Facts) -> Iterator[str]:
    created = datetime.fromisoformat(facts.detail["created"]["at"])
    pace = float(facts.detail["pace"])
    for deadline in facts.deadlines:
        real = datetime.fromisoformat(deadline["due"]["at"])
        policy = datetime.fromisoformat(deadline["due"]["policy_at"])
        passed, stands_for = (real - created).total_seconds(), (policy - created).total_seconds()
        # Instants are kept to the microsecond, which the pace multiplies; before the recall existed time was real.
        slack = 0.001 + 2 * _MICROSECOND * pace
        fits = real == policy if real <= created else abs(passed * pace - stands_for) <= slack
        if not fits:
            yield f"{deadline['name']} ({deadline['jurisdiction']}): real {real}, policy {policy}, pace {pace:g}"
