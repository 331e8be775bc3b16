"""Replacements over HTTP: orders at the keeper, made once per key, asked about and taken back by it."""

from typing import Any, Final

from adapters.inventory.base import Directory, InventoryError, NotShipped
from adapters.inventory.http_client import KeeperClient, Refused
from adapters.inventory.http_names import Outgoing
from adapters.inventory.http_wire import ShipmentState, amount, lot_of, whole
from domain.inventory import DocumentAnswer, DocumentState, Shipment

_NEVER: Final = frozenset({404, 405, 409, 422, 501})
"""The keeper serves no such operation, or will not make this order whoever asks again."""


class HttpShipments:
    """Orders of replacements at one keeper."""

    def __init__(self, name: str, client: KeeperClient, directory: Directory) -> None:
        self._name = name
        self._client = client
        self._directory = directory

    async def ship(self, key: str, shipment: Shipment) -> DocumentAnswer:
        """See `InventoryAdapter.ship`."""
        places = [shipment.location_id, shipment.to_location_id]
        names = await Outgoing.of(self._directory, [shipment.lot_id], places)
        body: dict[str, Any] = {
            "key": key,
            "lot": lot_of(names.lot(shipment.lot_id)),
            "place": names.place(shipment.location_id),
            "to_place": names.place(shipment.to_location_id),
            "quantity": amount(shipment.quantity),
        }
        try:
            reply = await self._client.post("/shipments", body)
        except Refused as error:
            if error.status in _NEVER:
                raise NotShipped(str(error)) from None
            raise
        return self._read(key, whole(self._name, reply.body, ShipmentState))

    async def unship(self, key: str) -> DocumentAnswer:
        """See `InventoryAdapter.unship`."""
        reply = await self._client.post("/shipments/cancel", {"key": key})
        return self._read(key, whole(self._name, reply.body, ShipmentState))

    def _read(self, key: str, state: ShipmentState) -> DocumentAnswer:
        if state.key != key:
            raise InventoryError(f"{self._name}: its answer speaks of another shipment")
        if state.status == "pending":
            raise InventoryError(f"{self._name}: the shipment is taken and has no order yet")
        standing = DocumentState(state.status)
        if state.number is None and standing is not DocumentState.CANCELLED:
            raise InventoryError(f"{self._name}: its answer has no number of the order")
        return DocumentAnswer(state.number or key[:80], standing, state.reference)


__all__ = ["HttpShipments"]
