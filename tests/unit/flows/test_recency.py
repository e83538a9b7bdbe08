from hypothesis import given
from hypothesis import strategies as st

from webhook.flows.recency import RecentSet


@given(st.integers(1, 8), st.lists(st.integers(0, 20)))
def test_the_last_items_are_remembered_and_memory_is_bounded(capacity: int, items: list[int]) -> None:
    recent = RecentSet(capacity)
    for index, item in enumerate(items):
        recent.add(item)
        last = items[: index + 1][-capacity:]
        assert all(known in recent for known in last)
        assert len(recent) <= 2 * capacity


def test_what_was_cleared_is_forgotten() -> None:
    recent = RecentSet(2)
    recent.update("abc")
    recent.clear()
    assert not any(item in recent for item in "abc")
