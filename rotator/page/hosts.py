"""Which Host names are answered.

A page on a loopback address is not safe by that alone: a website can let its own name point to 127.0.0.1, and the
reader's browser then takes this server for that website (DNS rebinding). The Host header tells: it names the website.

An entry is a name, an address, or a network such as `10.0.0.0/8`. A network is safe to allow because no DNS name can
pass for an address; orchestrators' probes and metric scrapers ask by address. Ports are not compared: they change
with every port forwarding, and rebinding needs a name.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_LOOPBACK = ("localhost", "127.0.0.0/8", "::1/128")
_HEADER = re.compile(
    r"(?:\[(?P<six>[0-9a-f]{0,4}:[0-9a-f:.]{1,40})\]|(?P<name>[a-z0-9._-]{1,254}))(?::(?P<port>[0-9]{1,5}))?"
)
_PORT_MAX = 65_535


class MalformedHostError(ValueError):
    """A Host header that names no host."""


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Names and networks that are answered."""

    names: frozenset[str]
    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, entries: frozenset[str]) -> "AllowedHosts":
        """Return loopback and `entries`, each a name, an address or a network as the configuration reads them."""
        names, networks = set(), []
        for entry in (*_LOOPBACK, *sorted(entries)):
            try:
                networks.append(ip_network(entry))
            except ValueError:
                names.add(entry.removesuffix("."))
        return cls(frozenset(names), tuple(networks))

    def allow(self, header: str) -> bool:
        """Tell whether a request with this Host header is answered.

        Raises MalformedHostError if it is no Host header.
        """
        host = _host(header)
        if isinstance(host, str):
            return host in self.names
        return any(host in network for network in self.networks)


def _host(header: str) -> str | IPv4Address | IPv6Address:
    match = _HEADER.fullmatch(header.lower())
    if match is None or int(match["port"] or 0) > _PORT_MAX:
        raise MalformedHostError
    text = match["six"] or match["name"].removesuffix(".")
    try:
        address = ip_address(text)
    except ValueError:
        if match["six"] or not text:
            raise MalformedHostError from None
        return text
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
