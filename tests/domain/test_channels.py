"""Channels and their task queues."""

import pytest

from domain.channels import Channel, notify_queue, urgent_left_out

pytestmark = pytest.mark.unit


def test_a_worker_that_serves_a_channel_without_its_urgent_queue_is_told_which() -> None:
    assert urgent_left_out(["recall", "notify-email", "notify-sms", "notify-sms-urgent"]) == ["notify-email-urgent"]
    assert urgent_left_out(["recall", "inventory", "notify-voice-urgent"]) == []
    every = [notify_queue(channel, urgent=urgent) for channel in Channel for urgent in (False, True)]
    assert urgent_left_out(every) == []
    plain = [notify_queue(channel) for channel in Channel]
    assert urgent_left_out(plain) == [f"{queue}-urgent" for queue in plain]
