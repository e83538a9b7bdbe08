from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core_policies import core_policy

# https://kubernetes.io/docs/concepts/security/pod-security-standards/, as of Kubernetes 1.37.
SAFE = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_notsent_lowat",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
]
UNSAFE = [
    "kernel.unprivileged_userns_clone",
    "kernel.msgmax",
    "kernel.shmmax",
    "kernel.core_pattern",
    "kernel.shm_rmid_forced2",
    "fs.mqueue.msg_max",
    "vm.max_map_count",
    "net.core.somaxconn",
    "net.ipv4.ip_forward",
    "net.ipv4.tcp_syncookies.x",
    "net.ipv6.conf.all.disable_ipv6",
]


def deny(*names: Any, **parameters: Any) -> list[dict[str, Any]]:
    sysctls = [{"name": name, "value": "1"} for name in names]
    return core_policy("unsafe-sysctls").deny({"securityContext": {"sysctls": sysctls}}, **parameters)


def denied(*names: Any, **parameters: Any) -> set[str]:
    return {violation["details"]["sysctl"] for violation in deny(*names, **parameters)}


def slashed(name: str) -> str:
    return name.translate(str.maketrans("./", "/."))


@pytest.mark.parametrize("name", SAFE)
def test_a_safe_sysctl_passes_in_both_spellings(name: str) -> None:
    assert deny(name, slashed(name)) == []


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_sysctl_is_denied_in_both_spellings(name: str) -> None:
    assert len(deny(name, slashed(name))) == 2
    assert denied(name, slashed(name)) == {name}


def test_a_violation_names_sysctl_and_place() -> None:
    (violation,) = deny("net.ipv4.tcp_syncookies", "kernel.unprivileged_userns_clone")
    assert violation["path"] == ["spec", "securityContext", "sysctls", 1]
    assert "kernel.unprivileged_userns_clone" in violation["msg"]


def test_a_dot_inside_a_slashed_name_is_literal_as_for_the_kubelet() -> None:
    assert denied("net/ipv4/conf/eth0.100/rp_filter") == {"net.ipv4.conf.eth0/100.rp_filter"}
    assert denied("net.ipv4.conf.eth0/100.rp_filter") == {"net.ipv4.conf.eth0/100.rp_filter"}


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("kernel.msgmax", UNSAFE[:1] + UNSAFE[2:3]),
        ("kernel/msgmax", UNSAFE[:1] + UNSAFE[2:3]),
        ("kernel.*", []),
        ("kernel/*", []),
        ("kernel.msg*", UNSAFE[:1] + UNSAFE[2:3]),
        ("*", []),
        ("kernel", UNSAFE[:3]),
        ("kernel.", UNSAFE[:3]),
        ("", UNSAFE[:3]),
    ],
)
def test_a_cluster_may_allow_more(pattern: str, left: list[str]) -> None:
    assert denied(*UNSAFE[:3], allowed_sysctls=[pattern]) == set(left)


@given(st.sampled_from(UNSAFE), st.lists(st.sampled_from(SAFE)))
def test_company_does_not_excuse(unsafe: str, safe: list[str]) -> None:
    assert denied(*safe, unsafe, *safe) == {unsafe}


@pytest.mark.parametrize(
    "context", [None, {}, {"sysctls": None}, {"sysctls": "x"}, {"sysctls": [None, {}]}, "x"]
)
def test_an_unexpected_shape_is_no_error(context: object) -> None:
    assert core_policy("unsafe-sysctls").deny({"securityContext": context}) == []
