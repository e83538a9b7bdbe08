import socket

import pytest

from webhook.server.address import ListenAddress, address_of, bind, parse_address, reserve
from webhook.server.errors import AddressInUseError, ListenAddressError

LOCAL = ListenAddress("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1:8443", ListenAddress("10.0.0.1", 8443)),
        ("[::1]:0", ListenAddress("::1", 0)),
        (":8080", ListenAddress("", 8080)),
        ("localhost:1", ListenAddress("localhost", 1)),
    ],
)
def test_addresses_are_read_and_written_alike(text: str, address: ListenAddress) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "8443", "host", "::1:80", "host:99999", "host:-1", "https://x:1", "a:b:1"]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ListenAddressError, match=r"write host:port, like 0\.0\.0\.0:8443"):
        parse_address(text)


def test_the_system_may_choose_the_port() -> None:
    with bind(LOCAL, setting="--listen") as bound:
        assert address_of(bound, LOCAL).port > 0


def test_a_port_in_use_names_the_setting_to_change() -> None:
    with bind(LOCAL, setting="--listen") as bound:
        bound.listen()
        with pytest.raises(AddressInUseError, match=r"choose another port with --listen"):
            bind(address_of(bound, LOCAL), setting="--listen")


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_names_the_setting_to_change(host: str) -> None:
    with pytest.raises(ListenAddressError, match="change --operations-listen"):
        bind(ListenAddress(host, 0), setting="--operations-listen")


def test_a_reserved_port_can_be_shared_by_workers_only() -> None:
    held, address = reserve(LOCAL, setting="--listen")
    with (
        held,
        bind(address, setting="--listen", share=True) as one,
        bind(address, setting="", share=True) as other,
    ):
        one.listen()
        other.listen()
        with pytest.raises(AddressInUseError):
            bind(address, setting="--listen")


def test_a_port_that_a_foreign_process_shares_cannot_be_reserved() -> None:
    with socket.socket() as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        foreign.bind(("127.0.0.1", 0))
        foreign.listen()
        with pytest.raises(AddressInUseError):
            reserve(ListenAddress("127.0.0.1", foreign.getsockname()[1]), setting="--listen")
