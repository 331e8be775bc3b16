"""A notice for machines, as a webhook test sends it."""

from datetime import UTC, date, datetime
from typing import Any

from adapters.messaging.base import OutgoingMessage
from domain.notice_content import NoticeKind
from domain.notice_machine import MachineLot, MachineNotice, facts_of
from tests.messaging.builders import DELIVERY, mail
from tests.messaging.notices import CONTEXT

LOTS = (
    MachineLot(product="Infusion set", gtin="00614141999996", lot="A1", quantity="12.5", unit="piece"),
    MachineLot(
        product="Pump",
        gtin="00614141999989",
        udi_di="08717648200274",
        lot="B2",
        serials=("S-1", "S-2"),
        expires_on=date(2027, 5, 31),
        quantity="2",
        unit="piece",
        shipped_on=date(2026, 3, 1),
    ),
)


def machine(kind: NoticeKind = NoticeKind.INITIAL, **changes: Any) -> MachineNotice:
    given: dict[str, Any] = {
        "delivery_id": DELIVERY,
        "notice": facts_of(kind, "en", CONTEXT),
        "recipient": "Mercy Hospital",
        "lots": LOTS,
        "respond_by": datetime(2026, 11, 25, 12, tzinfo=UTC),
        "answer_link": "https://recall.firm.example/r/abc",
        "text": "URGENT\nStop using lot A1.",
    }
    return MachineNotice(**(given | changes))


def hooked(url: str, *, form: str = "json", key: str = "mercy", **changes: Any) -> OutgoingMessage:
    """A message to a recipient's system."""
    to = f'{{"url":"{url}","format":"{form}","key":"{key}"}}'
    return mail(**({"to": to, "machine": machine().canonical()} | changes))
