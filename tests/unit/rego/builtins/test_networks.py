import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rego_builtins import call, failure, passes_limit
from webhook.rego.values import RegoSet


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("net.cidr_is_valid", ("10.0.0.0/8",), True),
        ("net.cidr_is_valid", ("10.0.0.7/8",), True),
        ("net.cidr_is_valid", ("10.0.0.0",), False),
        ("net.cidr_is_valid", ("10.0.0.0/33",), False),
        ("net.cidr_is_valid", ("10.0.0.0/255.0.0.0",), False),
        ("net.cidr_is_valid", (1,), False),
        ("net.cidr_contains", ("10.0.0.0/8", "10.1.2.3"), True),
        ("net.cidr_contains", ("10.0.0.0/8", "11.0.0.0/16"), False),
        ("net.cidr_contains", ("10.0.0.0/8", "10.1.0.0/16"), True),
        ("net.cidr_contains", ("10.0.0.0/16", "10.0.0.0/8"), False),
        ("net.cidr_contains", ("10.0.0.0/8", "::ffff:10.1.1.1"), True),
        ("net.cidr_contains", ("2001:db8::/32", "2001:db8:1::/48"), True),
        ("net.cidr_contains", ("2001:db8::/32", "10.0.0.1"), False),
        ("net.cidr_overlap", ("10.0.0.0/8", "10.0.0.1"), True),
        ("net.cidr_intersects", ("10.0.0.0/8", "10.1.0.0/16"), True),
        ("net.cidr_intersects", ("10.0.0.0/8", "11.0.0.0/8"), False),
        (
            "net.cidr_expand",
            ("192.168.0.5/30",),
            RegoSet(["192.168.0.4", "192.168.0.5", "192.168.0.6", "192.168.0.7"]),
        ),
        ("net.cidr_contains_matches", ("10.0.0.0/8", "10.1.1.1"), RegoSet([["10.0.0.0/8", "10.1.1.1"]])),
        ("net.cidr_contains_matches", (["10.0.0.0/8", "11.0.0.0/8"], {"a": "11.1.1.1"}), RegoSet([[1, "a"]])),
        (
            "net.cidr_contains_matches",
            ([["10.0.0.0/8", "x"]], RegoSet(["10.1.1.1"])),
            RegoSet([[0, "10.1.1.1"]]),
        ),
        ("net.cidr_merge", (["192.0.2.0/25", "192.0.2.128/25", "192.0.2.7/32"],), RegoSet(["192.0.2.0/24"])),
        ("net.cidr_merge", (["10.1.2.3"],), RegoSet(["10.1.2.3/8"])),
        ("net.cidr_merge", (["10.1.2.3", "10.9.0.0/16"],), RegoSet(["10.0.0.0/8"])),
        (
            "net.cidr_merge",
            (["192.168.1.7", "192.168.2.9"],),
            RegoSet(["192.168.1.0/24", "192.168.2.0/24"]),
        ),
    ],
)
def test_networks_are_compared_and_merged(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    assert call(name, *arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("net.cidr_contains", ("10.0.0.0", "10.0.0.1"), "invalid CIDR address: 10.0.0.0"),
        (
            "net.cidr_contains",
            ("10.0.0.0/8", "x"),
            "not a valid textual representation of an IP address or CIDR: x",
        ),
        ("net.cidr_contains", (1, "x"), "operand 1 must be string but got number"),
        ("net.cidr_merge", (["2001:db8::1"],), "IPv6 invalid: needs prefix length"),
        ("net.cidr_merge", ("10.0.0.0/8",), "operand must be an array"),
        (
            "net.cidr_contains_matches",
            ("10.0.0.0/8", [1]),
            "operand 2: element must be string or non-empty array",
        ),
    ],
)
def test_what_is_no_network_is_refused(name: str, arguments: tuple[Any, ...], words: str) -> None:
    assert words in failure(name, *arguments)


def test_a_network_too_large_to_list_stops_the_evaluation() -> None:
    assert passes_limit("net.cidr_expand", "10.0.0.0/8")
    assert passes_limit("net.cidr_expand", "::/0")


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_a_network_contains_its_own_address(address: Any, prefix: int) -> None:
    assert call("net.cidr_contains", f"{address}/{prefix}", str(address))
    assert call("net.cidr_intersects", f"{address}/{prefix}", f"{address}/32")


@given(
    st.lists(
        st.tuples(st.integers(0, 255), st.integers(24, 32)).map(
            lambda parts: f"192.0.2.{parts[0]}/{parts[1]}"
        ),
        max_size=12,
    ),
    st.lists(st.integers(112, 128).map(lambda prefix: f"2001:db8::{prefix:x}00/{prefix}"), max_size=4),
)
def test_merged_networks_are_the_fewest_that_cover_the_same_addresses(old: list[str], new: list[str]) -> None:
    given_networks: list[Any] = [
        [ipaddress.ip_network(text, strict=False) for text in texts] for texts in (old, new)
    ]
    fewest = [network for one in given_networks for network in ipaddress.collapse_addresses(one)]

    assert call("net.cidr_merge", [*new, *old]) == RegoSet(map(str, fewest))
