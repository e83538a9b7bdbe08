"""The record that declares one builtin: its name, its signature and the function behind it."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.rego.builtins.signatures import ANY, Parameter, Type


@dataclass(frozen=True, slots=True)
class Deferred:
    """A function in a module that takes long to import: only who calls it pays for that."""

    module: str
    name: str
    arguments: tuple[str, ...] = ()
    """If there are any, the name is of what makes the function from these."""

    def load(self) -> Callable[..., Any]:
        """Give the function; the module is imported now, if it was not before."""
        found: Callable[..., Any] = getattr(importlib.import_module(self.module), self.name)
        return found(*self.arguments) if self.arguments else found


@dataclass(frozen=True, slots=True)
class Builtin:
    """One builtin function as the checker and the evaluator see it."""

    name: str
    """Full name in Rego, with its dots."""
    parameters: tuple[Parameter, ...]
    """Declared arguments, in order."""
    result: Parameter
    """Declared result; of a relation, the type of each answer."""
    implementation: Callable[..., Any] | Deferred
    """The function, or where it is."""
    needs_context: bool = False
    """The function takes the `EvaluationContext` before its arguments."""
    relation: bool = False
    """The function gives a list of answers, each of which is one result."""
    variadic: Type | None = None
    """Type of any number of further arguments; None when there are none."""
    infix: str | None = None
    """The operator that calls it, if one does."""
    deterministic: bool = True
    """The answer depends on nothing but the arguments, so that constant calls may be folded."""
    deprecated: bool = False
    """Known to Rego v0 only."""
    void: bool = False
    """It has no result to bind: it may stand only as a statement."""

    @property
    def function(self) -> Callable[..., Any]:
        """Takes the values by position; gives a value or UNDEFINED. Raises BuiltinError or LimitError.

        Asked for while a policy is compiled, so that its first request waits for no import.
        """
        found = self.implementation
        return found.load() if isinstance(found, Deferred) else found

    @property
    def arguments(self) -> tuple[Type, ...]:
        """Types of the declared arguments, in order."""
        return tuple(parameter.type for parameter in self.parameters)

    @property
    def arity(self) -> int:
        """Count of the declared arguments."""
        return len(self.parameters)

    @property
    def signature(self) -> str:
        """The argument list and result as a type error shows them."""
        shown = [str(parameter) for parameter in self.parameters]
        if self.variadic is not None:
            shown.append(f"{self.variadic}...")
        if not self.void:
            shown.append(str(self.result))
        return f"({', '.join(shown)})"


def declare(
    name: str,
    parameters: Mapping[str, Type] | Sequence[Type],
    result: Mapping[str, Type] | Type | None,
    function: Callable[..., Any] | Deferred,
    *,
    needs_context: bool = False,
    relation: bool = False,
    variadic: Type | None = None,
    infix: str | None = None,
    deterministic: bool = True,
    deprecated: bool = False,
) -> Builtin:
    """Write one declaration: `parameters` and the one-entry `result` map names to types, or give bare types.

    Without a result the builtin is void.
    """
    return Builtin(
        name=name,
        parameters=_named(parameters),
        result=Parameter("", ANY)
        if result is None
        else _named(result if isinstance(result, Mapping) else [result])[0],
        implementation=function,
        needs_context=needs_context,
        relation=relation,
        variadic=variadic,
        infix=infix,
        deterministic=deterministic,
        deprecated=deprecated,
        void=result is None,
    )


def deferred(module: str, name: str, *arguments: str) -> Deferred:
    """Say where a function is that takes long to import; with arguments, the name is of what makes it from them."""
    return Deferred(module, name, arguments)


def _named(types: Mapping[str, Type] | Sequence[Type]) -> tuple[Parameter, ...]:
    if isinstance(types, Mapping):
        return tuple(Parameter(name, type_) for name, type_ in types.items())
    return tuple(Parameter("", type_) for type_ in types)
