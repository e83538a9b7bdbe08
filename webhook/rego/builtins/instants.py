"""Time: `time.*`. Instants are nanoseconds since 1970 in 64 bits, that is from 1677 to 2262.

Zones come from the time zone database by name; the name of the server's own zone, `Local`, means UTC.
"""

import datetime as dt
import re
import zoneinfo
from dataclasses import dataclass
from typing import Any

from webhook.rego.builtins.caches import cached_by_text
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.failures import (
    MACHINE_LIMIT,
    BuiltinError,
    LimitError,
    machine_integer,
    wrong_strings,
    wrong_type,
)
from webhook.rego.builtins.go_layouts import (
    DAYS,
    NAMED_LAYOUTS,
    LayoutError,
    Moment,
    Parsed,
    format_moment,
    parse_moment,
)

_MAX_TEXT = 10_000
_SECOND = 1_000_000_000
_EPOCH = dt.date(1970, 1, 1).toordinal()
_UTC_NAMES = frozenset(("", "UTC", "Local"))
_EXPECTED = "either number (ns) or [number (ns), string (tz)]"
_DURATION_PART = re.compile(r"(\d*)(?:\.(\d*))?([^\d.]+)", re.ASCII)
_DURATION_UNITS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": _SECOND,
    "m": 60 * _SECOND,
    "h": 3600 * _SECOND,
}


@dataclass(frozen=True, slots=True)
class _Instant:
    """An operand: when, where and, for `time.format`, how."""

    ns: int
    zone: dt.tzinfo
    layout: str = ""

    def local(self) -> dt.datetime:
        """Give calendar and clock in the zone, without the fraction of a second."""
        return dt.datetime.fromtimestamp(self.ns // _SECOND, self.zone)


def now_ns(context: EvaluationContext) -> int:
    """Give the evaluation's time."""
    return context.now_ns


def parse_ns(layout: Any, value: Any) -> int:
    """Read a time by a layout or the name of one."""
    if type(layout) is not str or type(value) is not str:
        wrong_strings(layout, value)
    _limit_text(layout)
    try:
        parsed = parse_moment(NAMED_LAYOUTS.get(layout, layout), value)
        return _checked(_nanoseconds(parsed, value))
    except LayoutError as error:
        raise BuiltinError(str(error)) from error


def parse_rfc3339_ns(value: Any) -> int:
    """Read a time in the form of RFC 3339."""
    if type(value) is not str:
        wrong_strings(value)
    return parse_ns(NAMED_LAYOUTS["RFC3339"], value)


def _nanoseconds(parsed: Parsed, text: str) -> int:
    """Give the instant that a parsed text means; without a zone it is in UTC."""
    hour = parsed.hour
    if parsed.afternoon is not None:
        hour = hour % 12 + (12 if parsed.afternoon else 0) if hour <= 12 else hour
    offset = parsed.offset_seconds
    if offset is None:
        offset = int(parsed.zone[3:]) * 3600 if parsed.zone[:3] == "GMT" and parsed.zone[3:] else 0
    days = _day_number(parsed, text) - _EPOCH
    seconds = ((days * 24 + hour) * 60 + parsed.minute) * 60 + parsed.second - offset
    return seconds * _SECOND + parsed.nanosecond


def _day_number(parsed: Parsed, text: str) -> int:
    """Give the ordinal of a parsed day.

    Raises:
        LayoutError: there is no such day.
        BuiltinError: the year is beyond what instants can hold.

    """
    if not dt.MINYEAR < parsed.year < dt.MAXYEAR:
        raise BuiltinError("time outside of valid range")
    first = dt.date(parsed.year, 1, 1)
    try:
        if parsed.year_day is None:
            return dt.date(
                parsed.year, parsed.month or 1, parsed.day or (1 if parsed.day is None else 0)
            ).toordinal()
        day = dt.date.fromordinal(first.toordinal() + parsed.year_day - 1)
    except ValueError as error:
        raise LayoutError(f'parsing time "{text}": day out of range') from error
    if day.year != parsed.year:
        raise LayoutError(f'parsing time "{text}": day-of-year out of range')
    if (parsed.month or day.month, parsed.day or day.day) != (day.month, day.day):
        raise LayoutError(f'parsing time "{text}": day-of-year does not match day or month')
    return day.toordinal()


def parse_duration_ns(duration: Any) -> int:
    """Read a duration such as `1h15m30.5s` as nanoseconds."""
    if type(duration) is not str:
        wrong_strings(duration)
    _limit_text(duration)
    negative, rest = duration[:1] == "-", duration[1:] if duration[:1] in ("-", "+") else duration
    if rest == "0":
        return 0
    total = position = 0
    for found in _DURATION_PART.finditer(rest):
        whole, fraction, unit = found.groups("")
        if found.start() != position or not (whole or fraction):
            break
        if unit not in _DURATION_UNITS:
            raise BuiltinError(f'time: unknown unit "{unit}" in duration "{duration}"')
        size = _DURATION_UNITS[unit]
        total += int(whole[:40] or "0") * size
        total += int(fraction[:18] or "0") * size // 10 ** len(fraction[:18])
        position = found.end()
    if not rest or position != len(rest) or total >= MACHINE_LIMIT + negative:
        raise BuiltinError(f'time: invalid duration "{duration}"')
    return -total if negative else total


def _limit_text(text: str) -> None:
    """Refuse a layout or a duration of absurd length: each character of it is work.

    Raises:
        LimitError: it is too long.

    """
    if len(text) > _MAX_TEXT:
        raise LimitError(f"time: a text of {len(text)} characters is over the limit of {_MAX_TEXT}")


def format_time(operand: Any) -> str:
    """Write a time, in RFC 3339 with its fraction unless a layout says otherwise."""
    instant = _instant(operand)
    local = instant.local()
    offset = local.utcoffset() or dt.timedelta()
    moment = Moment(
        local.year,
        local.month,
        local.day,
        local.hour,
        local.minute,
        local.second,
        instant.ns % _SECOND,
        local.weekday(),
        local.timetuple().tm_yday,
        int(offset.total_seconds()),
        local.tzname() or "UTC",
    )
    layout = instant.layout or "RFC3339Nano"
    _limit_text(layout)
    return format_moment(moment, NAMED_LAYOUTS.get(layout, layout))


def date(operand: Any) -> list[int]:
    """Give year, month and day."""
    local = _instant(operand).local()
    return [local.year, local.month, local.day]


def clock(operand: Any) -> list[int]:
    """Give hour, minute and second."""
    local = _instant(operand).local()
    return [local.hour, local.minute, local.second]


def weekday(operand: Any) -> str:
    """Name the day of the week."""
    return DAYS[_instant(operand).local().weekday()]


def add_date(operand: Any, years: Any, months: Any, days: Any) -> int:
    """Add to the calendar; what exceeds a month runs over into the next one."""
    instant = _instant(operand)
    more_years, more_months, more_days = (
        machine_integer(position, value) for position, value in ((2, years), (3, months), (4, days))
    )
    local = instant.local()
    carried, month = divmod(local.month - 1 + more_months, 12)
    year = local.year + more_years + carried
    if not dt.MINYEAR < year < dt.MAXYEAR:
        raise BuiltinError("time outside of valid range")
    ordinal = dt.date(year, month + 1, 1).toordinal() + local.day - 1 + more_days
    if not 366 < ordinal < dt.date.max.toordinal() - 366:
        raise BuiltinError("time outside of valid range")
    moved = dt.datetime.combine(dt.date.fromordinal(ordinal), local.time(), instant.zone)
    return _checked(int(moved.timestamp()) * _SECOND + instant.ns % _SECOND)


def difference(first: Any, second: Any) -> list[int]:
    """Give the time between two instants in years, months, days, hours, minutes and seconds, in the first's zone."""
    earlier, later = _instant(first), _instant(second)
    later = _Instant(later.ns, earlier.zone)
    if earlier.ns > later.ns:
        earlier, later = later, earlier
    start, end = earlier.local(), later.local()
    units = [
        end.year - start.year,
        end.month - start.month,
        end.day - start.day,
        end.hour - start.hour,
        end.minute - start.minute,
        end.second - start.second,
    ]
    sizes = [0, 12, _days_in_month(start), 24, 60, 60]
    for index in range(len(units) - 1, 0, -1):
        if units[index] < 0:
            units[index] += sizes[index]
            units[index - 1] -= 1
    return units


def _days_in_month(day: dt.datetime) -> int:
    following = day.replace(day=28) + dt.timedelta(days=4)
    return (following - dt.timedelta(days=following.day)).day


def _instant(operand: Any) -> _Instant:
    """Read an operand: nanoseconds, or an array of them, a zone and a layout."""
    parts = operand if type(operand) is list else [operand]
    if not parts or (type(operand) is not list and type(operand) is not int and type(operand) is not float):
        raise wrong_type(1, operand, _EXPECTED)
    ns = parts[0]
    if type(ns) is not int:
        if type(ns) is not float:
            raise wrong_type(1, ns, "number")
        if not ns.is_integer():
            raise BuiltinError("timestamp too big")
    if not -MACHINE_LIMIT <= ns < MACHINE_LIMIT:
        raise BuiltinError("timestamp too big")
    for text in parts[1:3]:
        if type(text) is not str:
            raise wrong_type(1, text, "string")
    return _Instant(
        int(ns), _zone(parts[1]) if len(parts) > 1 else dt.UTC, parts[2] if len(parts) > 2 else ""
    )


@cached_by_text(64)
def _zone(name: str) -> dt.tzinfo:
    if name in _UTC_NAMES:
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BuiltinError(f"unknown time zone {name}") from error


def _checked(ns: int) -> int:
    if -MACHINE_LIMIT <= ns < MACHINE_LIMIT:
        return ns
    raise BuiltinError("time outside of valid range")
