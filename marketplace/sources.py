"""Where a request comes from when a proxy may stand in front: `X-Forwarded-For` is believed of our own proxies alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from pos.errors import Invalid

Network = IPv4Network | IPv6Network
HOME_BITS = 64
"""What one household or server of IPv6 holds: its addresses count as one."""


def proxies_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read the addresses or networks of our proxies. Raises: Invalid."""
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as problem:
        raise Invalid(f"not the address or network of a proxy: {problem}") from None


def source_of(peer: str, forwarded: str, proxies: Sequence[Network]) -> str:
    """Return the address of whoever sent a request: `peer`, or the last one in `forwarded` that is not a proxy of ours.

    Of an IPv6 address the network is returned. What is no address is left to the proxy that passed it on.
    """
    source = peer
    for hop in (peer, *reversed(forwarded.split(","))):
        address = _address(hop)
        if address is None:
            break
        source = str(address) if address.version == 4 else str(ip_network((address, HOME_BITS), strict=False))
        if not any(address in network for network in proxies):
            break
    return source


def is_loopback(peer: str) -> bool:
    """Tell whether the peer is this machine."""
    address = _address(peer)
    return address is not None and address.is_loopback


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
