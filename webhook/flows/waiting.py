"""Trials that wait for the journal: a queue bounded in number and in memory. Pure.

Only the first few requests that wait are kept as they were decoded. The others are kept as the bytes that they came
as, and decoded again when their turn comes: decoded objects take several times the memory, and the garbage collector
would walk all that wait, again and again, while requests are answered.
"""

from collections import deque
from collections.abc import Sequence

import msgspec

from webhook.admission.review import decode_review
from webhook.flows.judging import Case, DecisionRules
from webhook.flows.trial import Contender, Trial
from webhook.rollout.life import Rollout
from webhook.rollout.policy_exception import PolicyException
from webhook.rollout.strategy import Mode

_DECODED_TRIALS = 16
_DECODED_BYTES = 64 * 1024


class WaitingTrial(msgspec.Struct, frozen=True, gc=False):
    """A trial without its decoded request."""

    rollout: Rollout
    mode: Mode
    candidate: Contender | None
    stable: Contender | None
    exceptions: Sequence[PolicyException]
    body: bytes
    rules: DecisionRules
    at_ns: int
    """When it came; wall time."""
    case: Case | None
    """The request as it was decoded, if it is kept so."""

    def open(self) -> Trial:
        """Give the trial as it came."""
        case = self.case or Case(decode_review(self.body), self.rules)
        return Trial(self.rollout, self.mode, case, self.candidate, self.stable, self.exceptions)


class TrialQueue:
    """First in, first out; what does not fit is turned away."""

    __slots__ = ("_bytes", "_most", "_most_bytes", "_trials")

    def __init__(self, most: int, most_bytes: int) -> None:
        """Take the largest number of trials, and the largest sum of their bodies; one trial fits always."""
        self._most = most
        self._most_bytes = most_bytes
        self._trials: deque[WaitingTrial] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._trials)

    @property
    def oldest_ns(self) -> int | None:
        """When the oldest trial came; None when there is none."""
        return self._trials[0].at_ns if self._trials else None

    def has_room(self, trial: Trial) -> bool:
        """Tell whether a trial fits."""
        trials = self._trials
        if not trials:
            return True
        return len(trials) < self._most and self._bytes + len(trial.case.review.body) <= self._most_bytes

    def put(self, trial: Trial, at_ns: int) -> None:
        """Add a trial that came at this time, and fits."""
        case = trial.case
        body = case.review.body
        is_kept = not body or (len(self._trials) < _DECODED_TRIALS and len(body) <= _DECODED_BYTES)
        self._trials.append(
            WaitingTrial(
                trial.rollout,
                trial.mode,
                trial.candidate,
                trial.stable,
                trial.exceptions,
                body,
                case.rules,
                at_ns,
                case if is_kept else None,
            )
        )
        self._bytes += len(body)

    @property
    def oldest(self) -> WaitingTrial:
        """The trial whose turn it is; IndexError when there is none."""
        return self._trials[0]

    def remove_oldest(self) -> None:
        """Be done with it."""
        self._bytes -= len(self._trials.popleft().body)
