from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rego_builtins import LATE_2023_NS, call, failure

INSTANTS = st.integers(-(2**63) + 10**9, 2**63 - 10**9)
NOON_NS = 1_704_110_400_000_000_000  # Monday, 2024-01-01T12:00:00Z


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("", "2024-03-09T07:05:03.012Z"),
        ("RFC3339", "2024-03-09T07:05:03Z"),
        ("ANSIC", "Sat Mar  9 07:05:03 2024"),
        ("RFC1123Z", "Sat, 09 Mar 2024 07:05:03 +0000"),
        ("RFC850", "Saturday, 09-Mar-24 07:05:03 UTC"),
        ("2006-01-02", "2024-03-09"),
        ("Jan _2 06 3:04PM", "Mar  9 24 7:05AM"),
        ("January 2, Monday 15h", "March 9, Saturday 07h"),
        ("002 __2 1 4 5 03 pm", "069  69 3 5 3 07 am"),
        ("15:04:05.000 .999 ,000000", "07:05:03.012 .012 ,012000"),
        ("15:04:05.999999", "07:05:03.012"),
        ("-07 -0700 -07:00 -07:00:00 Z0700 MST", "+00 +0000 +00:00 +00:00:00 Z UTC"),
        ("no elements", "no elements"),
    ],
)
def test_times_are_written_by_layout(layout: str, expected: str) -> None:
    instant = 1_709_967_903_012_000_000
    assert call("time.format", [instant, "UTC", layout]) == expected


def test_times_are_told_in_their_zone() -> None:
    assert call("time.format", [NOON_NS, "America/New_York", "RFC1123Z"]) == "Mon, 01 Jan 2024 07:00:00 -0500"
    assert call("time.format", [NOON_NS, "Asia/Kolkata"]) == "2024-01-01T17:30:00+05:30"
    assert call("time.format", NOON_NS) == "2024-01-01T12:00:00Z"
    assert call("time.date", [NOON_NS, "Pacific/Kiritimati"]) == [2024, 1, 2]
    assert call("time.clock", [NOON_NS, "Europe/Berlin"]) == [13, 0, 0]
    assert call("time.weekday", NOON_NS) == "Monday"
    assert call("time.weekday", [NOON_NS, "Local"]) == "Monday"
    assert call("time.now_ns") == LATE_2023_NS


@pytest.mark.parametrize(
    ("layout", "text", "expected"),
    [
        ("RFC3339", "2024-01-01T12:00:00Z", NOON_NS),
        ("RFC3339", "2024-01-01T14:00:00.5+02:00", NOON_NS + 500_000_000),
        ("RFC3339Nano", "2024-01-01T12:00:00.000000007Z", NOON_NS + 7),
        ("2006-01-02", "2024-01-01", NOON_NS - 12 * 3600 * 10**9),
        ("Jan 2 2006 3PM", "jan 1 2024 12PM", NOON_NS),
        ("Jan 2 2006 3PM", "Jan 1 2024 12AM", NOON_NS - 12 * 3600 * 10**9),
        ("RFC822", "01 Jan 24 12:00 UTC", NOON_NS),
        ("RFC1123", "Mon, 01 Jan 2024 12:00:00 GMT", NOON_NS),
        ("2006-002 15", "2024-001 12", NOON_NS),
        ("2006-01-02 15:04 MST", "2024-01-01 15:00 GMT+3", NOON_NS),
        ("Monday 2006-1-_2 15:04:05", "Friday 2024-1- 1 12:00:00", NOON_NS),
        ("2006-01-02 15:04:05 -0700", "2024-01-01 11:00:00 -0100", NOON_NS),
    ],
)
def test_times_are_read_by_layout(layout: str, text: str, expected: int) -> None:
    assert call("time.parse_ns", layout, text) == expected


@pytest.mark.parametrize(
    ("layout", "text", "words"),
    [
        ("RFC3339", "2024-13-01T00:00:00Z", "out of range"),
        ("RFC3339", "2024-02-30T00:00:00Z", "day out of range"),
        ("RFC3339", "2024-01-01", "cannot parse"),
        ("2006-01-02", "2024-01-01x", "extra text"),
        ("2006-01-02", "1500-01-01", "time outside of valid range"),
        ("15:04", "12:00", "time outside of valid range"),
        ("2006 002", "2023 366", "day-of-year out of range"),
        ("Jan 2006", "Foo 2024", "cannot parse"),
        ("2006 3PM", "2024 3XM", "cannot parse"),
        ("2006 MST", "2024 abc", "cannot parse"),
        ("2006 15:04:05.00", "2024 12:00:00.1", "cannot parse"),
    ],
)
def test_what_does_not_follow_the_layout_is_refused(layout: str, text: str, words: str) -> None:
    assert words in failure("time.parse_ns", layout, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1h15m30.5s", 4_530_500_000_000),
        ("-1.5h", -5_400_000_000_000),
        ("300ms", 300_000_000),
        ("2us3ns", 2003),
        ("1µs", 1000),
        ("0", 0),
        (".5s", 500_000_000),
    ],
)
def test_durations_are_read(text: str, expected: int) -> None:
    assert call("time.parse_duration_ns", text) == expected


@pytest.mark.parametrize("text", ["", "1", "1x", "s", "-", "1h ", "99999999h", "1h2", ".s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    assert "duration" in failure("time.parse_duration_ns", text)


@pytest.mark.parametrize(
    ("operand", "more", "expected"),
    [
        (NOON_NS, (1, 2, 3), "2025-03-04T12:00:00Z"),
        ([1_706_702_400_000_000_000, "UTC"], (0, 1, 0), "2024-03-02T12:00:00Z"),
        (NOON_NS, (0, -13, 0), "2022-12-01T12:00:00Z"),
        (NOON_NS, (0, 0, 366), "2025-01-01T12:00:00Z"),
        ([1_710_061_200_000_000_000, "America/New_York"], (0, 0, 1), "2024-03-11T09:00:00Z"),
    ],
)
def test_dates_are_added_by_the_calendar(operand: Any, more: tuple[int, int, int], expected: str) -> None:
    assert call("time.format", call("time.add_date", operand, *more)) == expected


def test_dates_beyond_the_range_of_instants_are_refused() -> None:
    assert "time outside of valid range" in failure("time.add_date", NOON_NS, 300, 0, 0)
    assert "time outside of valid range" in failure("time.add_date", NOON_NS, 10**15, 0, 0)
    assert "time outside of valid range" in failure("time.add_date", NOON_NS, 0, 0, -(10**15))


def test_the_time_between_two_instants_has_no_direction() -> None:
    later = call("time.parse_rfc3339_ns", "2025-03-15T13:01:01Z")
    assert call("time.diff", NOON_NS, later) == [1, 2, 14, 1, 1, 1]
    assert call("time.diff", later, NOON_NS) == [1, 2, 14, 1, 1, 1]
    assert call("time.diff", NOON_NS, [NOON_NS, "Asia/Tokyo"]) == [0] * 6


@pytest.mark.parametrize(
    ("operand", "words"),
    [
        ("x", "must be either number (ns) or [number (ns), string (tz)] but got string"),
        ([], "must be either number"),
        (["x"], "operand 1 must be number but got string"),
        ([1, 2], "operand 1 must be string but got number"),
        (2**63, "timestamp too big"),
        (1.5, "timestamp too big"),
        ([1, "Atlantis/Capital"], "unknown time zone"),
        ([1, "../../etc/passwd"], "unknown time zone"),
    ],
)
def test_what_is_no_time_is_refused(operand: Any, words: str) -> None:
    assert words in failure("time.date", operand)


@given(INSTANTS)
def test_a_written_time_reads_back_the_same(ns: int) -> None:
    assert call("time.parse_rfc3339_ns", call("time.format", ns)) == ns


@given(INSTANTS)
def test_dates_and_clocks_are_pythons(ns: int) -> None:
    moment = datetime.fromtimestamp(ns // 10**9, UTC)
    assert call("time.date", ns) == [moment.year, moment.month, moment.day]
    assert call("time.clock", ns) == [moment.hour, moment.minute, moment.second]
