"""A person with several sites gets one notice for all of them: planned, sent, and sent again."""

import asyncio
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from adapters.messaging.base import ErrorKind
from db.repositories import merging
from domain.links import read_link_token
from tests.campaign.conftest import Hand
from tests.campaign.merged import acknowledge, groups, refused, twenty
from tests.campaign.world import SECRET, T0, Person, World

pytestmark = pytest.mark.db


# ---------------------------------------------------------------------- planning


async def test_one_person_at_twenty_sites_is_planned_one_message_and_each_site_its_own_delivery(
    hand: Hand, world: World
) -> None:
    sites = twenty(world, Person("Safety@Group.example"))
    other = world.consignee("Other", Person("other@hospital.example"))
    await hand.advance()
    assert sorted(map(sorted, groups(world).values())) == sorted([sorted(sites), [other]])
    assert [row["leads"] for row in world.deliveries()].count(True) == 1
    assert (await hand.progress()).pending == {"email": 2}


async def test_an_address_is_the_same_however_it_is_written_but_languages_and_channels_are_apart(
    hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person("Safety@Group.Example"))
    two = world.consignee("Two", Person("safety@group.example"))
    chinese = world.consignee("Three", Person("safety@group.example"), language="zh-CN")
    texts = [world.consignee(name, Person(phone="+254700000001")) for name in ("Four", "Five")]
    await hand.advance()
    assert sorted(map(sorted, groups(world).values())) == sorted([[one, two], [chinese], texts])


async def test_systems_get_a_notice_for_each_site_because_they_answer_each_by_itself(hand: Hand, world: World) -> None:
    for name in ("One", "Two"):
        consignee = world.consignee(name, Person("it@group.example", channels=("webhook",)))
        world.run(
            "UPDATE contact SET webhook_url = 'https://his.example/recall', webhook_format = 'json', webhook_key = 'g'"
            " WHERE partner_id = (SELECT partner_id FROM consignee WHERE id = %s)",
            consignee,
        )
    await hand.advance(channels=("webhook",))
    assert [row["carried_by"] for row in world.deliveries()] == [None, None]


async def test_a_site_that_comes_in_while_the_message_waits_joins_it_and_after_it_was_tried_does_not(
    hand: Hand, world: World
) -> None:
    person = Person("safety@group.example")
    first = [world.consignee(name, person) for name in ("One", "Two")]
    await hand.advance()
    joined = world.consignee("Three", person)
    await hand.advance()
    assert list(groups(world).values()) == [{*first, joined}]
    hand.mail.refusals["safety@group.example"] = refused(ErrorKind.TRANSIENT)
    await hand.send()
    late = world.consignee("Four", person)
    await hand.advance()
    assert sorted(map(sorted, groups(world).values())) == sorted([[*first, joined], [late]])
    assert (await hand.progress()).pending == {"email": 1}


async def test_no_message_speaks_of_more_sites_than_can_be_read(
    hand: Hand, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "MOST", 8)
    twenty(world, Person("safety@group.example"))
    await hand.advance()
    assert sorted(map(len, groups(world).values())) == [4, 8, 8]


# ---------------------------------------------------------------------- sending


async def test_one_mail_names_every_site_with_its_own_lots_and_leads_to_a_page_for_all(
    hand: Hand, world: World
) -> None:
    sites = twenty(world, Person("safety@group.example"))
    await hand.advance()
    result = await hand.send()
    assert (result.claimed, result.submitted) == (1, 1)
    (mail,) = hand.mail.accepted
    for number in range(20):
        assert f"Site {number:02}: A1 ({100 + number} test)" in mail.text
        assert f"- Site {number:02}: HIV kit\n  Lot A1;" in mail.text
    assert "This notice is for 20 sites" in mail.text
    assert mail.html is not None
    assert mail.html.count("<li><strong>Site ") == 20
    address = mail.text.split("/r/")[1].split()[0]
    token, _, page = address.partition("/")
    assert page == "sites"
    claims = read_link_token(SECRET, token, T0)
    assert claims.delivery_id == mail.delivery_id
    assert claims.consignee_id in sites
    rows = world.deliveries()
    assert {row["state"] for row in rows} == {"submitted"}
    assert {row["provider_id"] for row in rows} == {mail.message_id}
    assert world.one("SELECT count(*) FROM consignee WHERE first_notified_at IS NOT NULL") == 20
    data = world.one("SELECT data FROM audit_event WHERE action = 'deliveries.recorded'")
    assert sorted(data["submitted"]) == sorted(str(row["id"]) for row in rows)


async def test_a_single_recipients_mail_says_nothing_of_sites(hand: Hand, world: World) -> None:
    world.consignee("One", Person("a@x.example"))
    await hand.advance()
    await hand.send()
    (mail,) = hand.mail.accepted
    assert "/sites" not in mail.text
    assert "sites" not in mail.text.split("1. WHAT IS AFFECTED")[0]


async def test_a_text_names_how_many_sites_it_is_for(hand: Hand, world: World) -> None:
    twenty(world, Person(phone="+254700000001"))
    await hand.advance()
    await hand.send("sms")
    (text,) = hand.sms.accepted
    assert "20 sites: Site 00, Site 01 +18." in text.text


async def test_two_sites_of_one_name_are_told_apart_by_their_code(hand: Hand, world: World) -> None:
    for name in ("One", "Two"):
        world.consignee(name, Person("safety@group.example"))
    world.run("UPDATE partner SET name = 'County Hospital'")
    await hand.advance()
    await hand.send()
    assert "County Hospital (P-One): A1" in hand.mail.accepted[0].text
    assert "County Hospital (P-Two): A1" in hand.mail.accepted[0].text


async def test_whoever_answered_before_it_is_sent_is_not_in_the_message_even_if_it_was_to_lead(
    hand: Hand, world: World
) -> None:
    sites = twenty(world, Person("safety@group.example"))
    await hand.advance()
    lead = world.one("SELECT consignee_id FROM delivery WHERE leads")
    carried = next(site for site in sites if site != lead)
    await acknowledge(hand, carried)
    await acknowledge(hand, lead)
    await hand.advance(T0 + timedelta(seconds=1))
    assert (await hand.send(now=T0 + timedelta(seconds=1))).submitted == 1
    (mail,) = hand.mail.accepted
    assert "This notice is for 18 sites" in mail.text
    states = {row["consignee_id"]: row["state"] for row in world.deliveries()}
    assert [states.pop(each) for each in (lead, carried)] == ["cancelled"] * 2
    assert set(states.values()) == {"submitted"}


async def test_a_carried_site_that_answers_just_before_the_claim_is_left_out(hand: Hand, world: World) -> None:
    sites = twenty(world, Person("safety@group.example"))
    await hand.advance()
    lead = world.one("SELECT consignee_id FROM delivery WHERE leads")
    carried = next(site for site in sites if site != lead)
    await acknowledge(hand, carried)
    await hand.send()
    assert "This notice is for 19 sites" in hand.mail.accepted[0].text
    assert [row["state"] for row in world.deliveries(carried)] == ["cancelled"]


async def test_nothing_is_lost_when_the_leading_site_answers_and_nobody_has_looked_yet(
    hand: Hand, world: World
) -> None:
    sites = twenty(world, Person("safety@group.example"))
    await hand.advance()
    await acknowledge(hand, world.one("SELECT consignee_id FROM delivery WHERE leads"))
    assert (await hand.send()).claimed == 0
    assert (await hand.progress()).pending == {"email": 19}, "the campaign sees that something is due and looks again"
    await hand.advance()
    assert (await hand.send()).submitted == 1
    assert world.one("SELECT count(*) FROM consignee WHERE first_notified_at IS NOT NULL") == len(sites) - 1


async def test_a_message_of_unknown_fate_is_sent_again_with_the_same_words(hand: Hand, world: World) -> None:
    sites = twenty(world, Person("safety@group.example"))
    await hand.advance()
    accepted = hand.mail.accepted

    def lose(_: object) -> None:
        raise refused(ErrorKind.TRANSIENT, maybe_sent=True)

    hand.mail.after_accept = lose
    assert (await hand.send()).deferred == 1
    assert {row["state"] for row in world.deliveries()} == {"submitting"}
    await acknowledge(hand, sites[3])
    hand.mail.after_accept = lambda _: None
    assert (await hand.send(now=T0 + timedelta(minutes=5))).resent == 1
    assert len(accepted) == 2
    assert accepted[0] == accepted[1]
    assert {row["state"] for row in world.deliveries()} == {"submitted"}


async def test_a_message_that_was_not_taken_waits_with_all_its_sites(hand: Hand, world: World) -> None:
    sites = twenty(world, Person("safety@group.example"))
    await hand.advance()
    hand.mail.refusals["safety@group.example"] = refused(ErrorKind.TRANSIENT)
    await hand.send()
    assert {row["state"] for row in world.deliveries()} == {"pending"}
    await acknowledge(hand, next(s for s in sites if s != world.one("SELECT consignee_id FROM delivery WHERE leads")))
    hand.mail.refusals.clear()
    later = T0 + timedelta(minutes=5)
    await hand.advance(later)
    await hand.send(now=later)
    assert "This notice is for 19 sites" in hand.mail.accepted[0].text


async def test_the_sites_behind_any_delivery_of_a_message_are_those_it_was_sent_for(hand: Hand, world: World) -> None:
    sites = twenty(world, Person("safety@group.example"))
    alone = world.consignee("Alone", Person("alone@x.example"))
    await hand.advance()
    carried = next(s for s in sites if s != world.one("SELECT consignee_id FROM delivery WHERE leads"))
    await acknowledge(hand, carried)
    await hand.send()
    ids: dict[int, UUID] = {row["consignee_id"]: row["id"] for row in world.deliveries()}
    async with hand.sessions() as session:
        for site in sites:
            found = [each.consignee_id for each in await merging.sites_of(session, ids[site])]
            assert found == ([] if site == carried else [each for each in sites if each != carried])
        assert await merging.sites_of(session, ids[alone]) == []


async def test_two_senders_at_once_send_a_shared_message_once(hand: Hand, world: World) -> None:
    twenty(world, Person("safety@group.example"))
    await hand.advance()
    await asyncio.gather(*(hand.send() for _ in range(3)))
    assert len(hand.mail.accepted) == 1


async def test_planning_leaves_a_message_alone_that_a_sender_takes_at_this_moment(hand: Hand, world: World) -> None:
    person = Person("safety@group.example")
    told = [world.consignee(name, person) for name in ("One", "Two")]
    await hand.advance()
    lead = world.one("SELECT id FROM delivery WHERE leads")
    late = world.consignee("Three", person)
    with psycopg.connect(world.url) as sender:
        sender.execute("SELECT FROM delivery WHERE id = %s FOR UPDATE", [lead])
        await hand.advance()
        assert world.one("SELECT count(*) FROM delivery WHERE carried_by = %s", lead) == 0
        sender.rollback()
    await hand.send()
    listed = [mail.text.count("- One: ") + mail.text.count("- Two: ") for mail in hand.mail.accepted]
    assert len(listed) == 2
    assert world.one("SELECT count(*) FROM consignee WHERE first_notified_at IS NOT NULL") == len([*told, late])
