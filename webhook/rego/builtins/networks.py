"""IP addresses and networks: `net.cidr_*`."""

import ipaddress
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Any

from webhook.rego.builtins.caches import cached_by_text
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import BuiltinError, limit_items, wrong_type
from webhook.rego.builtins.signatures import (
    ANY,
    ARRAY,
    BOOLEAN,
    STRING,
    STRINGS,
    ArrayOf,
    ObjectOf,
    OneOf,
    SetOf,
    Type,
)
from webhook.rego.values import RegoSet, scan

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NETWORKS_BETWEEN_CHECKS = 200
"""Networks that are read between two looks at the clock."""
_PREFIX = re.compile(r"[0-9]{1,3}", re.ASCII)


def is_valid(cidr: Any) -> bool:
    """Say whether a value is a network in CIDR notation."""
    if type(cidr) is not str:
        return False
    try:
        parse_network(cidr)
    except BuiltinError:
        return False
    return True


@cached_by_text(1024)
def parse_network(text: str) -> Network:
    """Read a network in CIDR notation; bits beyond the prefix do not count.

    Raises:
        BuiltinError: the text is not a network.

    """
    address, _, prefix = text.partition("/")
    if _PREFIX.fullmatch(prefix) and "%" not in address:
        try:
            return ipaddress.ip_network((address, int(prefix)), strict=False)
        except ValueError:
            pass
    raise BuiltinError(f"invalid CIDR address: {text}")


def parse_address(text: str) -> Address | None:
    """Read an address; an IPv4 address in IPv6 form is an IPv4 address. None when the text is not one."""
    if "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def contains(cidr: Any, cidr_or_ip: Any) -> bool:
    """Say whether a network contains an address or all of another network."""
    return _holds(_network(cidr), cidr_or_ip)


def _holds(network: Network, cidr_or_ip: Any) -> bool:
    if type(cidr_or_ip) is not str:
        raise wrong_type(1, cidr_or_ip, "string")
    address = parse_address(cidr_or_ip)
    if address is not None:
        return address in network
    try:
        return _within(parse_network(cidr_or_ip), network)
    except BuiltinError:
        message = f"not a valid textual representation of an IP address or CIDR: {cidr_or_ip}"
        raise BuiltinError(message) from None


def intersects(first: Any, second: Any) -> bool:
    """Say whether two networks have an address in common."""
    return _network(first).overlaps(_network(second))


def _within(inner: Network, outer: Network) -> bool:
    return inner.network_address in outer and inner.broadcast_address in outer


def _network(value: Any) -> Network:
    if type(value) is not str:
        raise wrong_type(1, value, "string")
    return parse_network(value)


def expand(cidr: Any) -> RegoSet:
    """Give every address of a network."""
    network = _network(cidr)
    limit_items(network.num_addresses)
    return RegoSet(map(str, network))


def contains_matches(cidrs: Any, cidrs_or_ips: Any) -> RegoSet:
    """Pair the networks with the addresses and networks they contain, each by its key, index or itself."""
    result = RegoSet()
    outer = [(key, _network(text)) for key, text in _candidates(1, cidrs)]
    inner = list(_candidates(2, cidrs_or_ips)) if outer else []
    limit_items(len(outer) * len(inner))
    for outer_key, network in outer:
        for inner_key, text in inner:
            if _holds(network, text):
                result.add([outer_key, inner_key])
    return result


def _candidates(position: int, collection: Any) -> Iterator[tuple[Any, Any]]:
    """Give the key and the text of each element; of an element that is an array, its first counts."""
    if type(collection) is str:
        yield collection, collection
        return
    for key, element in scan(collection):
        if type(element) is list and element:
            yield key, element[0]
        elif type(element) is str:
            yield key, element
        else:
            raise BuiltinError(f"operand {position}: element must be string or non-empty array")


def merge(context: EvaluationContext, addresses: Any) -> RegoSet:
    """Give the fewest networks that cover the same addresses; an IPv4 address stands for its classful network."""
    if type(addresses) is not list and type(addresses) is not RegoSet:
        raise BuiltinError("operand must be an array")
    given: dict[Network, list[str]] = {}
    for index, address in enumerate(addresses):
        if index % _NETWORKS_BETWEEN_CHECKS == _NETWORKS_BETWEEN_CHECKS - 1:
            context.check()
        given.setdefault(_mergeable(address), []).append(address)
    result = RegoSet()
    for version in (4, 6):
        same = {network: texts for network, texts in given.items() if network.version == version}
        firsts = sorted(int(network.network_address) for network in same)
        for index, (first, last) in enumerate(_ranges(same)):
            if index % _NETWORKS_BETWEEN_CHECKS == 0:
                context.check()
            blocks = _blocks(first, last, version)
            for block in blocks:
                result.add(_shown(block, same.get(block, []), firsts, touches=len(blocks) > 1))
    return result


def _blocks(first: int, last: int, version: int) -> list[Network]:
    """Give the fewest networks that make up a range of addresses."""
    if version == 4:
        return list(
            ipaddress.summarize_address_range(ipaddress.IPv4Address(first), ipaddress.IPv4Address(last))
        )
    return list(ipaddress.summarize_address_range(ipaddress.IPv6Address(first), ipaddress.IPv6Address(last)))


def _ranges(networks: Iterable[Network]) -> Iterator[tuple[int, int]]:
    """Give the first and the last of the addresses that networks of one version cover without a gap, in order."""
    start, end = 0, -1
    for first, last in sorted(
        (int(network.network_address), int(network.broadcast_address)) for network in networks
    ):
        if end >= start and first > end + 1:
            yield start, end
        if end < start or first > end + 1:
            start = first
        end = max(end, last)
    if end >= start:
        yield start, end


def _shown(network: Network, texts: list[str], firsts: list[int], *, touches: bool) -> str:
    """Write a merged network that was given as `texts`; `firsts` has the first addresses of all that were given.

    As in OPA, an address that merges with nothing and touches nothing keeps its host bits.
    """
    if len(texts) != 1 or "/" in texts[0] or touches:
        return str(network)
    within = bisect_right(firsts, int(network.broadcast_address)) - bisect_left(
        firsts, int(network.network_address)
    )
    return f"{texts[0]}/{network.prefixlen}" if within == 1 else str(network)


def _mergeable(value: Any) -> Network:
    if type(value) is not str:
        raise BuiltinError("element must be string")
    address = parse_address(value)
    if address is None:
        return parse_network(value)
    if address.version == 6:
        raise BuiltinError("IPv6 invalid: needs prefix length")
    first = address.packed[0]
    prefix = 8 if first < 128 else 16 if first < 192 else 24
    return ipaddress.ip_network((str(address), prefix), strict=False)


_RESULT = {"result": BOOLEAN}
_ITEM = OneOf((STRING, ARRAY))
_ITEMS: Type = OneOf((STRING, ArrayOf(_ITEM), SetOf(_ITEM), ObjectOf(STRING, _ITEM)))

BUILTINS: tuple[Builtin, ...] = (
    declare("net.cidr_is_valid", {"cidr": STRING}, _RESULT, is_valid),
    declare("net.cidr_contains", {"cidr": STRING, "cidr_or_ip": STRING}, _RESULT, contains),
    declare("net.cidr_overlap", (STRING, STRING), BOOLEAN, contains, deprecated=True),
    declare("net.cidr_intersects", {"cidr1": STRING, "cidr2": STRING}, _RESULT, intersects),
    declare("net.cidr_expand", {"cidr": STRING}, {"hosts": SetOf(STRING)}, expand),
    declare(
        "net.cidr_contains_matches",
        {"cidrs": _ITEMS, "cidrs_or_ips": _ITEMS},
        {"output": SetOf(ArrayOf(None, (ANY, ANY)))},
        contains_matches,
    ),
    declare(
        "net.cidr_merge",
        {"addrs": OneOf((STRINGS, SetOf(STRING)))},
        {"output": SetOf(STRING)},
        merge,
        needs_context=True,
    ),
)
