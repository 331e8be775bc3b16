"""Basic authentication for Twilio's client without aiohttp's `BasicAuth`, which aiohttp has deprecated.

The client passes credentials through that class unless a credential provider writes the header itself.
"""

import base64

from twilio.auth_strategy.auth_strategy import AuthStrategy
from twilio.auth_strategy.auth_type import AuthType
from twilio.credential.credential_provider import CredentialProvider


class BasicCredentials(CredentialProvider, AuthStrategy):  # type: ignore[misc]
    """The header `Authorization: Basic ...` of one account."""

    def __init__(self, username: str, password: str) -> None:
        AuthStrategy.__init__(self, AuthType.BASIC)
        encoded = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
        self._header = f"Basic {encoded}"

    @property
    def auth_type(self) -> AuthType:
        """Always BASIC; both base classes declare it."""
        return AuthType.BASIC

    def to_auth_strategy(self) -> "BasicCredentials":
        """This object is its own strategy."""
        return self

    def get_auth_string(self) -> str:
        """Value of the Authorization header."""
        return self._header

    def requires_authentication(self) -> bool:
        """Yes."""
        return True
