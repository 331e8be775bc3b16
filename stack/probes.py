"""How we see from outside that a part works: its port answers, its page answers, its worker polls.

A probe is data, so that `recall status` can repeat what `recall up` checked.
"""

import errno
import socket
from dataclasses import dataclass
from typing import Literal

import httpx
import psutil

from stack.errors import StackError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Probe:
    """`tcp`: host:port accepts. `http`: URL answers 200. `poller`: queue@address/namespace is polled."""

    kind: Literal["tcp", "http", "poller", "none"]
    target: str = ""

    def check(self, pid: int | None) -> bool:
        """Whether the part does its work now; a poller must be the process `pid` itself."""
        if self.kind == "tcp":
            host, _, port = self.target.rpartition(":")
            return tcp_answers(host, int(port))
        if self.kind == "http":
            try:
                return httpx.get(self.target, timeout=2, trust_env=False).status_code == 200
            except httpx.HTTPError:
                return False
        if self.kind == "poller":
            from stack.temporal_admin import is_polled_by  # noqa: PLC0415 - loads the Temporal runtime

            queue, _, address = self.target.partition("@")
            return pid is not None and is_polled_by(address, queue, pid)
        return True


def tcp_answers(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def require_free(part: str, port: int, variable: str, host: str = LOOPBACK) -> None:
    """Refuse to start on a port that is in use, and say whose it is as far as we may know.

    Raises:
        StackError: taken, not allowed, or no such interface.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = f"is taken{_holder(port)}"
            else:
                reason = f"cannot be used: {error.strerror}"
            raise StackError(f"port {port} for {part} {reason}; set {variable} or --port-base") from None


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                return f" by pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return ""
