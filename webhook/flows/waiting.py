"""Trials that wait for the journal: a queue bounded in number and in memory. Pure."""

from collections import deque

from webhook.flows.trial import Trial


class TrialQueue:
    """First in, first out; what does not fit is turned away."""

    __slots__ = ("_bytes", "_most", "_most_bytes", "_trials")

    def __init__(self, most: int, most_bytes: int) -> None:
        """Take the largest number of trials, and the largest sum of the bodies that their requests came from.

        One trial fits always, however large it is.
        """
        self._most = most
        self._most_bytes = most_bytes
        self._trials: deque[tuple[Trial, int]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._trials)

    @property
    def oldest_ns(self) -> int | None:
        """When the oldest trial came; None when there is none."""
        return self._trials[0][1] if self._trials else None

    def put(self, trial: Trial, at_ns: int) -> bool:
        """Add a trial that came at this time; False when there is no room."""
        held_bytes = self._bytes + trial.case.review.size_bytes
        if self._trials and (held_bytes > self._most_bytes or len(self._trials) >= self._most):
            return False
        self._trials.append((trial, at_ns))
        self._bytes = held_bytes
        return True

    def take(self) -> tuple[Trial, int]:
        """Remove the oldest trial; give it with the time at which it came.

        Raises:
            IndexError: there is none.

        """
        trial, at_ns = self._trials.popleft()
        self._bytes -= trial.case.review.size_bytes
        return trial, at_ns
