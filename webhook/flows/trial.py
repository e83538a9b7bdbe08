"""A trial: one request as evidence for or against a candidate, on its way from the answer to the journal."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from webhook.decision.verdict import PolicyVerdict
from webhook.flows.judging import Case
from webhook.flows.snapshot import LoadedVersion
from webhook.policy.index import MatchedPolicy
from webhook.rollout.life import Rollout
from webhook.rollout.policy_exception import PolicyException
from webhook.rollout.strategy import Mode


class Contender(msgspec.Struct, frozen=True, gc=False):
    """One of the two versions in a trial."""

    loaded: LoadedVersion
    match: MatchedPolicy
    verdict: PolicyVerdict | None = None
    """None when it is still to be evaluated."""


class Trial(msgspec.Struct, frozen=True, gc=False):
    """What is known of one request when its answer is given."""

    rollout: Rollout
    mode: Mode
    """Under which the candidate's evaluation counts."""
    case: Case
    candidate: Contender | None
    """None when the candidate does not judge such a request."""
    stable: Contender | None
    """None when there is no stable version, or it does not judge such a request."""
    exceptions: Sequence[PolicyException] = ()


class TrialSink(Protocol):
    """Takes what the path of a request leaves behind; must neither block nor raise."""

    def offer(self, trial: Trial) -> None:
        """Take a trial, or shed it and count that."""

    def saw_namespace(self, namespace: str) -> None:
        """Note a namespace that requests come from."""

    def used_exception(self, identity: str) -> None:
        """Note that an exception permitted something."""
