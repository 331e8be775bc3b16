"""What happens to a text message after Twilio has accepted it: sent, delivered, and callbacks about it.

Callbacks and inbound messages are signed as Twilio signs them, by the same validator class our API checks
them with. A callback nobody answers is repeated a few times and then dropped, as Twilio does; a restart of
the stand-in takes up the messages it left half-way.
"""

import asyncio
import html
import logging
import re
from dataclasses import dataclass

import httpx
from twilio.request_validator import RequestValidator

from stack.durable_store import Row
from stack.sms_store import SmsStore

_LOG = logging.getLogger(__name__)
_CONCURRENCY = 8
_BACKOFF = (0.2, 1.0, 3.0, 10.0)
UNDELIVERABLE = "+15005559"
"""Numbers starting with this are accepted and then reported undelivered with code 30005 (our own rule)."""
_TWIML_MESSAGE = re.compile(r"<Message[^>]*>(.*?)</Message>", re.DOTALL)
_STOP_WORDS = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"}
_START_WORDS = {"START", "UNSTOP", "YES"}


@dataclass(frozen=True, slots=True)
class Account:
    """The one account the stand-in serves."""

    sid: str
    token: str
    webhook_url: str | None
    """Where inbound messages go; None means nobody listens."""


class MessageLife:
    """Moves accepted messages on and tells the callbacks."""

    def __init__(self, store: SmsStore, account: Account) -> None:
        self._store = store
        self._account = account
        self._validator = RequestValidator(account.token)
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._http = httpx.AsyncClient(timeout=15, trust_env=False)
        self._workers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take up unfinished messages and begin."""
        for sid in await self._store.unfinished():
            self._queue.put_nowait(sid)
        self._workers = [asyncio.create_task(self._work()) for _ in range(_CONCURRENCY)]

    async def close(self) -> None:
        """Stop at once; what is unfinished is taken up by the next start."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._http.aclose()

    def accept(self, sid: str) -> None:
        """A new message begins its life."""
        self._queue.put_nowait(sid)

    async def receive(self, sender: str, to: str, body: str) -> tuple[int, list[str]]:
        """A phone wrote: tell the webhook, send what it answers.

        Returns:
            Status of the webhook's answer (0 when it could not be reached) and the texts sent back.
        """
        word = body.strip().upper()
        opt = "STOP" if word in _STOP_WORDS else "START" if word in _START_WORDS else None
        if opt is not None:
            await self._store.set_opt_out(sender, stopped=opt == "STOP")
        row = await self._store.add_inbound(sender=sender, to=to, body=body)
        params = {
            "MessageSid": str(row["sid"]),
            "SmsSid": str(row["sid"]),
            "SmsMessageSid": str(row["sid"]),
            "AccountSid": self._account.sid,
            "From": sender,
            "To": to,
            "Body": body,
            "NumMedia": "0",
            "NumSegments": "1",
            "SmsStatus": "received",
            "ApiVersion": "2010-04-01",
        }
        if opt is not None:
            params["OptOutType"] = opt
        answer = await self._post(self._account.webhook_url or "", params)
        if answer is None:
            return 0, []
        texts = [html.unescape(text.strip()) for text in _TWIML_MESSAGE.findall(answer.text)]
        if answer.is_success and not await self._store.opted_out(sender):
            for text in texts:
                reply = await self._store.add_outbound(
                    to=sender, body=text, sender=to, service=None, callback=None, direction="outbound-reply"
                )
                self.accept(str(reply["sid"]))
        return answer.status_code, texts

    async def _work(self) -> None:
        while True:
            sid = await self._queue.get()
            row = await self._store.get(sid)
            if row is not None:
                await self._live(row)

    async def _live(self, row: Row) -> None:
        sid, lost = str(row["sid"]), str(row["recipient"]).startswith(UNDELIVERABLE)
        final, code = ("undelivered", 30005) if lost else ("delivered", None)
        if not row["callback"]:
            await self._store.set_status(sid, final, error_code=code, done=True)
            return
        if row["reported"] != "sent":
            await self._store.set_status(sid, "sent")
            await self._report(row, "sent", None)
            await self._store.set_reported(sid, "sent")
        await self._store.set_status(sid, final, error_code=code)
        await self._report(row, final, code)
        await self._store.set_reported(sid, "done")

    async def _report(self, row: Row, status: str, code: int | None) -> None:
        params = {
            "MessageSid": str(row["sid"]),
            "SmsSid": str(row["sid"]),
            "MessageStatus": status,
            "SmsStatus": status,
            "AccountSid": self._account.sid,
            "To": str(row["recipient"]),
            "From": str(row["sender"] or ""),
            "ApiVersion": "2010-04-01",
        }
        if code is not None:
            params["ErrorCode"] = str(code)
        for pause in (*_BACKOFF, None):
            answer = await self._post(str(row["callback"]), params)
            if answer is not None and answer.status_code < 500:
                return
            if pause is not None:
                await asyncio.sleep(pause)
        _LOG.warning("gave up telling the status callback of %s: %s", row["sid"], status)

    async def _post(self, url: str, params: dict[str, str]) -> httpx.Response | None:
        signature = self._validator.compute_signature(url, params)
        try:
            return await self._http.post(url, data=params, headers={"X-Twilio-Signature": signature})
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
