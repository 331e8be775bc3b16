"""Base of every contract between API, workflows and activities, and who decides."""

from pydantic import BaseModel, ConfigDict, Field


class Message(BaseModel):
    """Base of every contract."""

    model_config = ConfigDict(frozen=True)


class Actor(Message):
    """Who decides: principal and roles as the API authenticated them; checked again by the update validator."""

    principal: str = Field(min_length=1, max_length=120)
    roles: tuple[str, ...]
    signature: str | None = None
    """Id of the electronic signature under the decision, where it is one that is signed."""
