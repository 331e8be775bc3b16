"""Which refusals mean "too fast", and the time that Twilio names: with the real stand-in and the real tables."""

from datetime import timedelta

import pytest

from adapters.messaging.base import ErrorKind, SendError, read_retry_after
from adapters.messaging.smtp_errors import classify_smtp
from adapters.messaging.twilio_connection import TwilioConfig
from adapters.messaging.twilio_errors import classify_twilio
from adapters.messaging.twilio_sms import TwilioSmsAdapter
from tests.messaging.builders import sms
from tests.messaging.conftest import ACCOUNT_SID, AUTH_TOKEN, Standin


@pytest.mark.parametrize(
    ("code", "status", "throttled"),
    [
        (20429, 429, True),
        (21611, 400, True),
        (30001, None, True),
        (None, 429, True),
        (99999, 429, True),
        (21610, 400, False),
        (20003, 401, False),
        (30003, None, False),
        (None, 503, False),
    ],
)
def test_only_answers_about_the_rate_and_full_queues_slow_a_channel(
    code: int | None, status: int | None, throttled: bool
) -> None:
    assert classify_twilio(code, status).throttled is throttled


@pytest.mark.parametrize(
    ("code", "reply", "throttled"),
    [
        (421, "4.7.0 Try again later", True),
        (421, "too many connections", True),
        (452, "4.5.3 too many recipients", True),
        (450, "4.7.28 unusual rate of mail", True),
        (451, "4.3.2 system not accepting messages", True),
        (421, "4.4.2 idle timeout", False),
        (450, "4.2.1 mailbox busy", False),
        (451, "4.7.1 greylisted", False),
        (550, "5.1.1 no such user", False),
    ],
)
def test_a_mail_server_that_is_overloaded_slows_the_channel_and_a_greylist_does_not(
    code: int, reply: str, throttled: bool
) -> None:
    assert classify_smtp(code, reply, stage="recipient").throttled is throttled


async def test_too_many_requests_at_the_stand_in_are_no_failed_attempt(standin: Standin) -> None:
    adapter = TwilioSmsAdapter(TwilioConfig(ACCOUNT_SID, AUTH_TOKEN, "+12025550100", base_url=standin.url))
    try:
        with pytest.raises(SendError) as caught:
            await adapter.send(sms(to="+15005550429"))
        with pytest.raises(SendError) as other:
            await adapter.send(sms(to="+15005550009"))
    finally:
        await adapter.close()
    assert (caught.value.kind, caught.value.throttled, caught.value.maybe_sent) == (ErrorKind.TRANSIENT, True, False)
    assert not other.value.throttled


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", timedelta(seconds=7)),
        ("999999999999", timedelta(hours=1)),
        ("0", timedelta(0)),
        ("-1", None),
        ("Sun, 22 Nov 2026 10:00:00 GMT", None),
        ("\u0665", None),
        (None, None),
    ],
)
def test_the_time_a_provider_names_is_read_within_bounds(header: str | None, wait: timedelta | None) -> None:
    assert read_retry_after(header) == wait
