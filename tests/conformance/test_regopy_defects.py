"""The known defects of regopy, so that a release which mends one shows it."""

import json
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from webhook.compose.clock import SystemClock
from webhook.engines.errors import EngineCrashedError, EngineRefusedError, EngineTimeoutError
from webhook.engines.regopy_process import RegopyProcess, RegopyProgram
from webhook.rego.ast import Source
from webhook.rego.compiler import compile_modules
from webhook.rego.errors import CompileError
from webhook.rego.texts import to_json
from webhook.rego.values import UNDEFINED

_TABLE = Path(__file__).with_name("regopy_defects.toml")
DEFECTS: list[dict[str, str]] = tomllib.loads(_TABLE.read_text())["defect"]
QUERY = "data.t.a"
_HANG_NS = 1_000_000_000


def read(answer: str) -> Any:
    """Read an answer of the table: JSON, or the name of what happens instead."""
    try:
        return json.loads(answer)
    except ValueError:
        return answer


def ask_gradate(defect: dict[str, str]) -> Any:
    try:
        program = compile_modules([Source("t.rego", defect["module"])], entrypoints=[QUERY])
    except CompileError as error:
        return error.diagnostics[0].code
    (value,) = program.evaluate(json.loads(defect.get("input", "{}")))
    return "undefined" if value is UNDEFINED else to_json(value)


async def ask_regopy(defect: dict[str, str]) -> Any:
    process = RegopyProcess(RegopyProgram((("t.rego", defect["module"]),)), SystemClock())
    try:
        await process.start()
        document = json.loads(defect.get("input", "{}"))
        values = await process.query([QUERY], document, time.monotonic_ns() + _HANG_NS)
    except EngineTimeoutError:
        return "hang"
    except EngineCrashedError:
        return "crash"
    except EngineRefusedError:
        return "error"
    finally:
        await process.aclose()
    return values.get(QUERY, "undefined")


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect["name"])
async def test_gradate_gives_what_opa_gives_where_regopy_still_does_not(defect: dict[str, str]) -> None:
    assert ask_gradate(defect) == read(defect["opa"])
    assert await ask_regopy(defect) == read(defect["regopy"])
