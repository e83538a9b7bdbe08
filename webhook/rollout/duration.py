"""Durations as Kubernetes writes them, in whole nanoseconds.

Accepted: Go's form (`72h`, `1h30m`, `90s`, `1.5h`, `250ms`, `0`), which is what Kubernetes fields of type
`metav1.Duration` take; days and weeks (`3d`, `2w`), which Go does not know but people write, a day being
exactly 24 hours; and a bare whole number, which is seconds as in Argo Rollouts. A negative duration means
nothing here and is refused.

Source: https://pkg.go.dev/time#ParseDuration
"""

import re
from fractions import Fraction

from webhook.rollout.errors import InvalidDuration

MICROSECOND_NS = 1_000
MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS

_UNITS = {
    "ns": 1,
    "us": MICROSECOND_NS,
    "µs": MICROSECOND_NS,  # micro sign
    "μs": MICROSECOND_NS,  # Greek mu
    "ms": MILLISECOND_NS,
    "s": SECOND_NS,
    "m": MINUTE_NS,
    "h": HOUR_NS,
    "d": DAY_NS,
    "w": 7 * DAY_NS,
}
_TERM = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)", re.ASCII)
_LARGEST_NS = 2**63 - 1  # what Go's time.Duration and a 64-bit column hold, 292 years


def parse_duration(text: str | int) -> int:
    """Read a duration, in nanoseconds, rounded down.

    Raises:
        InvalidDuration: not a duration, negative, or longer than 292 years.

    """
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise InvalidDuration(f"{text!r} is no duration; write `72h`, `1h30m`, `90s` or `3d`")
    if isinstance(text, int) or re.fullmatch(r"[+-]?\d{1,20}", text.strip(), re.ASCII):
        nanoseconds = int(text) * SECOND_NS
    else:
        nanoseconds = _sum_terms(text.strip())
    if nanoseconds < 0:
        raise InvalidDuration(f"{text!r} is negative; a duration is 0 or more")
    if nanoseconds > _LARGEST_NS:
        raise InvalidDuration(f"{text!r} is longer than 292 years")
    return nanoseconds


def _sum_terms(text: str) -> int:
    digits = text.removeprefix("+").removeprefix("-")
    sign = -1 if text.startswith("-") else 1
    position, total = 0, Fraction(0)
    while term := _TERM.match(digits, position):
        total += Fraction(term[1]) * _UNITS[term[2]]
        position = term.end()
    if not position or position != len(digits) or len(text) > 100:
        raise InvalidDuration(f"{text[:100]!r} is no duration; write `72h`, `1h30m`, `90s` or `3d`")
    return sign * int(total)


def format_duration(nanoseconds: int) -> str:
    """Write a duration so that `parse_duration` reads the same back: `72h`, `1h30m`, `0s`."""
    if nanoseconds < 0:
        return f"-{format_duration(-nanoseconds)}"
    hours, rest = divmod(nanoseconds, HOUR_NS)
    minutes, rest = divmod(rest, MINUTE_NS)
    parts = [f"{hours}h"] if hours else []
    parts += [f"{minutes}m"] if minutes else []
    if rest or not parts:
        seconds, fraction = divmod(rest, SECOND_NS)
        parts.append(f"{seconds}.{fraction:09d}".rstrip("0").rstrip(".") + "s")
    return "".join(parts)


def describe_duration(nanoseconds: int) -> str:
    """Say a duration to a person, in its two largest units: `2 days 4 hours`, `35 seconds`."""
    parts = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in _largest_units(nanoseconds)]
    return " ".join(parts) or "less than a second"


def abbreviate_duration(nanoseconds: int) -> str:
    """Write a duration for a narrow column, as `kubectl get` does, in its two largest units: `2d4h`, `35s`."""
    return "".join(f"{count}{unit[0]}" for count, unit in _largest_units(nanoseconds)) or "0s"


def _largest_units(nanoseconds: int) -> list[tuple[int, str]]:
    """Give how many of its two largest units a duration has; none when it is shorter than a second."""
    found: list[tuple[int, str]] = []
    rest = max(nanoseconds, 0)
    for unit, length_ns in (("day", DAY_NS), ("hour", HOUR_NS), ("minute", MINUTE_NS), ("second", SECOND_NS)):
        count, remainder = divmod(rest, length_ns)
        if count and len(found) < 2:
            found.append((count, unit))
            rest = remainder
        elif found:
            break
    return found
