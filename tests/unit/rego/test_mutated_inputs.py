"""Inputs that are nearly right: every evaluator of plans agrees on what a policy makes of them.

A generated document seldom gets past the first line of a real policy. So real ones are changed in a few places, with
values at which something ends and with texts from the policy itself. No input may make an evaluator fail in a way
that the policy did not ask for, nor may an evaluation change it.
"""

import copy
from functools import cache
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.rego_inputs import build_input
from tests.support.compiled_rego import engines_of, outcome
from tests.support.conformance import SKIP_REASON, cases
from tests.support.core_policies import CORE, ROOT, core_catalog
from tests.support.input_mutations import mutated, words_of
from tests.support.rego_programs import PACKAGE, inputs, modules
from tests.support.reviews import request_document
from webhook.rego import ir
from webhook.rego.ast import Source
from webhook.rego.builtins.failures import BuiltinError, OperandError
from webhook.rego.compiler import compile_query, load_modules, plan_entry_points
from webhook.rego.errors import CompileError
from webhook.rego.failures import INTERNAL
from webhook.rego.resolve.resolution import Options
from webhook.rego.values import Value

BUILTIN_ERRORS = {BuiltinError.code, OperandError.code}
BENCH_POLICIES = sorted((ROOT / "bench" / "rego_policies").glob("*.rego"))
_SPEC = {
    "os": {"name": "linux"},
    "securityContext": {
        "seccompProfile": {"type": "Localhost"},
        "sysctls": [
            {"name": "net/ipv4/conf/eth0.100/rp_filter", "value": "1"},
            {"name": "kernel.msgmax", "value": "1"},
        ],
    },
    "initContainers": [
        {
            "name": "migrate",
            "image": "mirror.example.com/migrate:1",
            "env": [{"name": "DATABASE_URL", "value": "postgres://app:hunter2-and-more@db/app"}],
            "securityContext": {"capabilities": {"add": ["CHOWN", "NET_ADMIN"], "drop": ["ALL"]}},
        }
    ],
    "containers": [
        {
            "name": "web",
            "image": "docker.io/web:1.4.2",
            "env": [
                {"name": "DB_PASSWORD", "value": "hunter2-and-more"},
                {"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}},
            ],
            "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1", "memory": "1Gi"}},
            "securityContext": {"privileged": True, "seccompProfile": {"type": "Unconfined"}},
        },
        {"name": "side", "image": "registry.example.com/side:2"},
    ],
    "ephemeralContainers": [{"name": "debugger", "securityContext": None}],
}
"""The spec of a Pod to which each of our policies has something to say."""
_PARAMETERS: tuple[dict[str, Value], ...] = (
    {},
    {"allowed_sysctls": ["kernel.*", "net/ipv4/*"]},
    {"extra_names": ["*_URL"], "allowed_names": ["DB_*"], "allowed_values": ["hunter2.*", "("]},
    {"allow_placeholders": False},
)


def read(path: Any) -> str:
    return str(path.read_text(encoding="utf-8"))


@cache
def review_inputs() -> tuple[Value, ...]:
    """Give inputs as policies get them: of what our probes hold, and of a Pod that breaks every policy."""
    specs = [_SPEC, {**_SPEC, "hostNetwork": True, "securityContext": {}}]
    sent = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec} for spec in specs]
    for path in sorted(ROOT.glob("policy-tests/*.must-deny.yaml")):
        sent += yaml.safe_load_all(read(path))
    requests = [request_document(one) for one in sent]
    requests.append(request_document(sent[0], old=sent[1], subResource="ephemeralcontainers"))
    return tuple(
        {"request": request, "review": {"request": request}, "parameters": parameters}
        for request in requests
        for parameters in _PARAMETERS
    )


class Engines:
    """Every evaluator of one policy; asked the same, they say the same."""

    def __init__(self, policy: ir.Policy) -> None:
        self.plans = [plan.name for plan in policy.plans]
        self._lenient, self._strict = (engines_of(policy, strict=strict) for strict in (False, True))

    def examine(self, document: Value, data: Value = None) -> None:
        """Evaluate every plan; nothing may fail by a defect of ours or change the input.

        Optimised code leaves a loop as soon as its outcome is certain, as OPA does, and so need not meet an error
        behind that; where errors are strict, it may give the answer that it would give without them instead.
        """
        before = copy.deepcopy(document)
        for plan in self.plans:
            lenient, *others = (outcome(engine, plan, document, data) for engine in self._lenient)
            assert others == [lenient, lenient], plan
            strict, optimised, plain = (outcome(engine, plan, document, data) for engine in self._strict)
            assert plain == strict, plan
            assert optimised in ({strict, lenient} if strict in BUILTIN_ERRORS else {strict}), plan
            assert INTERNAL not in (lenient, strict), plan
        assert repr(document) == repr(before)


@cache
def core_engines(name: str) -> Engines:
    version = core_catalog().get(name)
    assert version is not None
    entry_points = [version.entrypoint(rule) for rule in sorted(version.rules)]
    return Engines(plan_entry_points(load_modules(version.sources), entry_points))


@cache
def bench_engines(path: Any) -> Engines:
    return Engines(plan_entry_points(load_modules([Source(path.name, read(path))]), ["data.bench"]))


@cache
def case_engines(case_id: str) -> Engines | None:
    """Give the engines of a conformance case, or nothing where it does not compile."""
    case = CASES[case_id]
    sources = [Source(f"module{index}.rego", text) for index, text in enumerate(case.modules or ())]
    try:
        resolution = load_modules(sources, options=Options(for_tests=True))
        return Engines(compile_query(resolution, case.query).policy)
    except CompileError:
        return None


CASES = {case.id: case for case in cases() if isinstance(case.document, dict)}


@pytest.mark.parametrize("name", CORE)
@settings(max_examples=60)
@given(data=st.data())
def test_our_policies_mean_the_same_to_every_evaluator(name: str, data: st.DataObject) -> None:
    version = core_catalog().get(name)
    assert version is not None
    tests = read(ROOT / "policy-tests" / f"{name.replace('-', '_')}_test.rego")
    words = words_of(*(source.text for source in version.sources), tests)
    core_engines(name).examine(data.draw(mutated(review_inputs(), words)))


@pytest.mark.parametrize("path", BENCH_POLICIES, ids=lambda path: path.stem)
@settings(max_examples=30)
@given(data=st.data())
def test_the_policies_of_the_benchmark_mean_the_same_to_every_evaluator(
    path: Any, data: st.DataObject
) -> None:
    documents = [*review_inputs(), msgspec.json.decode(build_input(1))]
    bench_engines(path).examine(data.draw(mutated(documents, words_of(read(path)))))


@pytest.mark.skipif(not CASES, reason=SKIP_REASON)
@settings(max_examples=100)
@given(data=st.data())
def test_conformance_cases_mean_the_same_to_every_evaluator(data: st.DataObject) -> None:
    case = CASES[data.draw(st.sampled_from(sorted(CASES)))]
    engines = case_engines(case.id)
    if engines is not None:
        words = words_of(*(case.modules or ()))
        engines.examine(data.draw(mutated([case.document], words)), case.data)


@settings(max_examples=60)
@given(source=modules(), documents=st.lists(inputs(), min_size=1, max_size=3), data=st.data())
def test_generated_policies_mean_the_same_to_every_evaluator(
    source: str, documents: list[Value], data: st.DataObject
) -> None:
    try:
        policy = plan_entry_points(load_modules([Source("generated.rego", source)]), [f"data.{PACKAGE}"])
    except CompileError:
        return
    Engines(policy).examine(data.draw(mutated(documents, words_of(source))))


def test_code_that_leaves_a_loop_early_does_not_meet_a_strict_error_behind_that() -> None:
    source = (
        f"package {PACKAGE}\nimport rego.v1\np if every x in input.xs {{ x != 1; contains(x, input.no) }}\n"
    )
    engines = Engines(plan_entry_points(load_modules([Source("every.rego", source)]), [f"data.{PACKAGE}.p"]))
    engines.examine({"xs": [1, "a"], "no": None})
    engines.examine({"xs": ["a", 1], "no": None})
