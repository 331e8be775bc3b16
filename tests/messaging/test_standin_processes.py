"""The two stand-ins as processes: they end cleanly, survive kill -9 and say why they cannot start."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from adapters.messaging.smtp_email import SmtpConfig, SmtpEmailAdapter
from adapters.messaging.twilio_sms import TwilioConfig, TwilioSmsAdapter
from tests.messaging.builders import mail, sms
from tests.messaging.conftest import ACCOUNT_SID, AUTH_TOKEN, free_port, until_up, webhooks_on

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]


@contextmanager
def process(module: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate(timeout=10)


def mail_environment(folder: Path) -> dict[str, str]:
    ports = {"RECALL_SMTP_PORT": str(free_port()), "RECALL_INBOX_PORT": str(free_port())}
    return {**ports, "RECALL_STATE_DIR": str(folder)}


def sms_environment(folder: Path) -> dict[str, str]:
    account = {"TWILIO_ACCOUNT_SID": ACCOUNT_SID, "TWILIO_AUTH_TOKEN": AUTH_TOKEN}
    return {**account, "RECALL_SMS_PORT": str(free_port()), "RECALL_STATE_DIR": str(folder)}


async def test_accepted_mail_survives_kill_9_and_sigterm_ends_cleanly(tmp_path: Path) -> None:
    environment = mail_environment(tmp_path)
    url = f"http://127.0.0.1:{environment['RECALL_INBOX_PORT']}"
    with process("stack.mail_catcher", environment) as first:
        await until_up(url)
        config = SmtpConfig("127.0.0.1", int(environment["RECALL_SMTP_PORT"]), "a@firm.example")
        adapter = SmtpEmailAdapter(config)
        await adapter.send(mail())
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=5)
        await adapter.close()
    with process("stack.mail_catcher", environment) as second:
        await until_up(url)
        adapter = SmtpEmailAdapter(config)
        await adapter.send(mail(to="other@hospital.example"))
        async with httpx.AsyncClient(trust_env=False) as client:
            assert len((await client.get(url + "/messages")).json()) == 2
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=8) == 0
        assert second.stderr is not None
        assert second.stderr.read() == ""
        await adapter.close()


async def test_accepted_texts_survive_kill_9_and_their_callbacks_come_after_it(tmp_path: Path) -> None:
    environment, port = sms_environment(tmp_path), free_port()
    url = f"http://127.0.0.1:{environment['RECALL_SMS_PORT']}"
    adapter = TwilioSmsAdapter(TwilioConfig(ACCOUNT_SID, AUTH_TOKEN, "+12025550100", base_url=url))
    deaf = socket.create_server(("127.0.0.1", port), backlog=1)  # takes the callback, never answers
    with deaf, process("stack.twilio_standin", environment) as first:
        await until_up(url)
        sent = await adapter.send(sms(status_callback=f"http://127.0.0.1:{port}/status"))
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=5)
    await adapter.close()
    async with webhooks_on(port) as hooks:
        with process("stack.twilio_standin", environment) as second:
            await until_up(url)
            await hooks.wait_for(2)
            second.send_signal(signal.SIGTERM)
            assert second.wait(timeout=8) == 0
    told = [(form["MessageSid"], form["MessageStatus"]) for _, form, _ in hooks.received]
    assert told == [(sent.provider_id, "sent"), (sent.provider_id, "delivered")]


@pytest.mark.parametrize(
    ("module", "variable"),
    [("stack.mail_catcher", "RECALL_SMTP_PORT"), ("stack.twilio_standin", "RECALL_SMS_PORT")],
)
def test_a_taken_port_is_told_in_one_line(tmp_path: Path, module: str, variable: str) -> None:
    environment = {**mail_environment(tmp_path), **sms_environment(tmp_path)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment[variable] = str(taken.getsockname()[1])
        with process(module, environment) as child:
            _, errors = child.communicate(timeout=15)
    assert child.returncode == 1
    assert errors.count("\n") == 1
    assert variable in errors
    assert "cannot be used" in errors


def test_a_missing_account_is_told_in_one_line(tmp_path: Path) -> None:
    environment = {**sms_environment(tmp_path), "TWILIO_AUTH_TOKEN": ""}
    with process("stack.twilio_standin", environment) as child:
        _, errors = child.communicate(timeout=15)
    assert (child.returncode, errors.count("\n")) == (1, 1)
    assert "TWILIO_AUTH_TOKEN" in errors
