"""A local stand-in of Twilio's Messages API, so that the real `twilio` client can be used without an account.

Messages are durable before they are answered with 201; delivery reports and phone answers come back over
signed webhooks as from Twilio. Run with `python -m stack.twilio_standin`:

    RECALL_SMS_PORT          port on the loopback interface (8026)
    RECALL_STATE_DIR         folder (.recall; file `sms/sms.sqlite3`)
    RECALL_SMS_WEBHOOK_URL   where inbound messages are posted, exactly as the API verifies it
    TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN   the one account that is let in (required)
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from stack.small_server import HttpServer, StartError, bind, env_port, run_until_signal
from stack.sms_app import sms_app
from stack.sms_life import Account, MessageLife
from stack.sms_store import SmsStore


async def serve(stop: asyncio.Event, environment: Mapping[str, str] = os.environ) -> None:
    """Run until `stop`.

    Raises:
        StartError: a variable is missing or a port is taken.
    """
    account = _account(environment)
    listener = bind(env_port("RECALL_SMS_PORT", 8026, environment), "RECALL_SMS_PORT (Twilio stand-in)")
    store = SmsStore(Path(environment.get("RECALL_STATE_DIR", ".recall")) / "sms" / "sms.sqlite3")
    life = MessageLife(store, account)
    await life.start()
    try:
        await HttpServer(sms_app(store, life, account)).run(listener, stop)
    finally:
        await life.close()
        await store.close()


def _account(environment: Mapping[str, str]) -> Account:
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"):
        if not environment.get(name):
            raise StartError(f"{name}: expected a value (the stand-in lets in one account)")
    webhook = environment.get("RECALL_SMS_WEBHOOK_URL") or None
    return Account(environment["TWILIO_ACCOUNT_SID"], environment["TWILIO_AUTH_TOKEN"], webhook)


if __name__ == "__main__":
    raise SystemExit(run_until_signal(serve))
