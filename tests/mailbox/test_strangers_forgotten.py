"""Messages that belong to no recall are not kept for ever; what somebody has still to read, or is evidence, is."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from adapters.evidence.folder import FolderEvidence
from db.repositories import strangers
from tests.campaign.world import NUMBER
from tests.mailbox import samples
from tests.mailbox.conftest import Office
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
NOW = datetime.now(UTC)
STORES = "stores@hospital.example"


async def from_a_stranger(office: Office, number: str, text: str = "An offer of pallets", to: str = "") -> int:
    """A mail that nobody expected; returns the id of its message."""
    office.arrives(samples.answer(to or "recall@firm.example", "x@y.example", text, number=number))
    await office.collect()
    return int(office.world.one("SELECT max(id) FROM inbound_message"))


def settled(office: Office, message: int, how: str, years: float, number: str | None = None) -> None:
    office.world.run(
        "UPDATE inbound_message SET settled_at = %s, settled_by = 'Vic', settled_as = %s, settled_note = 'n',"
        " settled_in = %s WHERE id = %s",
        *(NOW - timedelta(days=365.25 * years), how, number, message),
    )


def left(office: Office) -> set[int]:
    return {row["id"] for row in office.world.rows("SELECT id FROM inbound_message")}


async def forget(office: Office, now: datetime = NOW) -> int:
    store = FolderEvidence(office.folder / "evidence")
    async with office.sessions.begin() as session:
        return await strangers.forget(session, now, store.remove)


async def test_what_was_settled_two_years_ago_goes_with_the_mail_as_it_came(office: Office) -> None:
    old, answered, young = [await from_a_stranger(office, str(number), f"Offer {number}") for number in range(3)]
    settled(office, old, "not_ours", 2.1)
    settled(office, answered, "answered", 2.1)
    settled(office, young, "not_ours", 1.9)
    store = FolderEvidence(office.folder / "evidence")
    hashes = [row["sha256"] for row in office.world.rows("SELECT sha256 FROM evidence ORDER BY file_name, uploaded_at")]
    assert await forget(office) == 2
    assert left(office) == {young}
    assert office.world.one("SELECT count(*) FROM returned_mail") == 1
    kept = office.world.one("SELECT sha256 FROM evidence")
    assert [await store.exists(each) for each in hashes].count(True) == 1
    assert await store.exists(kept)
    event = office.world.rows("SELECT stream, actor, data FROM audit_event WHERE action = 'messages.forgotten'")
    assert event == [{"stream": "system", "actor": "system", "data": {"messages": 2, "files": 2}}]
    assert await forget(office) == 0
    assert len(office.world.rows("SELECT FROM audit_event WHERE action = 'messages.forgotten'")) == 1


async def test_nothing_that_waits_for_a_reader_or_is_evidence_is_forgotten_however_old(office: Office) -> None:
    sent = await office.sent()
    unread = await from_a_stranger(office, "1", "A patient died")
    recorded = await from_a_stranger(office, "2", "Five sets here")
    settled(office, recorded, "recorded", 9, NUMBER)
    office.arrives(samples.answer(sent.answer_to, STORES, "1", original=sent.message_id))
    await office.collect()
    office.world.run("UPDATE inbound_message SET received_at = received_at - interval '9 years'")
    before = left(office)
    assert {unread, recorded} < before
    assert await forget(office) == 0
    assert left(office) == before
    # Somebody whom a recall has told: what they wrote goes with its file.
    known = office.world.one("SELECT min(contact_id) FROM delivery")
    office.world.run("UPDATE inbound_message SET contact_id = %s WHERE id = %s", known, unread)
    settled(office, unread, "answered", 9)
    assert await forget(office) == 0


async def test_a_machine_that_wrote_to_us_without_reason_is_forgotten_unread(office: Office) -> None:
    office.arrives(samples.away("recall@firm.example", "x@y.example", original=""))
    await office.collect()
    assert len(left(office)) == 1
    assert await forget(office) == 0
    office.world.run("UPDATE inbound_message SET received_at = received_at - interval '3 years'")
    assert await forget(office) == 1
    assert left(office) == set()
    assert office.world.one("SELECT count(*) FROM evidence") == 0


async def test_the_database_forgets_nothing_younger_whatever_it_is_asked(
    office: Office, postgres: PostgresForTests
) -> None:
    young = await from_a_stranger(office, "1")
    settled(office, young, "not_ours", 1.9)
    assert await forget(office, NOW + timedelta(days=3650)) == 0
    assert left(office) == {young}
    with (
        psycopg.connect(postgres.app_url, autocommit=True) as app,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        app.execute("DELETE FROM inbound_message")


async def test_a_store_that_is_away_loses_no_trace_of_what_it_still_has(office: Office) -> None:
    message = await from_a_stranger(office, "1")
    settled(office, message, "not_ours", 3)

    async def away(_: str) -> None:
        raise ConnectionError("the store is away")

    with pytest.raises(ConnectionError):
        async with office.sessions.begin() as session:
            await strangers.forget(session, NOW, away)
    assert left(office) == {message}
    assert await forget(office) == 1
