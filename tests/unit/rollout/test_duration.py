import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.rollout.duration import abbreviate_duration, describe_duration, format_duration, parse_duration
from webhook.rollout.errors import InvalidDuration

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("72h", 259_200), ("1h30m", 5_400), ("90s", 90), ("1.5h", 5_400), ("0", 0), ("0s", 0), (".5m", 30),
        ("+2m", 120), ("3d", 259_200), ("1w", 604_800), ("1d12h", 129_600), (90, 90), ("90", 90), (" 5m ", 300),
        ("1h0m0s", 3_600), ("2.s", 2),
    ],
)  # fmt: skip
def test_every_form_that_kubernetes_and_its_users_write_is_read(text: str | int, seconds: int) -> None:
    assert parse_duration(text) == seconds * SECOND


@pytest.mark.parametrize(
    ("text", "nanoseconds"), [("250ms", 250_000_000), ("3us", 3_000), ("3µs", 3_000), ("7ns", 7)]
)
def test_parts_of_a_second_are_exact(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    ["", "h", "3 days", "1h 30m", "1e3s", "-5m", -1, "1y", "abc", "٣h", "1h;", "9" * 30 + "h", "300000d", True, None, 1.5],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(InvalidDuration, match=r"is no duration; write|is negative|is longer than 292 years"):
        parse_duration(text)


@given(st.integers(0, 2**63 - 1))
def test_what_is_written_is_read_back(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (187_200, "2 days 4 hours"), (86_400, "1 day"), (35, "35 seconds"), (3_661, "1 hour 1 minute"),
        (0, "less than a second"), (90_001, "1 day 1 hour"), (86_401, "1 day"),
    ],
)  # fmt: skip
def test_a_person_is_told_the_two_largest_units(seconds: int, words: str) -> None:
    assert describe_duration(seconds * SECOND) == words


@pytest.mark.parametrize(
    ("seconds", "text"), [(187_200, "2d4h"), (86_400, "1d"), (35, "35s"), (3_661, "1h1m"), (0.4, "0s")]
)
def test_a_narrow_column_has_them_abbreviated(seconds: float, text: str) -> None:
    assert abbreviate_duration(round(seconds * SECOND)) == text
