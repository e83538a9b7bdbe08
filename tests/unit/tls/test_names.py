import ipaddress

import pytest

from webhook.tls.errors import InvalidNameError
from webhook.tls.names import parse_names


def test_dns_names_and_addresses_are_sorted_apart_in_order_and_once() -> None:
    names = parse_names(
        ["localhost", "10.0.0.1", "[::1]", "Gradate.Example.svc.", "localhost", "*.example.org"]
    )
    assert names.dns == ("localhost", "gradate.example.svc", "*.example.org")
    assert names.ips == (ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("::1"))
    assert names.texts[-2:] == ("10.0.0.1", "::1")


@pytest.mark.parametrize(
    "text",
    ["", "https://x", "a b", "host:8443", "-a", "a..b", "300.1.1.1", "x" * 64, "é.example", "*", "a.*"],
)
def test_a_text_that_is_no_name_is_refused_with_advice(text: str) -> None:
    with pytest.raises(InvalidNameError, match="write it like"):
        parse_names(["localhost", text])


def test_no_name_at_all_is_refused() -> None:
    with pytest.raises(InvalidNameError, match="at least one"):
        parse_names([])
