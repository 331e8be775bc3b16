"""The keys that recipients' systems share with us, by name, as read from the environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.webhook_signature import MAX_KEYS, key_bytes


@dataclass(frozen=True, slots=True)
class WebhookKeys:
    """Name of a key -> its bytes, the newer one of a rotation first. Never shown by `repr`."""

    by_name: Mapping[str, tuple[bytes, ...]] = field(repr=False)

    def of(self, name: str) -> tuple[bytes, ...]:
        """The keys of a name; none where nobody has configured it."""
        return self.by_name.get(name, ())


def parse_webhook_keys(given: Mapping[str, Sequence[str]]) -> WebhookKeys:
    """The keys of `RECALL_WEBHOOK_KEYS`.

    Raises:
        ValueError: a name has no key, more than two, or one that is too short; the message names it, never the key.
    """
    keys: dict[str, tuple[bytes, ...]] = {}
    for name, secrets in given.items():
        if not 1 <= len(secrets) <= MAX_KEYS:
            raise ValueError(f"RECALL_WEBHOOK_KEYS: {name}: expected one key, or two during a rotation")
        try:
            keys[name] = tuple(key_bytes(secret) for secret in secrets)
        except ValueError as error:
            raise ValueError(f"RECALL_WEBHOOK_KEYS: {name}: {error}") from None
    return WebhookKeys(keys)


__all__ = ["WebhookKeys", "parse_webhook_keys"]
