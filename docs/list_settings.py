"""Writes docs/configuration.md from the settings' groups, their defaults and docstrings; `make docs` runs it."""

import ast
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from webhook.settings import groups
from webhook.settings.groups import Group, Settings
from webhook.settings.loader import environment_name

PAGE = Path(__file__).with_name("configuration.md")
_KIBI = 1024

_INTRODUCTION = """# Settings

Written by `make docs` from `webhook/settings/groups.py`.

Settings come from one YAML file, the environment and flags; a later one wins over an earlier one. The file is the one
that `--config` names, or else `gradate.yaml` in the working directory if there is one. Environment variables hold text
as it stands where text is asked for, and otherwise YAML, so a list is `[a, b]`. A key that does not exist is refused,
with the nearest one that does.

```sh
gradate config check    # exit code 2 and one line, when something is wrong
gradate config show     # every setting in force, and where its value comes from
```

A process reads its settings when it starts; policies and certificates are read again whenever their files change.
Durations are seconds unless the name says otherwise, paths are relative to the working directory.
"""


def list_settings() -> str:
    """Give the page."""
    texts = _docstrings()
    lines = [_INTRODUCTION]
    for field in msgspec.structs.fields(Settings):
        group: type[Group] = field.type
        lines += [f"## {field.encode_name}", "", (group.__doc__ or "").strip(), ""]
        lines += ["| setting | default | values | meaning |", "|---|---|---|---|"]
        lines += _rows(field.encode_name, group, texts[group.__name__])
        lines.append("")
    return "\n".join(lines)


def _rows(name: str, group: type[Group], texts: dict[str, str]) -> Iterator[str]:
    hints = typing.get_type_hints(group, include_extras=True)
    for field in msgspec.structs.fields(group):
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        value = "none" if default is None else f"`{msgspec.json.encode(default).decode()}`"
        variable = environment_name((name, field.encode_name))
        cells = (
            f"`{name}.{field.encode_name}`<br>`{variable}`",
            value,
            _describe(hints[field.name]),
            texts[field.name],
        )
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _describe(hint: Any) -> str:
    """Say in words which values a type takes."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        (meta,) = (meta for meta in arguments[1:] if isinstance(meta, msgspec.Meta))
        if meta.pattern is not None:
            return f"`{meta.title}`"
        return ", ".join(filter(None, [_describe(arguments[0]), _limits(meta)]))
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return "list"
    if origin is dict:
        return "mapping"
    if type(None) in arguments:
        return _describe(next(one for one in arguments if one is not type(None)))
    names: dict[Any, str] = {bool: "`true` or `false`", int: "whole number", float: "number", str: "text"}
    return names[hint]


def _limits(meta: msgspec.Meta) -> str:
    bounds = (("above", meta.gt), ("from", meta.ge), ("below", meta.lt), ("to", meta.le))
    return " ".join(f"{word} {_number(bound)}" for word, bound in bounds if bound is not None)


def _number(bound: float) -> str:
    mebi = _KIBI * _KIBI
    return f"{bound // mebi:g} MiB" if bound >= mebi and bound % mebi == 0 else f"{bound:,g}"


def _docstrings() -> dict[str, dict[str, str]]:
    """Read the texts under the fields, which Python does not keep."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(groups)).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = dict(_fields(node))
    return found


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match text:
                case ast.Expr(value=ast.Constant(value=str(words))):
                    yield field.target.id, " ".join(words.split())


if __name__ == "__main__":
    PAGE.write_text(list_settings())
    print(f"wrote {PAGE.name}")
