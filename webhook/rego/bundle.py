"""The bundle that `opa build -t plan` writes: a gzipped tar file with a plan and its data.

Owns unpacking, in memory and within limits. Must not know how a plan is decoded, optimised or run.
The form is described at https://www.openpolicyagent.org/docs/management-bundles.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
from dataclasses import dataclass
from typing import Final

import msgspec

from webhook.rego import ir
from webhook.rego.planfile import load_plan, refusal
from webhook.rego.values import Value

MAX_BUNDLE_BYTES: Final = 64 * 1024 * 1024
"""Largest sum of unpacked file sizes that a bundle may have."""
MAX_BUNDLE_FILES: Final = 10_000
"""Most files that a bundle may have."""


@dataclass(frozen=True, slots=True)
class PlanBundle:
    """What a plan bundle holds."""

    policy: ir.Policy
    data: dict[str, Value]
    """The base documents, each file below the path of its folder."""


def load_plan_bundle(archive: bytes) -> PlanBundle:
    """Unpack a plan bundle (a gzipped tar file) in memory and decode its plan and data.

    Raises:
        CompileError: the archive, the plan or a data file is malformed or too large, or there is no plan.

    """
    files = _unpack(archive)
    plan = files.get("plan.json")
    if plan is None:
        raise refusal("the bundle has no plan.json; build it with `opa build -t plan`")
    data: dict[str, Value] = {}
    for path, content in sorted(files.items()):
        folder, name = posixpath.split(path)
        if name == "data.json":
            _insert(data, folder.split("/") if folder else [], _decode(content, path), path)
    return PlanBundle(load_plan(plan), data)


def _decode(content: bytes, path: str) -> Value:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusal(f"{path}: {error}") from None


def _unpack(archive: bytes) -> dict[str, bytes]:
    """Give the regular files of a gzipped tar file by their normalised path."""
    files: dict[str, bytes] = {}
    budget = MAX_BUNDLE_BYTES
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content is None:
                    continue
                budget -= member.size
                if budget < 0 or len(files) >= MAX_BUNDLE_FILES:
                    raise refusal(
                        f"the bundle is larger than {MAX_BUNDLE_BYTES} bytes or {MAX_BUNDLE_FILES} files"
                    )
                files[posixpath.normpath("/" + member.name).lstrip("/")] = content.read()
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise refusal(f"the bundle is not a gzipped tar file: {error}") from None
    return files


def _insert(data: dict[str, Value], folder: list[str], document: Value, path: str) -> None:
    """Merge one data file below the path of its folder."""
    for part in reversed(folder):
        document = {part: document}
    if not isinstance(document, dict):
        raise refusal(f"{path}: the data of a bundle's root must be an object")
    _merge(data, document, path)


def _merge(target: dict[str, Value], source: dict[str, Value], path: str) -> None:
    for key, value in source.items():
        if key not in target:
            target[key] = value
        elif isinstance(value, dict) and isinstance(target[key], dict):
            _merge(target[key], value, path)
        else:
            raise refusal(f"{path}: {key!r} is already defined by another data file")
