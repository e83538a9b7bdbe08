"""Policy and data files from the command line: what `-d` and test paths mean.

Owns OPA's loading rules: modules are the `*.rego` files below a folder; `data.json` and `data.yaml` go into the data
document at the path of their folder; a file named by itself goes to the root, or where its prefix says
(`users.admins:list.json`). Must not know what the files are loaded for.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from webhook.ports.source import SourceError
from webhook.rego.ast import Module, Source
from webhook.rego.builtins.failures import BuiltinError, LimitError
from webhook.rego.builtins.json_text import read_json
from webhook.rego.builtins.yaml_text import read_yaml
from webhook.rego.errors import CompileError, Diagnostic
from webhook.rego.parser import VersionChoice, parse_module

DATA_FILES: Final = frozenset({"data.json", "data.yaml", "data.yml"})
FILE_LIMIT_BYTES: Final = 64 * 1024 * 1024

_YAML_SUFFIXES: Final = frozenset({".yaml", ".yml"})


@dataclass(frozen=True, slots=True)
class PolicyFiles:
    """What was loaded."""

    sources: tuple[Source, ...]
    data: dict[str, Any]
    """The base documents."""


def load_policy_files(paths: Iterable[str]) -> PolicyFiles:
    """Load files and folders; names that begin with a dot are passed over in folders.

    Raises:
        SourceError: a path is missing, unreadable or of no known kind, or two data files contradict each other.
        CompileError: a module is not UTF-8.

    """
    sources: dict[str, Source] = {}
    data: dict[str, Any] = {}
    origins: dict[tuple[str, ...], str] = {}
    for argument in paths:
        prefix, path = _split_prefix(argument)
        for file, folder in _files(path):
            if file.suffix == ".rego":
                sources.setdefault(str(file), Source.decode(str(file), _read(file)))
            else:
                _merge(data, _nested((*prefix, *folder), _document(file)), str(file), (), origins)
    return PolicyFiles(tuple(sources[path] for path in sorted(sources)), data)


def parse_sources(sources: Iterable[Source], version: VersionChoice) -> list[Module]:
    """Parse modules.

    Raises:
        CompileError: with what is wrong in all of them.

    """
    modules: list[Module] = []
    diagnostics: list[Diagnostic] = []
    for source in sources:
        try:
            modules.append(parse_module(source, version=version))
        except CompileError as error:
            diagnostics += error.diagnostics
    if diagnostics:
        raise CompileError(tuple(diagnostics))
    return modules


def read_document(path: Path) -> Any:
    """Read a JSON or YAML file, such as an input.

    Raises:
        SourceError: it is missing, unreadable or malformed.

    """
    return _document(path)


def _split_prefix(argument: str) -> tuple[tuple[str, ...], Path]:
    """Split `a.b:path` into the place in the data document and the path."""
    prefix, separator, rest = argument.partition(":")
    if separator and rest and not Path(argument).exists() and all(map(str.isidentifier, prefix.split("."))):
        segments = tuple(prefix.split("."))
        return segments[1:] if segments[0] == "data" else segments, Path(rest)
    return (), Path(argument)


def _files(path: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Give the files that a path stands for, each with its folder below the path."""
    if path.is_file():
        if path.suffix not in {".rego", ".json", *_YAML_SUFFIXES}:
            raise SourceError(f"{path}: neither a module (.rego) nor data (.json, .yaml)")
        yield path, ()
        return
    if not path.is_dir():
        raise SourceError(f"{path}: no such file or folder")
    for directory, folders, names in os.walk(path, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name in DATA_FILES or (name.endswith(".rego") and not name.startswith(".")):
                file = Path(directory, name)
                yield file, file.relative_to(path).parts[:-1]


def _refuse(error: OSError) -> None:
    raise SourceError(f"{error.filename}: cannot read the folder: {error.strerror}") from error


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > FILE_LIMIT_BYTES:
            raise SourceError(f"{path}: larger than {FILE_LIMIT_BYTES // 1024**2} MiB")
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot read the file: {error.strerror or error}") from error


def _document(path: Path) -> Any:
    content = _read(path)
    try:
        text = content.decode("utf-8-sig")
        if path.suffix in _YAML_SUFFIXES:
            return read_yaml(text, _take_any_time)
        return read_json(text)
    except (BuiltinError, LimitError, ValueError, RecursionError) as error:
        if path.suffix in _YAML_SUFFIXES:
            raise SourceError(f"{path}: not a YAML document: {error}") from error
        raise SourceError(f"{path}{_place_in_json(content)}: not a JSON document: {error}") from error


def _take_any_time() -> None:
    """Stop nothing: the files are the user's own, and limited in size."""


def _place_in_json(content: bytes) -> str:
    """Give `:row:column` of where JSON text goes wrong; nothing when it is not known."""
    try:
        json.loads(content)
    except json.JSONDecodeError as error:
        return f":{error.lineno}:{error.colno}"
    except (ValueError, RecursionError):
        pass
    return ""


def _nested(folder: Sequence[str], document: Any) -> Any:
    for segment in reversed(folder):
        document = {segment: document}
    return document


def _merge(
    target: dict[str, Any],
    document: Any,
    file: str,
    place: tuple[str, ...],
    origins: dict[tuple[str, ...], str],
) -> None:
    """Put a document into the tree; where two files say something about one place, both must be objects."""
    if not isinstance(document, dict):
        raise SourceError(f"{file}: the document at data must be an object")
    for key, value in document.items():
        here = (*place, str(key))
        if key not in target:
            target[key] = value
            origins[here] = file
        elif isinstance(target[key], dict) and isinstance(value, dict):
            _merge(target[key], value, file, here, origins)
        else:
            known = next(
                (origins[here[:end]] for end in range(len(here), 0, -1) if here[:end] in origins), ""
            )
            raise SourceError(f"{file}: data.{'.'.join(here)} is already given by {known}")
