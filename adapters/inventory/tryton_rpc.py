"""Tryton's JSON-RPC: values that JSON has no word for, the session, and which refusals are repeated.

Numbers come back as `Decimal` from their text, so no quantity passes through a binary fraction on our side. Every call
of the adapter is safe to repeat; a lost answer is therefore asked for once more before anybody is told.
"""

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx

from adapters.inventory.base import InventoryError

_ATTEMPTS: Final = 4
_PAUSE_SECONDS: Final = 0.2
_BUSY: Final = ("locked", "lock not available", "could not obtain lock", "could not serialize", "deadlock")
"""What a database says when another transaction was in the way longer than Tryton itself repeats."""
_OUT_OF_TURN: Final = (httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)
"""What Tryton answers on PostgreSQL when it has tried a few times and found the rows locked each time."""
_KEY_TAKEN: Final = "This key is already in use."
"""The same request is being carried out beside this one; the next attempt finds it."""
_DATE: Final = ("year", "month", "day")
_TIME: Final = ("hour", "minute", "second", "microsecond")


def encode(value: object) -> str:
    """JSON as Tryton's server reads it.

    Raises:
        TypeError: a value that Tryton has no form for.
    """
    return json.dumps(value, default=_encoded, separators=(",", ":"), allow_nan=False)


def decode(text: str | bytes) -> Any:
    """What Tryton's server wrote; every number with a fraction becomes a `Decimal` of exactly its digits."""
    return json.loads(text, object_hook=_decoded, parse_float=Decimal)


def _encoded(value: object) -> dict[str, object]:
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    if isinstance(value, datetime):
        return {"__class__": "datetime"} | {name: getattr(value, name) for name in _DATE + _TIME}
    if isinstance(value, date):
        return {"__class__": "date"} | {name: getattr(value, name) for name in _DATE}
    if isinstance(value, time):
        return {"__class__": "time"} | {name: getattr(value, name) for name in _TIME}
    if isinstance(value, timedelta):
        return {"__class__": "timedelta", "seconds": value.total_seconds()}
    if isinstance(value, bytes | bytearray):
        return {"__class__": "bytes", "base64": base64.encodebytes(value).decode("ascii")}
    raise TypeError(f"Tryton has no form for {type(value).__name__}")


_DECODERS: Final[Mapping[str, Callable[[dict[str, Any]], object]]] = {
    "Decimal": lambda found: Decimal(found["decimal"]),
    "datetime": lambda found: datetime(*(found[name] for name in _DATE + _TIME)),  # noqa: DTZ001 - names no zone
    "date": lambda found: date(*(found[name] for name in _DATE)),
    "time": lambda found: time(*(found[name] for name in _TIME)),
    "timedelta": lambda found: timedelta(seconds=float(found["seconds"])),
    "bytes": lambda found: base64.decodebytes(found["base64"].encode("ascii")),
}


def _decoded(found: dict[str, Any]) -> Any:
    decoder = _DECODERS.get(str(found.get("__class__")))
    return found if decoder is None else decoder(found)


@dataclass(frozen=True, slots=True)
class TrytonConfig:
    """How one Tryton database is reached."""

    url: str
    """Address of the server, without the database: `https://erp.example`."""
    database: str
    user: str
    password: str = field(repr=False)
    """From the environment; our record names the variable only."""
    timeout_seconds: float = 30.0
    """Longest wait for one answer."""
    ca_file: Path | None = None
    """Certificates of authorities (PEM) trusted beside the usual ones."""


class TrytonRefusalError(InventoryError):
    """Tryton understood and refused; the text is Tryton's own."""


class _Busy(Exception):  # noqa: N818 - not an error yet
    """Another transaction was in the way; the same call may succeed now."""


class _Warned(Exception):  # noqa: N818 - a question
    """Tryton asks whether the caller means it."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class TrytonClient:
    """One user's session with one database; it is renewed whenever Tryton has forgotten it."""

    def __init__(self, config: TrytonConfig, turn: Callable[[], Awaitable[object]] | None = None) -> None:
        """`turn` waits until one more request may be made."""
        self._config = config
        self._turn = turn
        # Read now: a missing file is a fault of the configuration, not of one call.
        self._tls = ssl.create_default_context()
        if config.ca_file is not None:
            self._tls.load_verify_locations(cafile=config.ca_file)
        self._http: httpx.AsyncClient | None = None
        self._session: str | None = None
        self._user: int | None = None
        self._login = asyncio.Lock()

    async def call(self, method: str, *params: object, context: Mapping[str, object] | None = None) -> Any:
        """Call `model.<name>.<method>` and return its result.

        Raises:
            TrytonRefusalError: Tryton refused.
            InventoryError: Tryton could not be reached, refused the login, or failed.
        """
        last: Exception | None = None
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(_PAUSE_SECONDS * 2 ** (attempt - 1))
            try:
                return await self._once(method, [*params, dict(context or {})])
            except _Busy as busy:
                last = busy
            except _Warned as warned:
                await self._answer(warned)
                last = warned
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as broken:
                # The server closed a connection, perhaps after it had done what was asked; asking again finds it.
                last = broken
                if attempt:
                    break
        raise InventoryError(f"Tryton ({method}): {last or type(last).__name__}") from None

    async def close(self) -> None:
        """End the session and close the connections."""
        http, session, self._http, self._session = self._http, self._session, None, None
        if http is None:
            return
        if session is not None:
            headers = {"Content-Type": "application/json", "Authorization": f"Session {session}"}
            with contextlib.suppress(httpx.HTTPError):  # it runs out by itself
                body = encode({"id": 0, "method": "common.db.logout", "params": []})
                await http.post(self._address(), content=body, headers=headers)
        await http.aclose()

    async def _once(self, method: str, params: list[object]) -> Any:
        try:
            session = self._session or await self._log_in(None)
            answer = await self._post(method, params, session)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                session = await self._log_in(session)
                answer = await self._post(method, params, session)
            return _result(method, answer)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            raise
        except httpx.TimeoutException:
            raise InventoryError(f"Tryton did not answer within {self._config.timeout_seconds:g} s") from None
        except httpx.HTTPError as error:
            raise InventoryError(f"Tryton cannot be reached: {error or type(error).__name__}") from None

    async def _log_in(self, forgotten: str | None) -> str:
        """A session; whoever waits behind another's login uses what that one got."""
        async with self._login:
            if self._session is not None and self._session != forgotten:
                return self._session
            config = self._config
            answer = await self._post("common.db.login", [config.user, {"password": config.password}, "en"], None)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                raise InventoryError(f'Tryton does not accept the password of "{config.user}"')
            user, token, *_ = _result("login", answer)
            name = f"{config.user}:{user}:{token}".encode()
            self._user, self._session = user, base64.b64encode(name).decode("ascii")
            return self._session

    async def _post(self, method: str, params: list[object], session: str | None) -> httpx.Response:
        if self._http is None:
            self._http = httpx.AsyncClient(timeout=self._config.timeout_seconds, trust_env=False, verify=self._tls)
        if self._turn is not None:
            await self._turn()
        headers = {"Content-Type": "application/json"}
        if session is not None:
            headers["Authorization"] = f"Session {session}"
        body = encode({"id": 0, "method": method, "params": params})
        return await self._http.post(self._address(), content=body, headers=headers)

    def _address(self) -> str:
        return f"{self._config.url.rstrip('/')}/{self._config.database}/rpc/"

    async def _answer(self, warned: _Warned) -> None:
        """Say that we mean it, once, for this warning."""
        warning = {"name": warned.name, "user": self._user, "always": False}
        await self._once("model.res.user.warning.create", [[warning], {}])


def _result(method: str, answer: httpx.Response) -> Any:
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise InventoryError("Tryton refuses further logins for a while after failed ones")
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise InventoryError("Tryton has no such database")
    if answer.status_code == httpx.codes.FORBIDDEN:
        raise InventoryError(f"Tryton does not offer {method}: is the module recall_hold active?")
    if answer.status_code in _OUT_OF_TURN:
        raise _Busy(f"it answered with status {answer.status_code}")
    if answer.is_error:
        raise InventoryError(f"Tryton answered with status {answer.status_code}")
    try:
        found = decode(answer.content)
    except (ValueError, KeyError, TypeError):
        raise InventoryError("Tryton's answer cannot be read") from None
    if not isinstance(found, dict):
        raise InventoryError("Tryton's answer cannot be read")
    if (error := found.get("error")) is not None:
        raise _classified(method, error)
    return found.get("result")


def _classified(method: str, error: Any) -> Exception:
    """Tryton's own errors come as [kind, details], faults of its program as [text, traceback]."""
    kind, details = (error[0], error[1] if len(error) > 1 else "") if isinstance(error, list) and error else (error, "")
    if kind == "UserWarning":
        return _Warned(str(details[0]), str(details[1]))
    if kind == "UserError":
        text = details if isinstance(details, str) else next((str(each) for each in details if each), "")
        return _Busy(text) if text == _KEY_TAKEN else TrytonRefusalError(f"Tryton refused: {text}")
    return _fault(method, str(kind))


def _fault(method: str, text: str) -> Exception:
    if text == "ConcurrencyException" or any(word in text.casefold() for word in _BUSY):
        return _Busy(text)
    if "recall." in method and text.strip("'\"").startswith(("recall.", "model.recall.")):
        return InventoryError("Tryton's module recall_hold is not active in this database")
    return InventoryError(f"Tryton failed: {text[:200]}")
