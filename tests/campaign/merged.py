"""People with several sites, and what happens to their messages, for the tests of merging."""

from datetime import datetime
from typing import Any

from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError
from db.engine import SessionFactory
from db.repositories.provider_events import ProviderEvent, record_provider_event
from db.repositories.replies import record_page_reply
from models.replies import PageReply, RecordedReply
from tests.campaign.conftest import Hand
from tests.campaign.world import NUMBER, T0, Person, World


def refused(kind: ErrorKind, *, maybe_sent: bool = False) -> SendError:
    return SendError(kind, "smtp:550", "as told by the test", maybe_sent=maybe_sent)


def twenty(world: World, person: Person) -> list[int]:
    return [world.consignee(f"Site {number:02}", person, lots=(str(100 + number),)) for number in range(20)]


def pays(world: World, consignee: int, person: Person, position: int = 9) -> None:
    """Give a consignee a contact for who pays."""
    world.run(
        "INSERT INTO contact (partner_id, position, name, role, party, email, phone, channels, status)"
        " SELECT partner_id, %s, 'Accounts', 'accounts', 'bill_to', %s, %s, %s, %s FROM consignee WHERE id = %s",
        *(position, person.email, person.phone, person.listed(), person.status, consignee),
    )


async def acknowledge(hand: Hand, consignee: int, **changes: Any) -> RecordedReply:
    given = {"recall_number": NUMBER, "consignee_id": consignee, "at": T0, "form_id": f"form-of-{consignee}"}
    async with hand.sessions.begin() as session:
        return await record_page_reply(session, PageReply.model_validate(given | changes))


async def bounced(sessions: SessionFactory, mail: OutgoingMessage, at: datetime = T0) -> ProviderEvent:
    """The mail came back from its recipient's mail system: there is no such mailbox."""
    async with sessions.begin() as session:
        return await record_provider_event(
            session,
            provider="smtp",
            provider_id=mail.message_id or "",
            delivery_id=mail.delivery_id,
            status="dead",
            error_code="smtp:5.1.1",
            at=at,
        )


def groups(world: World) -> dict[Any, set[int]]:
    """Consignees by the message that speaks of them."""
    found: dict[Any, set[int]] = {}
    for row in world.deliveries():
        found.setdefault(row["carried_by"] or row["id"], set()).add(row["consignee_id"])
    return found
