"""A local stand-in of Twilio's Messages and Calls, so that the real `twilio` client can be used without an account.

Messages are durable before they are answered with 201; delivery reports and phone answers come back over
signed webhooks as from Twilio. Run with `python -m stack.twilio_standin`:

    RECALL_SMS_PORT          port on the loopback interface (8026)
    RECALL_STATE_DIR         folder (.recall; file `sms/sms.sqlite3`)
    RECALL_CALL_SECONDS      how long a person who was called listens without pressing a key (20)
    RECALL_SMS_WEBHOOK_URL   where inbound messages are posted, exactly as the API verifies it
    TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN   the one account that is let in (required)
"""

import asyncio
import math
import os
from collections.abc import Mapping
from pathlib import Path

from stack.accepted_life import Account
from stack.call_life import CallLife
from stack.call_store import CallStore
from stack.small_server import HttpServer, StartError, bind, env_port, run_until_signal
from stack.sms_app import sms_app
from stack.sms_life import MessageLife
from stack.sms_store import SmsStore


async def serve(stop: asyncio.Event, environment: Mapping[str, str] = os.environ) -> None:
    """Run until `stop`.

    Raises:
        StartError: a variable is missing or a port is taken.
    """
    account = _account(environment)
    listener = bind(env_port("RECALL_SMS_PORT", 8026, environment), "RECALL_SMS_PORT (Twilio stand-in)")
    folder = Path(environment.get("RECALL_STATE_DIR", ".recall")) / "sms"
    store, calls = SmsStore(folder / "sms.sqlite3"), CallStore(folder / "calls.sqlite3")
    life, call_life = MessageLife(store, account), CallLife(calls, account, _hold_seconds(environment))
    await life.start()
    await call_life.start()
    try:
        await HttpServer(sms_app(store, life, calls, call_life, account)).run(listener, stop)
    finally:
        await call_life.close()
        await life.close()
        await calls.close()
        await store.close()


def _hold_seconds(environment: Mapping[str, str]) -> float:
    given = environment.get("RECALL_CALL_SECONDS", "20")
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 600:  # NaN fails this too
        raise StartError(f"RECALL_CALL_SECONDS: expected seconds from 0 to 600, got {given!r}")
    return seconds


def _account(environment: Mapping[str, str]) -> Account:
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"):
        if not environment.get(name):
            raise StartError(f"{name}: expected a value (the stand-in lets in one account)")
    webhook = environment.get("RECALL_SMS_WEBHOOK_URL") or None
    return Account(environment["TWILIO_ACCOUNT_SID"], environment["TWILIO_AUTH_TOKEN"], webhook)


if __name__ == "__main__":
    raise SystemExit(run_until_signal(serve))
