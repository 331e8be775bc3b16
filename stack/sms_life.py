"""What happens to a text message after Twilio has accepted it: sent, delivered, and callbacks about it.

Callbacks and inbound messages are signed as Twilio signs them, by the same validator class our API checks
them with. A callback nobody answers is repeated a few times and then dropped, as Twilio does; a restart of
the stand-in takes up the messages it left half-way.
"""

import html
import logging
import re

from stack.accepted_life import AcceptedLife
from stack.durable_store import Row
from stack.sms_store import SmsStore

_LOG = logging.getLogger(__name__)
UNDELIVERABLE = "+15005559"
"""Numbers starting with this are accepted and then reported undelivered with code 30005 (our own rule)."""
_TWIML_MESSAGE = re.compile(r"<Message[^>]*>(.*?)</Message>", re.DOTALL)
_STOP_WORDS = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"}
_START_WORDS = {"START", "UNSTOP", "YES"}


class MessageLife(AcceptedLife[SmsStore]):
    """Moves accepted messages on and tells the callbacks."""

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
        answer = await self._caller.post(self._account.webhook_url or "", params)
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
        if not await self._caller.tell(str(row["callback"]), params):
            _LOG.warning("gave up telling the status callback of %s: %s", row["sid"], status)
