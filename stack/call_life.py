"""What happens to a call after Twilio has accepted it: it rings, somebody answers, our text is read, a key is pressed.

The text is fetched, and keys and reports are told, over signed webhooks as from Twilio. Who answers is decided by the
number (our own rule): `+15005557...` nobody, `+15005558...` is busy, `+15005556...` a mailbox, any other a person, who
presses what is asked for over `press` while the call waits for a key, and hangs up after some seconds without.
"""

import asyncio
import json
import logging
import xml.etree.ElementTree as ET

from stack.accepted_life import AcceptedLife, Account
from stack.call_store import FINAL, CallStore
from stack.durable_store import Row

_LOG = logging.getLogger(__name__)
_ENDS = {"+15005557": "no-answer", "+15005558": "busy"}
_MAILBOX = "+15005556"
_EVENT_OF = {"initiated": "initiated", "ringing": "ringing", "in-progress": "answered"}
_LONGEST_TALK = 20
"""Documents a call goes through; more is a loop."""


class CallLife(AcceptedLife[CallStore]):
    """Places accepted calls, one by one; those cut off by a restart have ended."""

    def __init__(self, store: CallStore, account: Account, hold_seconds: float = 20.0) -> None:
        """`hold_seconds`: how long a person listens before hanging up without a key."""
        super().__init__(store, account)
        self._hold = hold_seconds
        self._lines: dict[str, asyncio.Queue[str]] = {}

    def press(self, sid: str, key: str) -> bool:
        """Press a key in a call; False when the call does not wait for one."""
        line = self._lines.get(sid)
        if line is None:
            return False
        line.put_nowait(key)
        return True

    async def _live(self, row: Row) -> None:
        sid, to = str(row["sid"]), str(row["recipient"])
        if row["status"] == "queued":
            for status in ("initiated", "ringing"):
                await self._store.set_status(sid, "queued" if status == "initiated" else status)
                await self._report(row, status, None)
            final = next((status for begin, status in _ENDS.items() if to.startswith(begin)), None)
            if final is None:
                await self._talk(row)
        else:
            final = str(row["status"]) if row["status"] in FINAL else None
        await self._store.set_status(sid, final or "completed")
        await self._report(await self._store.require(sid), final or "completed", None)
        await self._store.set_done(sid)

    async def _talk(self, row: Row) -> None:
        sid, mailbox = str(row["sid"]), str(row["recipient"]).startswith(_MAILBOX)
        answered_by = ("machine_end_beep" if mailbox else "human") if row["detects_machines"] else None
        await self._store.set_status(sid, "in-progress", answered_by=answered_by)
        await self._report(row, "in-progress", None)
        told = {"CallStatus": "in-progress"} | ({"AnsweredBy": answered_by} if answered_by else {})
        document = await self._fetch(row, str(row["url"]), told)
        for _ in range(_LONGEST_TALK):
            following = await self._perform(row, document, hears_keys=not mailbox) if document is not None else None
            if following is None:
                return
            document = following

    async def _perform(self, row: Row, document: ET.Element, *, hears_keys: bool) -> ET.Element | None:
        """Carry out TwiML; what a key leads to, or None at the end of the call."""
        sid = str(row["sid"])
        for verb in document:
            if verb.tag == "Say":
                await self._store.add_said(sid, _text(verb))
            elif verb.tag == "Gather":
                for inner in verb.iter("Say"):
                    await self._store.add_said(sid, _text(inner))
                key = await self._key(sid) if hears_keys else None
                if key is not None:
                    await self._store.add_key(sid, key)
                    return await self._fetch(row, verb.get("action", ""), {"Digits": key, "CallStatus": "in-progress"})
            elif verb.tag == "Hangup":
                return None
        return None

    async def _key(self, sid: str) -> str | None:
        line = self._lines.setdefault(sid, asyncio.Queue())
        try:
            async with asyncio.timeout(self._hold):
                return await line.get()
        except TimeoutError:
            return None
        finally:
            del self._lines[sid]

    async def _fetch(self, row: Row, url: str, told: dict[str, str]) -> ET.Element | None:
        params = self._params(row) | told
        answer = await self._caller.post(url, params)
        await self._store.note_request(str(row["sid"]), url, params, answer.status_code if answer else 0)
        if answer is None or not answer.is_success:
            return None
        try:
            return ET.fromstring(answer.text)  # noqa: S314 - a development tool reads its own API
        except ET.ParseError:
            _LOG.warning("call %s: the answer is no TwiML", row["sid"])
            return None

    async def _report(self, row: Row, status: str, code: int | None) -> None:
        event = "completed" if status in FINAL else _EVENT_OF[status]
        if not row["callback"] or event not in (json.loads(row["callback_events"]) or ["completed"]):
            return
        params = self._params(row) | {"CallStatus": status}
        if row["answered_by"]:
            params["AnsweredBy"] = str(row["answered_by"])
        if code is not None:
            params["ErrorCode"] = str(code)
        answered = await self._caller.tell(str(row["callback"]), params)
        await self._store.note_request(str(row["sid"]), str(row["callback"]), params, 204 if answered else 0)

    def _params(self, row: Row) -> dict[str, str]:
        return {
            "CallSid": str(row["sid"]),
            "AccountSid": self._account.sid,
            "To": str(row["recipient"]),
            "From": str(row["sender"]),
            "Direction": "outbound-api",
            "ApiVersion": "2010-04-01",
        }


def _text(verb: ET.Element) -> str:
    return " ".join("".join(verb.itertext()).split())
