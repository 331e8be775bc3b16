"""Providers of a chaos run: a mail server and a text message service outside the stack, behind cutting proxies.

They are processes of their own that nothing kills, so what they hold is what really left the product.
"""

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.chaos.proxy import Proxy, proxied
from tests.support.stack import PROJECT, clean_environment, wait_for


@dataclass(frozen=True)
class Providers:
    """Where the product finds them (through the proxies), and where their books are read (past the proxies)."""

    smtp: Proxy
    sms: Proxy
    inbox_url: str
    sms_url: str
    environment: dict[str, str]
    """What configures the product for them."""

    def cut_all(self) -> None:
        """Reset every connection between the product and its providers."""
        self.smtp.cut_all()
        self.sms.cut_all()


@contextlib.contextmanager
def providers(folder: Path, port_base: int, api_port: int, *, seed: int, lose: float) -> Iterator[Providers]:
    """Start both, wait until they answer, and end them afterwards.

    Args:
        folder: where they keep their books.
        port_base: first of three free ports.
        api_port: where the product's API will listen for inbound text messages.
        seed: of the choice which answers are lost.
        lose: share of accepted messages whose acceptance the product never hears of.
    """
    account = {"TWILIO_ACCOUNT_SID": "AC" + secrets.token_hex(16), "TWILIO_AUTH_TOKEN": secrets.token_hex(16)}
    smtp, inbox, sms = port_base, port_base + 1, port_base + 2
    webhook = f"http://127.0.0.1:{api_port}/v1/webhooks/twilio/inbound"
    with contextlib.ExitStack() as ends:
        ends.enter_context(
            _process(folder, "stack.mail_catcher", {"RECALL_SMTP_PORT": str(smtp), "RECALL_INBOX_PORT": str(inbox)})
        )
        ends.enter_context(
            _process(
                folder,
                "stack.twilio_standin",
                {"RECALL_SMS_PORT": str(sms), "RECALL_SMS_WEBHOOK_URL": webhook, **account},
            )
        )
        inbox_url, sms_url = f"http://127.0.0.1:{inbox}", f"http://127.0.0.1:{sms}"
        for url in (inbox_url, sms_url):
            wait_for(f"{url} to answer", lambda: _answers(f"{url}/messages"), 30, 0.1)  # noqa: B023
        front = ends.enter_context(proxied(smtp, seed, lose))
        text_front = ends.enter_context(proxied(sms, seed + 1, lose))
        environment = {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(front.port),
            "SMTP_STARTTLS": "false",
            "TWILIO_FROM": "+15005550006",
            "TWILIO_BASE_URL": f"http://127.0.0.1:{text_front.port}",
            "RECALL_SMS_WEBHOOK_URL": webhook,
            **account,
        }
        yield Providers(front, text_front, inbox_url, sms_url, environment)


@contextlib.contextmanager
def _process(folder: Path, module: str, environment: dict[str, str]) -> Iterator[None]:
    state = folder / "providers"
    state.mkdir(exist_ok=True)
    with (state / f"{module}.log").open("a") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=PROJECT,
            env=clean_environment({"RECALL_STATE_DIR": str(state), "PATH": os.environ["PATH"], **environment}),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        running.terminate()
        running.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
