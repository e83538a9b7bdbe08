"""As much of PromQL as it takes to tell which series and labels an expression uses."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

from webhook.telemetry.exposition import WORKER_LABEL
from webhook.telemetry.vocabulary import METRICS, MetricKind

SCRAPED = frozenset({"job", "instance"})
"""Labels that Prometheus adds to everything it scrapes."""
_FOREIGN = {"up": SCRAPED, "ALERTS": SCRAPED | {"alertname", "alertstate", "severity"}}
_SERIES = re.compile(r"(?<![\w:\"])((?:\w+:)?gradate_[\w:]+|up|ALERTS)\b(?:\s*\{([^}]*)\})?")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"[^\"]*\"")
_GROUPING = re.compile(r"\bby\s*\(([^)]*)\)\s*\(")


@dataclass(frozen=True)
class Use:
    """One place where an expression reads a series."""

    series: str
    labels: frozenset[str]
    """Those that it matches on or groups by."""


def exposed_series() -> dict[str, frozenset[str]]:
    """Give every series of the vocabulary as Prometheus stores it, with its labels."""
    series: dict[str, frozenset[str]] = dict(_FOREIGN)
    for metric in METRICS:
        labels = SCRAPED | set(metric.labels)
        if metric.kind is MetricKind.COUNTER:
            series[f"{metric.name}_total"] = labels
        elif metric.kind is MetricKind.GAUGE:
            series[metric.name] = labels | {WORKER_LABEL}
        else:
            series[f"{metric.name}_bucket"] = labels | {"le"}
            series[f"{metric.name}_count"] = series[f"{metric.name}_sum"] = labels
    return series


def recorded_labels(record: str) -> frozenset[str]:
    """Give the labels of a recorded series, which its name begins with: `job_endpoint:…`."""
    return frozenset(record.partition(":")[0].split("_"))


def uses(expression: str) -> Iterator[Use]:
    """Find every series of an expression, with the labels that are matched and grouped by."""
    groupings = [
        (found.end(), _closing(expression, found.end()), frozenset(_names(found[1])))
        for found in _GROUPING.finditer(expression)
    ]
    for found in _SERIES.finditer(expression):
        matched = set(_MATCHER.findall(found[2] or ""))
        around = (labels for start, end, labels in groupings if start <= found.start() < end)
        yield Use(found[1], frozenset(matched).union(*around))


def mistakes(expression: str, known: Mapping[str, frozenset[str]]) -> list[str]:
    """Say which series or labels of an expression do not exist."""
    wrong = []
    for use in uses(expression):
        if use.series not in known:
            wrong.append(f"{use.series} does not exist")
        elif extra := use.labels - known[use.series]:
            wrong.append(f"{use.series} has no {', '.join(sorted(extra))}")
    return wrong


def _names(text: str) -> list[str]:
    return [name for name in re.split(r"[\s,]+", text) if name]


def _closing(expression: str, start: int) -> int:
    depth = 1
    for place in count(start):
        depth += {"(": 1, ")": -1}.get(expression[place], 0)
        if not depth:
            return place
    raise AssertionError("unreachable")
