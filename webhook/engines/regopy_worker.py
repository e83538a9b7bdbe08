"""The program inside the regopy subprocess: loads modules once, then answers queries one at a time.

Runs as `python -m webhook.engines.regopy_worker` with an empty environment. Frames on standard input and output
are a 4-byte big-endian length and a JSON document. Nothing of Gradate is imported here, and nothing else
of Gradate imports regopy: a crash of the engine ends this process and no other.
"""

import json
import os
import resource
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

_LENGTH = struct.Struct(">I")
# The engine reserves more address space than any useful rlimit, so memory is the kernel's to judge:
# this process is the first that it kills.
_MOST_EXPENDABLE = "1000"


def main() -> int:
    """Serve frames until standard input closes."""
    frames_in = os.fdopen(os.dup(0), "rb", buffering=0)
    frames_out = os.fdopen(os.dup(1), "wb", buffering=0)
    # The engine prints diagnostics to standard output, which would corrupt the frames.
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silence, descriptor)
    Path("/proc/self/oom_score_adj").write_text(_MOST_EXPENDABLE, encoding="ascii")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    setup = _read(frames_in)
    if setup is None:
        return 0
    interpreter, problem = _load(setup)
    _write(frames_out, {"error": problem} if problem else {"ready": True})
    while (request := _read(frames_in)) is not None:
        _write(frames_out, _answer(interpreter, request))
    return 0


def _load(setup: dict[str, Any]) -> tuple[Any, str | None]:
    from regopy import Interpreter  # noqa: PLC0415 (after the limits are set)

    interpreter = Interpreter()
    try:
        for path, text in setup["modules"]:
            interpreter.add_module(path, text)
        if setup.get("data"):
            interpreter.add_data(setup["data"])
        # A module's errors can appear with the first query only.
        interpreter.query("true")
    except Exception as error:  # noqa: BLE001 (whatever the engine raises is its answer)
        return interpreter, _first_line(error)
    return interpreter, None


def _answer(interpreter: Any, request: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    try:
        if "input" in request:
            interpreter.set_input(request["input"])
        for query in request["queries"]:
            output = interpreter.query(query)
            if not output.ok():
                return {"error": _first_line(output)}
            expressions = output.results[0].expressions if output.results else []
            if expressions:
                values[query] = expressions[0]
    except Exception as error:  # noqa: BLE001 (whatever the engine raises is its answer)
        return {"error": _first_line(error)}
    return {"values": values}


def _first_line(problem: object) -> str:
    text = " ".join(str(problem).split())
    return text[:500] or type(problem).__name__


def _read(stream: BinaryIO) -> dict[str, Any] | None:
    head = _read_exactly(stream, _LENGTH.size)
    if head is None:
        return None
    body = _read_exactly(stream, _LENGTH.unpack(head)[0])
    return None if body is None else json.loads(body)


def _read_exactly(stream: BinaryIO, size: int) -> bytes | None:
    parts: list[bytes] = []
    while size:
        part = stream.read(size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(stream: BinaryIO, document: dict[str, Any]) -> None:
    body = json.dumps(document, separators=(",", ":")).encode()
    stream.write(_LENGTH.pack(len(body)) + body)


if __name__ == "__main__":
    sys.exit(main())
