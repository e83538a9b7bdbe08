"""The match index: which policies judge a request, at a cost linear in those that do."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from webhook.admission.review import AdmissionRequest, Operation
from webhook.admission.workload import holds_pod, is_judged, well_known_group
from webhook.policy.selector import KindSelector
from webhook.policy.version import PolicyVersion

_REMEMBERED_ANSWERS = 4096
"""How many types, and how many (type, namespace) combinations, keep their answer; a few hundred bytes each."""

_ANY = "*"
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Selection: TypeAlias = tuple[str, str, Operation]
"""Group, kind and operation; group and kind may be `_ANY`."""
_Type: TypeAlias = tuple[str, str, str, str, Operation]
"""Group, kind, resource, subresource and operation of a request."""


@dataclass(frozen=True, slots=True)
class MatchedPolicy:
    """One policy that judges a request."""

    policy: PolicyVersion
    position: int
    """Index of the policy in the sequence that the index was built from."""
    as_pod: bool
    """Whether it judges the workload's Pod (`find_pod`) rather than the object as it was sent."""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The policies that judge one type of request in some namespace."""

    matches: tuple[MatchedPolicy, ...]
    everywhere: bool
    """Whether they do so in every namespace."""


class MatchIndex:
    """Finds policies by kind, operation and namespace; the answer is in declared order."""

    def __init__(self, policies: Sequence[PolicyVersion]) -> None:
        self._policies = tuple(policies)
        self._pod_rules: dict[Operation, list[int]] = defaultdict(list)
        self._selected: dict[_Selection, list[int]] = defaultdict(list)
        self._candidates: dict[_Type, _Candidates] = {}
        self._answers: dict[tuple[_Type, str], tuple[MatchedPolicy, ...]] = {}
        for position, policy in enumerate(self._policies):
            self._add(position, policy)

    def find(self, request: AdmissionRequest) -> tuple[MatchedPolicy, ...]:
        """Find the policies that judge `request`; none for a request that `is_judged` passes."""
        kind = request.kind
        type_ = (kind.group, kind.kind, request.resource.resource, request.sub_resource, request.operation)
        candidates = self._candidates.get(type_)
        if candidates is None:
            candidates = self._find_candidates(request)
            _remember(self._candidates, type_, candidates)
        if candidates.everywhere:
            return candidates.matches
        answer = self._answers.get((type_, request.namespace))
        if answer is None:
            answer = tuple(
                match
                for match in candidates.matches
                if match.policy.metadata.match.namespaces.matches(request.namespace)
            )
            _remember(self._answers, (type_, request.namespace), answer)
        return answer

    def _add(self, position: int, policy: PolicyVersion) -> None:
        match = policy.metadata.match
        for operation in match.operations:
            for selector in match.kinds:
                if is_pod_rule(selector):
                    self._pod_rules[operation].append(position)
                else:
                    self._selected[(_group_key(selector), selector.kind, operation)].append(position)

    def _find_candidates(self, request: AdmissionRequest) -> _Candidates:
        if not is_judged(request):
            return _Candidates((), everywhere=True)
        as_sent = set(self._find_selected(request))
        as_pod = set(self._pod_rules.get(request.operation, ())) if holds_pod(request) else set()
        if request.kind.kind == "Pod" and holds_pod(request):
            as_pod, as_sent = as_pod | as_sent, set()
        # A policy that names a workload's kind wants the object; it is not asked twice.
        matches = tuple(
            MatchedPolicy(self._policies[position], position, as_pod=position not in as_sent)
            for position in sorted(as_sent | as_pod)
        )
        selectors = (match.policy.metadata.match.namespaces for match in matches)
        return _Candidates(matches, everywhere=not any(s.include or s.exclude for s in selectors))

    def _find_selected(self, request: AdmissionRequest) -> Iterator[int]:
        group, kind = request.kind.group, request.kind.kind
        for selection in ((group, kind), (_ANY, kind), (group, _ANY), (_ANY, _ANY)):
            yield from self._selected.get((*selection, request.operation), ())


def _remember(memory: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Keep an answer; what clients send must not make the memory grow without end."""
    if len(memory) >= _REMEMBERED_ANSWERS:
        memory.clear()
    memory[key] = value


def is_pod_rule(selector: KindSelector) -> bool:
    """Tell whether a selector names Pods, which covers every workload."""
    return selector.kind == "Pod" and not selector.group


def _group_key(selector: KindSelector) -> str:
    if selector.group is not None:
        return selector.group
    well_known = well_known_group(selector.kind)
    return _ANY if well_known is None else well_known
