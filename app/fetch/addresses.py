"""Which addresses of the internet are somebody's public host, and so may be connected to at a client's wish."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

Address = IPv4Address | IPv6Address

_UNICAST = ip_network("2000::/3")
"""All of IPv6 that is given out; left out are loopback, link-local, unique local, multicast, and with ::ffff:0:0/96,
::/96 and 64:ff9b::/96 all that hold an IPv4 address inside."""

_REFUSED = tuple(
    map(
        ip_network,
        (
            "2001::/23",  # Teredo (an IPv4 address inside), ORCHID and other protocols
            "2001:db8::/32",  # documentation, as is the next
            "3fff::/20",
            "2002::/16",  # 6to4: an IPv4 address inside
            "192.0.0.0/24",  # protocols; Oracle's metadata service
            "192.88.99.0/24",  # 6to4 relays
            "168.63.129.16/32",  # a public number, but inside Azure its metadata service
        ),
    )
)


def is_public(address: Address) -> bool:
    """Whether anybody on the internet can reach the address, so that fetching from it tells a client nothing new.

    False for loopback, private, link-local (metadata of clouds), carrier-grade NAT, multicast, reserved, unspecified
    and documentation addresses, and for every IPv6 address that stands for an IPv4 one, public or not: no name of a
    public host has such an address, and what a gateway makes of it is unknown here.
    """
    if isinstance(address, IPv6Address) and (address not in _UNICAST or address.scope_id is not None):
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _REFUSED)
