"""What must be true of a campaign, compared between the record, the sinks and the chain the test invented."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.stages import LANE
from tests.e2e.office import RecallCase
from tests.e2e.running import World

GROUP_OF_RECORDS = 250
"""Outcomes are committed in groups of at most this many (design §6): the bound of repeated mails after a crash."""
_MESSAGE_ID = re.compile(r"<([0-9a-f-]{36})@[^>]+>")
OUT = ("submitted", "delivered")


@dataclass(frozen=True)
class Figures:
    """What a campaign did, counted at the sinks."""

    mails: int
    repeated_mails: int
    texts: int
    ambiguous: int

    def __str__(self) -> str:
        return f"{self.mails} mails, {self.repeated_mails} repeated, {self.texts} texts, {self.ambiguous} ambiguous"


def delivery_of(mail: dict[str, Any]) -> str:
    """Id of the delivery a caught mail belongs to."""
    match = _MESSAGE_ID.fullmatch(mail["message_id"].strip())
    assert match, f"a mail without a Message-ID of ours: {mail['message_id']!r}"
    return match.group(1)


def check_ledger(world: World, case: RecallCase) -> Figures:
    """Sinks and deliveries agree: nothing sent that is not on record, nothing on record that was not sent.

    A mail whose sender was killed before it could record it may be there twice, under one Message-ID; a text
    message never.
    """
    before = case.deliveries()
    mails, texts = world.sinks.mails(case.group), world.sinks.texts(case.group)
    # The campaign may be going on: what is at the sinks now must be on record in a moment, and the reverse.
    after = {each["id"]: each for each in case.deliveries()}
    codes = {each["id"]: each["partner_code"] for each in case.consignees()}
    sent = Counter(delivery_of(mail) for mail in mails)
    for mail in mails:
        record = after[delivery_of(mail)]
        assert record["channel"] == "email"
        assert codes[record["consignee_id"]] == case.group.of(mail["to"]).code
        assert record["state"] in (*OUT, "submitting") or record["ambiguous"], f"sent but {record}"
    out_by_mail = {each["id"] for each in before if each["channel"] == "email" and each["state"] in OUT}
    assert out_by_mail <= set(sent), f"never arrived: {sorted(out_by_mail - set(sent))}"
    assert len({(text["to"], text["body"]) for text in texts}) == len(texts), "a text message was sent twice"
    by_sid = {each["provider_id"]: each for each in after.values() if each["channel"] == "sms"}
    for text in texts:
        if text["sid"] in by_sid:
            assert codes[by_sid[text["sid"]]["consignee_id"]] == case.group.of(text["to"]).code
    out_by_sms = {each["provider_id"] for each in before if each["channel"] == "sms" and each["state"] in OUT}
    assert out_by_sms <= {text["sid"] for text in texts}
    open_texts = sum(each["channel"] == "sms" and each["state"] == "submitting" for each in after.values())
    assert len([text for text in texts if text["sid"] not in by_sid]) <= open_texts, "a text that is not on record"
    deliveries = after
    doubtful = {each["id"] for each in deliveries.values() if each["ambiguous"]}
    repeated = {delivery for delivery, times in sent.items() if times > 1}
    assert repeated <= doubtful, "a mail was repeated that nobody had doubts about"
    return Figures(len(sent), sum(sent.values()) - len(sent), len(texts), len(doubtful))


def first_notices(world: World, case: RecallCase) -> set[str]:
    """Codes of the consignees at which a first notice has arrived, seen at the sinks."""
    steps = {each["id"]: each for each in case.deliveries() if each["step"] == 0}
    sids = {each["provider_id"] for each in steps.values()}
    mailed = {case.group.of(m["to"]).code for m in world.sinks.mails(case.group) if delivery_of(m) in steps}
    return mailed | {case.group.of(text["to"]).code for text in world.sinks.texts(case.group) if text["sid"] in sids}


def check_nobody_chased_after_the_answer(case: RecallCase) -> set[str]:
    """No reminder or escalation was made for anybody whose answer was there; returns the codes of the reminded.

    Whoever has acknowledged is asked for quantities and action in their own lanes, and for nothing earlier.
    """
    consignees = {each["id"]: each for each in case.consignees()}
    reminded = set()
    for delivery in case.deliveries():
        who = consignees[delivery["consignee_id"]]
        if delivery["step"] >= LANE:
            assert who["acknowledged_at"], f"{who['partner_code']} was asked for what follows an acknowledgement"
        elif delivery["step"] > 0:
            reminded.add(who["partner_code"])
            made, told = delivery["created_at"], who["acknowledged_at"]
            late = told is None or datetime.fromisoformat(made) <= datetime.fromisoformat(told)
            assert late, f"{who['partner_code']} was chased after the answer"
    return reminded


def check_replies(case: RecallCase, answered: Collection[str]) -> None:
    """Every answer that was given is on record, and no other."""
    codes = {each["id"]: each["partner_code"] for each in case.consignees()}
    on_record = {codes[each["consignee_id"]] for each in case.office.all(f"{case.base}/replies")}
    assert on_record == set(answered), on_record ^ set(answered)
    states = {each["partner_code"]: each["state"] for each in case.consignees()}
    assert {code for code, state in states.items() if state != "open"} == set(answered)


def check_audit(case: RecallCase) -> None:
    """The recall's audit chain holds from its first event to its head."""
    verified = case.office.get(f"{case.base}/audit/verify", "auditor")
    assert verified["intact"], verified
    assert verified["events"] > 10
