"""The manual transport: a person sends the document and states the receipt when submitting; nothing goes by itself."""

from adapters.regulator.base import Parcel, Receipt


class ManualTransport:
    """Takes everything, because the person has it already, and knows no receipt but the one that person states."""

    async def hand_over(self, parcel: Parcel) -> None:
        """Nothing to do: the person who signed the submission has sent it."""

    async def receipt(self, key: str) -> Receipt | None:
        """None: the reference was stated with the submission."""
        return None


__all__ = ["ManualTransport"]
