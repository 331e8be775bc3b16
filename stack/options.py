"""What the operator chose for the embedded stack: state folder, ports, number of workers, parts left out."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from stack.errors import StackError

OPTIONAL_PARTS = frozenset({"api", "worker", "mail", "sms"})


@dataclass(frozen=True)
class Ports:
    """TCP ports of the embedded parts, all on the loopback interface."""

    pg: int = 55432
    temporal: int = 7233
    temporal_ui: int = 8233
    api: int = 8080
    smtp: int = 1025
    inbox: int = 8025
    sms: int = 8026

    @staticmethod
    def variable(name: str) -> str:
        """Environment variable that sets the port `name`."""
        return f"RECALL_{name.upper()}_PORT"

    @classmethod
    def resolve(cls, base: int | None = None, environment: Mapping[str, str] = os.environ) -> "Ports":
        """Ports from `RECALL_*_PORT`, else counted up from `base`, else the defaults.

        Raises:
            StackError: a value is no port number, or two parts would share one.
        """
        chosen: dict[str, int] = {}
        for offset, field in enumerate(fields(cls)):
            written = environment.get(cls.variable(field.name))
            if written:
                chosen[field.name] = _port(cls.variable(field.name), written)
            elif base is not None:
                chosen[field.name] = _port("--port-base", str(base + offset))
        ports = cls(**chosen)
        seen: dict[int, str] = {}
        for field in fields(cls):
            port = getattr(ports, field.name)
            if port in seen:
                raise StackError(f"port {port} is given to both {seen[port]} and {field.name}")
            seen[port] = field.name
        return ports


def _port(source: str, written: str) -> int:
    if not written.isascii() or not written.isdigit() or not 1 <= int(written) <= 65535:
        raise StackError(f"{source}: {written!r} is not a port number from 1 to 65535")
    return int(written)


@dataclass(frozen=True)
class StackOptions:
    """One start of the stack."""

    state_dir: Path
    ports: Ports
    workers: int = 1
    pace_allowed: bool = False
    """Whether recalls may run at a pace other than 1 (demo and drills)."""
    ready_file: Path | None = None
    """Written (0600, JSON) when every part is up; removed at the end."""
    without: frozenset[str] = frozenset()
    """Parts that are not started, for a developer who runs them elsewhere."""

    def __post_init__(self) -> None:
        unknown = self.without - OPTIONAL_PARTS
        if unknown:
            raise StackError(
                f"--without {sorted(unknown)[0]}: only {', '.join(sorted(OPTIONAL_PARTS))} can be left out"
            )
