"""Who is calling: `Authorization: Bearer rcl_...`, looked up by hash, with the roles of the token."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.problems import Problem
from api.state import ApiState
from db.repositories import tokens
from domain.roles import Permission, Role, may
from models.messages import Actor

_scheme = HTTPBearer(auto_error=False, description="A token made by `recall token create`.", scheme_name="bearerToken")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)]


@dataclass(slots=True)
class Signing:
    """That a request may sign: with which meaning, in which capacity and period; then which signature it made."""

    permission: Permission
    meaning: str
    role: str
    printed_name: str
    session_id: UUID
    operation: str = ""
    """What was signed, once something was."""
    made: UUID | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated person and what the token lets them do."""

    name: str
    roles: tuple[Role, ...]
    token_id: int = 0
    signing: Signing | None = None
    """There when the route signs (`api.signing.signs`) and nothing stands against it."""

    def may(self, permission: Permission) -> bool:
        """Whether one of the roles holds `permission`."""
        return may(self.roles, permission)

    @property
    def shown_role(self) -> str:
        """The role written beside the name in the audit."""
        return self.roles[0].value if self.roles else "none"

    def role_for(self, permission: Permission) -> str:
        """The first role that grants `permission`: in which capacity the person acts."""
        return next((role.value for role in self.roles if may([role], permission)), self.shown_role)

    @property
    def signature(self) -> str | None:
        """Id of the signature this request made, once it has."""
        return str(self.signing.made) if self.signing and self.signing.made else None

    def actor(self) -> Actor:
        """The same person as Temporal messages carry it, with the signature once there is one."""
        roles = tuple(role.value for role in self.roles)
        return Actor(principal=self.name, roles=roles, signature=self.signature)


def get_state(request: Request) -> ApiState:
    """The state that the lifespan built."""
    state: ApiState = request.app.state.api
    return state


async def authenticate(
    request: Request, credentials: _Credentials, state: Annotated[ApiState, Depends(get_state)]
) -> Principal:
    """The caller.

    Raises:
        Problem: 401 without a token, or with one that is unknown, expired or revoked.
    """
    if credentials is None or not credentials.credentials.startswith(tokens.PREFIX):
        raise _unauthenticated("Send `Authorization: Bearer rcl_...`.")
    async with state.sessions() as session:
        token = await tokens.find_valid(session, credentials.credentials, state.now())
    if token is None:
        raise _unauthenticated("The token is unknown, expired or revoked.")
    request.state.token_id = token.id
    known = {role.value for role in Role}
    return Principal(token.principal, tuple(Role(role) for role in token.roles if role in known), token.id or 0)


def _unauthenticated(detail: str) -> Problem:
    return Problem("unauthenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="recall"'})


__all__ = ["Principal", "Signing", "authenticate", "get_state"]
