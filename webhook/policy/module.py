"""What Gradate needs to know of one Rego module: its package, rules, references and METADATA header."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from webhook.policy.errors import MetadataError, Place, PolicySyntaxError
from webhook.rego.ast import Source


@dataclass(frozen=True, slots=True)
class Header:
    """The METADATA block of a package."""

    line: int
    title: str = ""
    description: str = ""
    related_resources: tuple[tuple[str, str], ...] = ()
    """(ref, description) pairs."""
    custom: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolicyModule:
    """One module, as far as policies are concerned."""

    source: Source
    package: str
    """Dotted, without `data`."""
    rules: frozenset[str]
    """Names of the rules it defines at its top level."""
    references: frozenset[str]
    """Dotted paths below `data` that it refers to, without `data`."""
    header: Header | None = None


def read_module(source: Source) -> PolicyModule:
    """Read a module.

    Raises:
        PolicySyntaxError: it does not parse.
        MetadataError: its header is not what OPA calls metadata.

    """
    text = source.text
    package = re.search(r"^\s*package\s+([\w.]+)", text, re.MULTILINE)
    if package is None:
        raise PolicySyntaxError(f"{source.path}:1: no package")
    code = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    return PolicyModule(
        source=source,
        package=package[1],
        rules=frozenset(re.findall(r"^(?:default\s+)?([a-z_]\w*)\b(?!\.)", code, re.MULTILINE)),
        references=frozenset(re.findall(r"\bdata\.([\w.]+)", code)),
        header=_read_header(source, text[: package.start()]),
    )


def _read_header(source: Source, head: str) -> Header | None:
    lines = head.splitlines()
    try:
        start = next(i for i, line in enumerate(lines) if re.fullmatch(r"#\s*METADATA\s*", line))
    except StopIteration:
        return None
    block = "\n".join(line.lstrip()[1:] for line in lines[start + 1 :] if line.startswith("#"))
    try:
        document = yaml.safe_load(block) or {}
    except yaml.YAMLError as error:
        raise MetadataError(Place(source.path, start + 1), "header", f"not YAML: {error}") from error
    return Header(
        line=start + 1,
        title=str(document.get("title", "")),
        description=str(document.get("description", "")),
        related_resources=tuple(
            (item, "") if isinstance(item, str) else (item["ref"], item.get("description", ""))
            for item in document.get("related_resources", ())
        ),
        custom=document.get("custom") or {},
    )
