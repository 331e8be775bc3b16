"""Messages to send in tests."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from adapters.messaging.base import OutgoingMessage

DELIVERY = UUID("01890000-0000-7000-8000-00000000002a")

MAIL = OutgoingMessage(
    delivery_id=DELIVERY,
    to="stores@hospital.example",
    subject="URGENT: MEDICAL DEVICE RECALL RC-2026-000012",
    text="Stop using lot A1.\nhttp://127.0.0.1:8080/r/abc\n",
    html="<p>Stop using lot <b>A1</b>. <a href='http://127.0.0.1:8080/r/abc'>Answer</a></p>",
    message_id=None,
    language="en",
    priority=1,
)
SMS = OutgoingMessage(
    delivery_id=DELIVERY,
    to="+12025550123",
    subject=None,
    text="URGENT RECALL RC-2026-000012 http://127.0.0.1:8080/r/abc",
    html=None,
    message_id=None,
    language="en",
    priority=1,
)


def mail(**changes: Any) -> OutgoingMessage:
    return replace(MAIL, **changes)


def sms(**changes: Any) -> OutgoingMessage:
    return replace(SMS, **changes)
