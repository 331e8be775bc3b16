"""The transport of drills: it takes nothing, whatever is configured (design promise 10)."""

from adapters.regulator.base import FailureKind, HandOverFailed, Parcel, Receipt


class BlockedTransport:
    """Refuses every parcel."""

    async def hand_over(self, parcel: Parcel) -> None:
        """Never.

        Raises:
            HandOverFailed: always, of kind drill.
        """
        raise HandOverFailed(FailureKind.DRILL, f"{parcel.recall} is a drill: nothing is handed to an authority")

    async def receipt(self, key: str) -> Receipt | None:
        """None: nothing was handed over."""
        return None


__all__ = ["BlockedTransport"]
