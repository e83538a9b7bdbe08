"""Bounded caches for what is made from text: patterns, formats, layouts, schemas.

Only so many results are kept, and none for long text, so that a policy cannot fill memory with them.
"""

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

MAX_CACHED_LENGTH = 8192
"""Longest text, in characters, for which a result is kept."""

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_Function = Callable[Concatenate[str, _Arguments], _Result]


def cached_by_text(
    size: int,
) -> Callable[[_Function[_Arguments, _Result]], _Function[_Arguments, _Result]]:
    """Keep a function's last `size` results by its arguments, of which the first is text."""

    def decorate(function: _Function[_Arguments, _Result]) -> _Function[_Arguments, _Result]:
        cached: Any = functools.lru_cache(maxsize=size)(function)

        @functools.wraps(function)
        def call(text: str, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            chosen = cached if len(text) <= MAX_CACHED_LENGTH else function
            result: _Result = chosen(text, *args, **kwargs)
            return result

        return call

    return decorate
