"""What was met lately: a set that forgets, for what may be repeated at little cost. Pure."""

from collections.abc import Hashable, Iterable


class RecentSet:
    """Remembers at least the last `capacity` items that were added, and at most twice as many.

    Two plain sets take turns: when the younger is full, the older is forgotten as a whole. So remembering costs
    one look-up in C and no order is kept.
    """

    __slots__ = ("_capacity", "_older", "_younger")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._younger: set[Hashable] = set()
        self._older: set[Hashable] = set()

    def __contains__(self, item: Hashable) -> bool:
        return item in self._younger or item in self._older

    def __len__(self) -> int:
        return len(self._younger | self._older)

    def add(self, item: Hashable) -> None:
        """Remember an item."""
        if len(self._younger) >= self._capacity:
            self._older, self._younger = self._younger, set()
        self._younger.add(item)

    def update(self, items: Iterable[Hashable]) -> None:
        """Remember items."""
        for item in items:
            self.add(item)

    def clear(self) -> None:
        """Forget everything."""
        self._younger.clear()
        self._older.clear()
