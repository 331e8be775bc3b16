"""Requests from the stand-in to webhooks, signed as Twilio signs them by the same class our API checks them with."""

import asyncio

import httpx
from twilio.request_validator import RequestValidator

_BACKOFF = (0.2, 1.0, 3.0, 10.0)


class SignedCaller:
    """One HTTP client with the account's token."""

    def __init__(self, token: str) -> None:
        self._validator = RequestValidator(token)
        self._http = httpx.AsyncClient(timeout=15, trust_env=False)

    async def post(self, url: str, params: dict[str, str]) -> httpx.Response | None:
        """The answer, or None when nobody gave one."""
        signature = self._validator.compute_signature(url, params)
        try:
            return await self._http.post(url, data=params, headers={"X-Twilio-Signature": signature})
        except (httpx.HTTPError, httpx.InvalidURL):
            return None

    async def tell(self, url: str, params: dict[str, str]) -> bool:
        """Post, repeated a few times until somebody answers, as Twilio repeats a callback; False when nobody did."""
        for pause in (*_BACKOFF, None):
            answer = await self.post(url, params)
            if answer is not None and answer.status_code < 500:
                return True
            if pause is not None:
                await asyncio.sleep(pause)
        return False

    async def close(self) -> None:
        """Release connections."""
        await self._http.aclose()
