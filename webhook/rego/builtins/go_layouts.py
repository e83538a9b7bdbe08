"""Times as Go's `time` package writes and reads them by a layout, an example such as `Jan 2, 2006 at 3:04pm (MST)`.

Knows the calendar only through the fields of `Moment`. Source: https://pkg.go.dev/time#pkg-constants
"""

import re
from dataclasses import dataclass

from webhook.rego.builtins.caches import cached_by_text

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

NAMED_LAYOUTS = {
    "ANSIC": "Mon Jan _2 15:04:05 2006",
    "UnixDate": "Mon Jan _2 15:04:05 MST 2006",
    "RubyDate": "Mon Jan 02 15:04:05 -0700 2006",
    "RFC822": "02 Jan 06 15:04 MST",
    "RFC822Z": "02 Jan 06 15:04 -0700",
    "RFC850": "Monday, 02-Jan-06 15:04:05 MST",
    "RFC1123": "Mon, 02 Jan 2006 15:04:05 MST",
    "RFC1123Z": "Mon, 02 Jan 2006 15:04:05 -0700",
    "RFC3339": "2006-01-02T15:04:05Z07:00",
    "RFC3339Nano": "2006-01-02T15:04:05.999999999Z07:00",
}

_ELEMENT = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|002|0[1-6]|15|1|(?<=_)2006|__2|_2(?!006)|2|3|4|5|PM|pm"
    r"|[-Z]07(?:0000|:00:00|00|:00)?|[.,](?:0+|9+)(?!\d)"
)
_OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?", re.ASCII)
_ZONE_NAME = re.compile(r"ChST|MeST|GMT(?:[+-]\d{1,2})?|WITA|[A-Z]{4}T|[A-Z]{3}T|[A-Z]{3}|[+-]\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in some place, by the calendar and clock of that place."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    nanosecond: int
    weekday: int
    """0 is Monday."""
    year_day: int
    """1 is the first of January."""
    offset_seconds: int
    """Seconds east of Greenwich."""
    zone: str
    """Abbreviation of the zone's name."""


@dataclass(slots=True)
class Parsed:
    """What a text says about a time; what it does not say is as Go has it."""

    year: int = 0
    month: int | None = None
    day: int | None = None
    year_day: int | None = None
    hour: int = 0
    minute: int = 0
    second: int = 0
    nanosecond: int = 0
    afternoon: bool | None = None
    offset_seconds: int | None = None
    zone: str = ""


class LayoutError(Exception):
    """A text does not follow its layout."""


@cached_by_text(256)
def split_layout(layout: str) -> tuple[tuple[str, str], ...]:
    """Split a layout into pairs of literal text and the element that follows it; the last element is empty."""
    parts = []
    position = 0
    for found in _ELEMENT.finditer(layout):
        parts.append((layout[position : found.start()], found.group()))
        position = found.end()
    parts.append((layout[position:], ""))
    return tuple(parts)


def format_moment(moment: Moment, layout: str) -> str:
    """Write a time by a layout."""
    return "".join(
        literal + (_written(moment, element) if element else "") for literal, element in split_layout(layout)
    )


def _written(moment: Moment, element: str) -> str:
    if element[0] in ".,":
        return _fraction(moment, element)
    if element[0] in "-Z" and element != "Z":
        return _offset(moment, element)
    twelve = moment.hour % 12 or 12
    month, weekday = MONTHS[moment.month - 1], DAYS[moment.weekday]
    return {
        "January": month,
        "Jan": month[:3],
        "Monday": weekday,
        "Mon": weekday[:3],
        "MST": moment.zone,
        "2006": f"{moment.year:04}",
        "06": f"{moment.year % 100:02}",
        "01": f"{moment.month:02}",
        "1": str(moment.month),
        "02": f"{moment.day:02}",
        "_2": f"{moment.day:2}",
        "2": str(moment.day),
        "002": f"{moment.year_day:03}",
        "__2": f"{moment.year_day:3}",
        "15": f"{moment.hour:02}",
        "03": f"{twelve:02}",
        "3": str(twelve),
        "04": f"{moment.minute:02}",
        "4": str(moment.minute),
        "05": f"{moment.second:02}",
        "5": str(moment.second),
        "PM": "PM" if moment.hour >= 12 else "AM",
        "pm": "pm" if moment.hour >= 12 else "am",
    }[element]


def _fraction(moment: Moment, element: str) -> str:
    digits = f"{moment.nanosecond:09}".ljust(len(element) - 1, "0")[: len(element) - 1]
    if element[1] == "9":
        digits = digits.rstrip("0")
        if not digits:
            return ""
    return element[0] + digits


def _offset(moment: Moment, element: str) -> str:
    if element[0] == "Z" and moment.offset_seconds == 0:
        return "Z"
    hours, rest = divmod(abs(moment.offset_seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    colon = ":" if ":" in element else ""
    text = f"{'-' if moment.offset_seconds < 0 else '+'}{hours:02}"
    if len(element) > len("-07"):
        text += f"{colon}{minutes:02}"
    if len(element) > len("-07:00"):
        text += f"{colon}{seconds:02}"
    return text


def parse_moment(layout: str, text: str) -> Parsed:
    """Read a time by a layout.

    Raises:
        LayoutError: the text does not follow the layout.

    """
    return _Reader(layout, text).read()


class _Reader:
    """Takes a text apart, element by element of its layout."""

    def __init__(self, layout: str, text: str) -> None:
        self.layout = layout
        self.text = text
        self.rest = text
        self.result = Parsed()

    def read(self) -> Parsed:
        parts = split_layout(self.layout)
        for index, (literal, element) in enumerate(parts):
            self._literal(literal)
            if not element:
                break
            following = parts[index + 1]
            self._element(element, "" if following[0] else following[1])
        if self.rest:
            raise LayoutError(f'parsing time "{self.text}": extra text: "{self.rest}"')
        return self.result

    def _literal(self, literal: str) -> None:
        """Skip literal text; a space in it stands for any number of spaces."""
        for character in literal:
            if character == " ":
                if self.rest and self.rest[0] != " ":
                    raise self._mistake(literal)
                self.rest = self.rest.lstrip(" ")
            elif self.rest[:1] == character:
                self.rest = self.rest[1:]
            else:
                raise self._mistake(literal)

    def _element(self, element: str, following: str) -> None:
        result = self.result
        if element in ("January", "Jan"):
            result.month = 1 + self._name(element, MONTHS, short=element == "Jan")
        elif element in ("Monday", "Mon"):
            self._name(element, DAYS, short=element == "Mon")
        elif element in ("PM", "pm"):
            self._half(element)
        elif element == "MST":
            self._zone(element)
        elif element[0] in "-Z":
            self._offset(element)
        elif element[0] in ".,":
            self._fraction(element)
        else:
            self._number(element)
            if element in ("5", "05") and following[:1] not in (".", ","):
                self._unasked_fraction()

    def _number(self, element: str) -> None:
        result = self.result
        if element == "2006":
            result.year = self._digits(element, 4, 4)
        elif element == "06":
            year = self._digits(element, 2, 2)
            result.year = year + (1900 if year >= 69 else 2000)
        elif element in ("1", "01"):
            result.month = self._digits(element, len(element), 2, 1, 12)
        elif element in ("2", "_2", "02"):
            self._blanks(element)
            result.day = self._digits(element, 2 if element == "02" else 1, 2)
        elif element in ("002", "__2"):
            self._blanks(element)
            result.year_day = self._digits(element, 3 if element == "002" else 1, 3)
        elif element == "15":
            result.hour = self._digits(element, 1, 2, 0, 23)
        elif element in ("3", "03"):
            result.hour = self._digits(element, len(element), 2, 0, 12)
        elif element in ("4", "04"):
            result.minute = self._digits(element, len(element), 2, 0, 59)
        else:
            result.second = self._digits(element, len(element), 2, 0, 59)

    def _blanks(self, element: str) -> None:
        for _ in range(element.count("_")):
            self.rest = self.rest.removeprefix(" ")

    def _digits(self, element: str, least: int, most: int, low: int = 0, high: int = 9999) -> int:
        count = 0
        while (
            count < most and self.rest[count : count + 1].isascii() and self.rest[count : count + 1].isdigit()
        ):
            count += 1
        if count < least:
            raise self._mistake(element)
        number = int(self.rest[:count])
        if not low <= number <= high:
            raise LayoutError(f'parsing time "{self.text}": {element} out of range')
        self.rest = self.rest[count:]
        return number

    def _name(self, element: str, names: tuple[str, ...], *, short: bool) -> int:
        for index, full in enumerate(names):
            name = full[:3] if short else full
            if self.rest[: len(name)].lower() == name.lower():
                self.rest = self.rest[len(name) :]
                return index
        raise self._mistake(element)

    def _half(self, element: str) -> None:
        half = self.rest[:2]
        if half not in (("AM", "PM") if element == "PM" else ("am", "pm")):
            raise self._mistake(element)
        self.result.afternoon = half.lower() == "pm"
        self.rest = self.rest[2:]

    def _zone(self, element: str) -> None:
        if self.rest.startswith("UTC"):
            self.result.offset_seconds, self.rest = 0, self.rest[3:]
            return
        found = _ZONE_NAME.match(self.rest)
        if found is None:
            raise self._mistake(element)
        self.result.zone = found.group()
        self.rest = self.rest[found.end() :]

    def _offset(self, element: str) -> None:
        if element[0] == "Z" and self.rest.startswith("Z"):
            self.result.offset_seconds, self.rest = 0, self.rest[1:]
            return
        width = len(element)
        found = _OFFSET.fullmatch(self.rest[:width])
        if found is None or (":" in element) != (":" in self.rest[:width]):
            raise self._mistake(element)
        sign, *numbers = found.groups("0")
        hours, minutes, seconds = map(int, numbers)
        if hours > 24 or minutes >= 60 or seconds >= 60:
            raise LayoutError(f'parsing time "{self.text}": time zone offset out of range')
        total = hours * 3600 + minutes * 60 + seconds
        self.result.offset_seconds = -total if sign == "-" else total
        self.rest = self.rest[width:]

    def _fraction(self, element: str) -> None:
        if element[1] == "9":
            self._unasked_fraction()
            return
        digits = self.rest[1 : len(element)]
        if self.rest[:1] not in (".", ",") or len(digits) != len(element) - 1 or not digits.isdigit():
            raise self._mistake(element)
        self._take_fraction(digits)

    def _unasked_fraction(self) -> None:
        """Take a fraction of a second where the text has one."""
        found = re.match(r"[.,](\d+)", self.rest, re.ASCII)
        if found:
            self._take_fraction(found[1])

    def _take_fraction(self, digits: str) -> None:
        self.result.nanosecond = int(digits[:9].ljust(9, "0"))
        self.rest = self.rest[1 + len(digits) :]

    def _mistake(self, element: str) -> LayoutError:
        return LayoutError(
            f'parsing time "{self.text}" as "{self.layout}": cannot parse "{self.rest}" as "{element}"'
        )
