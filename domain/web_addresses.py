"""Addresses that outsiders give us and we call: what they may look like and which networks they may lead into.

A web address from master data or a browser must not make our server call itself or a machine behind our firewall
(server-side request forgery): only https, no credentials, and no private, loopback, link-local or otherwise
reserved address unless the operator has allowed its network.
"""

import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_6TO4: Final = ipaddress.ip_network("2002::/16")


class WebAddressError(ValueError):
    """An address that is never called; the message says what was expected and does not repeat it."""


def checked_url(url: str, *, longest: int = 500) -> str:
    """The address, when it is one that may be called.

    Raises:
        WebAddressError: not https (http is taken for this machine only), with credentials, fragment, spaces or
            control characters, without host, with port 0, or too long.
    """
    if len(url) > longest:
        raise WebAddressError(f"expected at most {longest} characters")
    if not url.isascii() or not url.isprintable() or any(char in url for char in ' "<>\\^`{|}'):
        raise WebAddressError("expected an address without spaces, control and non-ASCII characters")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise WebAddressError("expected a web address") from None
    if not host or port == 0:
        raise WebAddressError("expected a web address with a host")
    if parts.username is not None or parts.password is not None or "#" in url:
        raise WebAddressError("expected an address without credentials and fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_name(host)):
        raise WebAddressError("expected an address that begins with https://")
    return url


def is_loopback_name(host: str) -> bool:
    """Whether a host is this machine by its very spelling."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def may_be_called(address: str, allowed: Sequence[Network]) -> bool:
    """Whether an IP address is public, or in a network that the operator allows."""
    try:
        found: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    found = _inner(found)
    if any(found.version == network.version and found in network for network in allowed):
        return True
    return found.is_global and not found.is_multicast


def checked_endpoint(url: str, allowed: Sequence[Network], *, longest: int = 1000) -> str:
    """An address that a browser names as its push service: as `checked_url`, and no private network by its spelling.

    Raises:
        WebAddressError: as `checked_url`, or it lies in a network that is not called.
    """
    host = urlsplit(checked_url(url, longest=longest)).hostname or ""
    if is_loopback_name(host):
        host = host if ":" in host or host[0].isdigit() else "127.0.0.1"
    numeric = ":" in host or host.rpartition(".")[2].isdigit()
    if numeric and not may_be_called(host, allowed):
        raise WebAddressError("expected an address in a public network")
    return url


def parse_networks(given: Sequence[str]) -> tuple[Network, ...]:
    """Networks in CIDR notation.

    Raises:
        ValueError: one is none; the message repeats it.
    """
    networks: list[Network] = []
    for each in given:
        try:
            networks.append(ipaddress.ip_network(each))
        except ValueError:
            raise ValueError(f"expected a network such as 10.20.0.0/16, not {each!r}") from None
    return tuple(networks)


def _inner(found: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, NAT64, 6to4): that is where the packet goes."""
    if isinstance(found, ipaddress.IPv4Address):
        return found
    if found.ipv4_mapped is not None:
        return found.ipv4_mapped
    if found in _NAT64:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    if found in _6TO4 and found.sixtofour is not None:
        return found.sixtofour
    return found


__all__ = [
    "Network",
    "WebAddressError",
    "checked_endpoint",
    "checked_url",
    "is_loopback_name",
    "may_be_called",
    "parse_networks",
]
