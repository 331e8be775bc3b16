"""Was this webhook sent by Twilio? `X-Twilio-Signature` over the configured public URL and the form.

The URL is built from the configuration, never from the request, because a proxy may rewrite host and scheme.
Two tokens are accepted while one is being rotated; a SharedKey signature names its algorithm in a header.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import parse_qs, parse_qsl

from fastapi import Request
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import (
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

from settings import Settings


class _Form(ImmutableMultiDict[str, str]):
    """The form as Twilio's validator reads it: repeated fields count, each value once."""

    def getall(self, key: str) -> list[str]:
        """Every value of a field."""
        return self.getlist(key)


def parse_form(body: bytes) -> ImmutableMultiDict[str, str]:
    """The fields of a form-encoded body; empty ones are kept, because they are signed, too.

    Raises:
        ValueError: not a form, or more than 1,000 fields.
    """
    text = body.decode("utf-8")
    return _Form(parse_qsl(text, keep_blank_values=True, max_num_fields=1000))


def is_signed(
    tokens: Sequence[str], url: str, form: ImmutableMultiDict[str, str], signature: str, settings_header: str | None
) -> bool:
    """Whether one of the tokens made this signature."""
    algorithm = get_signature_algorithm(settings_header)
    return any(RequestValidator(token).validate(url, form, signature, algorithm) for token in tokens if token)


def public_url_of(settings: Settings, request: Request) -> str:
    """The address Twilio called: the configured base, and path and query as they arrived."""
    query = request.url.query
    return settings.public_url.rstrip("/") + request.url.path + (f"?{query}" if query else "")


def auth_tokens(settings: Settings) -> list[str]:
    """The current token and, during a rotation, the previous one."""
    both = (settings.twilio_auth_token, settings.twilio_auth_token_previous)
    return [token.get_secret_value() for token in both if token is not None]


def verify(settings: Settings, request: Request, form: ImmutableMultiDict[str, str], body: bytes) -> bool:
    """Whether the request carries one valid signature, of the form that `body` is."""
    given = request.headers.getlist(SIGNATURE_HEADER)
    # Two of a kind may be read differently by whoever stands between: neither counts.
    if len(given) != 1 or not given[0].isascii() or not _has_its_body(request.url.query, body):
        return False
    url = public_url_of(settings, request)
    return is_signed(auth_tokens(settings), url, form, given[0], request.headers.get(SIGNATURE_SETTINGS_HEADER))


def _has_its_body(query: str, body: bytes) -> bool:
    """Where the address names the hash of its body (Twilio's way of signing JSON), it is the hash of this body."""
    made = sha256(body).hexdigest().encode()
    named = parse_qs(query, keep_blank_values=True).get("bodySHA256", [])
    return all(hmac.compare_digest(each.encode("utf-8", "replace"), made) for each in named)


__all__ = ["auth_tokens", "is_signed", "parse_form", "public_url_of", "verify"]
