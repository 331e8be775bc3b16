"""Hashing and checking signing passwords with Argon2id (RFC 9106), outside the event loop.

A check costs the same whether the person has a password or not: without one it runs against a hash nobody knows the
password of. The comparison itself is constant-time (argon2-cffi).
"""

import asyncio
import secrets
from functools import lru_cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from domain.passwords import normalised

_HASHER: Final = PasswordHasher()
"""argon2-cffi's defaults: RFC 9106's low-memory profile (3 passes, 64 MiB, 4 lanes)."""
_FOR_RANDOM: Final = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
"""For passwords a machine made of 128 random bits: there is nothing to guess, so nothing to slow down."""


def hash_password(password: str) -> str:
    """The hash to store, with its salt and parameters; blocks for about 0.1 s."""
    return _HASHER.hash(normalised(password))


def random_password() -> tuple[str, str]:
    """A password of 128 random bits, and its hash."""
    password = secrets.token_urlsafe(16)
    return password, _FOR_RANDOM.hash(password)


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _HASHER.hash(secrets.token_hex(32))


def _matches(stored: str | None, password: str) -> bool:
    try:
        right = _HASHER.verify(stored or _nobodys(), normalised(password))
    except (VerificationError, InvalidHashError):
        return False
    return right and stored is not None


async def hashed(password: str) -> str:
    """`hash_password` in a thread."""
    return await asyncio.to_thread(hash_password, password)


async def matches(stored: str | None, password: str) -> bool:
    """Whether `password` is the one behind the hash; False, after the same work, when there is no hash."""
    return await asyncio.to_thread(_matches, stored, password)


__all__ = ["hash_password", "hashed", "matches", "random_password"]
