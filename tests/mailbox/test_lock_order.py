"""What comes back takes messages, contacts, consignees, the recall and then the audit chain, as everybody else does."""

import pytest

from tests.campaign.locks import CHAIN, beside
from tests.campaign.world import Person
from tests.mailbox import samples
from tests.mailbox.conftest import Office
from tests.mailbox.test_bounces import STORES, bounce, delivery

pytestmark = pytest.mark.db


async def test_a_bounce_and_an_opt_out_of_the_same_contact_do_not_wait_for_each_other(office: Office) -> None:
    sent = await office.sent("One", Person(STORES, "+254700000001"))
    # It came back from another campaign before, so this report ends the address.
    office.world.run(
        "INSERT INTO campaign (recall_number, sequence, notice_id, started_at, ended_at)"
        " SELECT recall_number, 2, notice_id, started_at, started_at FROM campaign"
    )
    office.world.run(
        "INSERT INTO delivery SELECT (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid(),"
        " 'campaign_id', (SELECT id FROM campaign WHERE sequence = 2), 'state', 'failed',"
        " 'error_kind', 'permanent_contact', 'error_code', 'dsn:5.1.1', 'provider_id', NULL))).* FROM delivery d"
    )
    office.arrives(bounce(sent))
    opting_out = "SELECT FROM contact ORDER BY id FOR NO KEY UPDATE"
    await beside(office.world, opting_out, CHAIN, office.collect())
    assert delivery(office, sent)[0] == "failed"
    assert office.world.one("SELECT status FROM contact") == "bounced"


async def test_a_bounce_takes_the_recall_before_the_chain(office: Office) -> None:
    sent = await office.sent()
    office.arrives(bounce(sent))
    # Whoever decides about the recall locks it, and then audits.
    await beside(office.world, "SELECT FROM recall FOR UPDATE", CHAIN, office.collect())
    assert delivery(office, sent)[0] == "failed"
    assert office.mails() == [("report", "system", "dead")]


async def test_an_answer_with_a_forged_token_takes_the_consignee_before_the_chain(office: Office) -> None:
    sent = await office.sent()
    forged = sent.answer_to.replace("@", "x@")
    office.arrives(samples.answer(forged, STORES, "1", original=sent.message_id))
    await beside(office.world, "SELECT FROM consignee FOR UPDATE", CHAIN, office.collect())
    assert office.mails() == [("person", "forged", "forged_sender")]
    assert "access.refused" in office.world.actions()
