"""Every comparison at the end of a recall, as pure functions: who was told, who answered, what the scope became.

The goods are compared in `final_goods`, the papers and the way to the end in `final_record`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from demo import checks
from demo.comparing import Comparison, holds, same, same_map, same_set
from demo.facts import Facts
from demo.final_count import all_told
from demo.final_facts import FinalFacts, Row
from demo.final_goods import goods
from demo.final_record import record
from demo.truth import LotKey, Placed, Told, Truth

_SENT = frozenset({"submitted", "delivered"})
_ATTEMPTS, _CHANNELS = 3, 2


def compare_end(truth: Truth, end: FinalFacts) -> list[Comparison]:
    """Every comparison; the order is the order of the story."""
    truth = _named(truth, end)
    return [
        *scope(truth, end),
        *messages(truth, end),
        *answers(truth, end),
        *goods(truth, end),
        *record(truth, end),
    ]


def _named(truth: Truth, end: FinalFacts) -> Truth:
    """The same truth where our own people wrote down a site, known by name only, under the code it got on record."""
    names = {code: name for code, name in end.dossier.consignees.values() if code not in truth.consignees()}

    def renamed(placed: Placed) -> Placed:
        return {(names.get(place, place), lot): quantity for (place, lot), quantity in placed.items()}

    doings = replace(
        truth.doings,
        phone=[replace(told, consignee=names.get(told.consignee, told.consignee)) for told in truth.doings.phone],
        documented={names.get(code, code) for code in truth.doings.documented},
        returned=renamed(truth.doings.returned),
        destroyed_in_place=renamed(truth.doings.destroyed_in_place),
    )
    return replace(truth, doings=doings)


def scope(truth: Truth, end: FinalFacts) -> Iterator[Comparison]:
    """Lots, consignees and quantities of the scope as it became, over the API and in the dossier."""
    yield from checks.scope(truth, end.facts)
    dossier, versions = end.dossier, _lots_by_version(end)
    newest = max(versions, default=0)
    yield same_set("lots in the last scope of the dossier", truth.lots, versions.get(newest, []), "lots")
    first = set(versions.get(1, []))
    grown = [lot for lot in versions.get(newest, []) if lot not in first]
    yield same_set("lots by which the scope grew", truth.wider, grown, "lots")
    filed = [row for row in dossier.rows("consignee_lot") if row["withdrawn_in"] is None]
    for stated, what, expected in (
        (False, "units received by consignee and lot, in the dossier", truth.received),
        (True, "units passed on, in the dossier", truth.onward),
    ):
        found = {
            (dossier.site(row["consignee_id"], truth.consignees()), dossier.lots[row["lot_id"]]): checks.units(
                row["shipped"]
            )
            for row in filed
            if row["stated"] is stated
        }
        yield same_map(what, expected, found, "consignees' lots")


def _lots_by_version(end: FinalFacts) -> dict[int, list[LotKey]]:
    versions: dict[int, list[LotKey]] = {}
    for row in end.dossier.rows("scope_lot"):
        versions.setdefault(row["scope_version"], []).append(end.dossier.lots[row["lot_id"]])
    return versions


def messages(truth: Truth, end: FinalFacts) -> Iterator[Comparison]:
    """Every message to a consignee is accounted for, ours to our own people apart; the amended notice went to a few."""
    staff = {
        row["provider_id"]
        for row in end.dossier.rows("staff_message")
        if row["channel"] == "email" and row["state"] == "sent"
    }
    theirs = [mail for mail in end.facts.mails if not _to_staff(mail, staff, truth)]
    facts = replace(end.facts, mails=theirs)
    yield from checks.sent(truth, facts)
    spoke_of = _spoke_of(end)
    unnamed = checks.unnamed_lots(facts, spoke_of)
    yield holds("each notice names every lot its consignee had by then", f"{len(theirs)} mails", unnamed)
    caught = {mail["message_id"].strip() for mail in end.facts.mails}
    lost = sorted(f"{each} was not caught" for each in staff - caught)
    strays = [f"{owner} has the staff's address {address}" for address, owner in _shared(truth)]
    yield holds("messages to our own people", f"{len(staff)} mails", [*lost, *strays])
    amended = _amendment_campaigns(end)
    told = {
        end.dossier.site(row["consignee_id"], truth.consignees())
        for row in end.dossier.rows("delivery")
        if row["campaign_id"] in amended and row["state"] in _SENT
    }
    concerned = {consignee for consignee, lot in truth.received if lot in truth.wider}
    yield same_set("sites the amended notice went to", concerned, told, "sites")


def _to_staff(mail: Row, staff: set[str], truth: Truth) -> bool:
    return mail["message_id"].strip() in staff or mail["to"] in truth.staff


def _shared(truth: Truth) -> list[tuple[str, str]]:
    return [(address, truth.addresses[address]) for address in sorted(truth.staff & set(truth.addresses))]


def _amendment_campaigns(end: FinalFacts) -> set[int]:
    amendments = {row["id"] for row in end.dossier.rows("notice") if row["kind"] == "amendment"}
    return {row["id"] for row in end.dossier.rows("campaign") if row["notice_id"] in amendments}


def _spoke_of(end: FinalFacts) -> dict[str, int]:
    notices = {row["id"]: row["scope_version"] for row in end.dossier.rows("notice")}
    campaigns = {row["id"]: notices[row["notice_id"]] for row in end.dossier.rows("campaign")}
    return {row["id"]: campaigns[row["campaign_id"]] for row in end.dossier.rows("delivery")}


def answers(truth: Truth, end: FinalFacts) -> Iterator[Comparison]:
    """Everybody stated quantities or is documented, and what they said is what is filed."""
    everything = replace(truth, told=all_told(truth))
    yield from checks.statements(everything, end.facts)
    filed = [_as_told(row, end, truth) for row in end.dossier.rows("reply")]
    yield checks.same_answers("answers in the dossier", everything.told, filed)
    sites = truth.consignees() | {site for site, _ in truth.onward}
    final = {site: "documented" if site in truth.doings.documented else "answered" for site in sites}
    yield same_map("how each consignee ended", final, _states(truth, end.facts), "consignees")
    named = {row["id"]: end.dossier.site(row["id"], truth.consignees()) for row in end.dossier.rows("consignee")}
    filed_states = {named[row["id"]]: row["state"] for row in end.dossier.rows("consignee")}
    yield same_map("how each consignee ended, in the dossier", final, filed_states, "consignees")
    counters = end.facts.detail["counters"]
    yield same_map("counters of consignees", Counter(final.values()), counters["consignees"], "states")
    yield same("consignees nothing was heard of at the end", 0, counters["outstanding"])
    accounts = [row for row in end.dossier.rows("consignee_documented") if row["kind"] != "settled"]
    signed = [named[row["consignee_id"]] for row in accounts]
    yield same_set("consignees with a signed account", truth.silent & sites, signed, "consignees")
    thin = _thin_accounts(end, accounts)
    rule = f"{len(accounts)} accounts on three attempts, two channels and a live one"
    yield holds("nobody was documented too early", rule, thin)


def _states(truth: Truth, facts: Facts) -> dict[str, str]:
    known = truth.consignees()
    return {
        each["partner_code"] if each["partner_code"] in known else each["partner_name"]: each["state"]
        for each in facts.consignees
    }


def _as_told(reply: Row, end: FinalFacts, truth: Truth) -> Told:
    lines = {}
    for row in end.dossier.rows("reply_line"):
        if row["reply_id"] == reply["id"]:
            lines[end.dossier.lots[row["lot_id"]]] = checks.figures(row)
    site = end.dossier.site(reply["consignee_id"], truth.consignees())
    return Told(site, reply["channel"], reply["kind"], lines)


def _thin_accounts(end: FinalFacts, accounts: list[Row]) -> Iterator[str]:
    for account in accounts:
        consignee, at = account["consignee_id"], account["signed_at"]
        tries = [
            (row["channel"], row["live"])
            for row in end.dossier.rows("contact_attempt")
            if row["consignee_id"] == consignee and row["at"] <= at
        ]
        tries += [
            (row["channel"], False)
            for row in end.dossier.rows("delivery")
            if row["consignee_id"] == consignee and row["state"] in _SENT and row["submitted_at"] <= at
        ]
        channels, live = {channel for channel, _ in tries}, any(live for _, live in tries)
        if len(tries) < _ATTEMPTS or len(channels) < _CHANNELS or not live:
            code = end.dossier.consignees[consignee][0]
            yield f"{code}: {len(tries)} attempts by {', '.join(sorted(channels)) or 'nothing'}, live: {live}"
