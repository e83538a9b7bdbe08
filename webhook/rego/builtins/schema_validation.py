"""The functions behind `json.*_schema`; loaded when a policy first calls one, as the library is large.

Schemas are of draft 7, as OPA's library takes them. Patterns are RE2 and nothing is fetched: neither a pattern nor a
reference in a schema can hang or reach out. Mistakes are told in the words of OPA's library (gojsonschema).
"""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import jsonschema
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from webhook.rego.builtins.caches import cached_by_text
from webhook.rego.builtins.failures import BuiltinError, LimitError, limit_size
from webhook.rego.builtins.json_text import read_json
from webhook.rego.builtins.regex import UNANCHORED, compile_pattern, limit_search, octets
from webhook.rego.builtins.schema_formats import FORMATS
from webhook.rego.texts import to_json

_CACHED = 64
_MAX_MISTAKES = 10_000
_TYPES = "array boolean integer number null object string"
_ROOT = "(root)"

Mistakes = Iterator[tuple[str, str]]
"""Type and description of mistakes in a document."""


def verify_schema(schema: Any) -> list[Any]:
    """Say whether a schema is one, and if not, why."""
    try:
        _compiled(_read(schema))
    except BuiltinError as error:
        return [False, f"jsonschema: {error.message}"]
    return [True, None]


def match_schema(document: Any, schema: Any) -> list[Any]:
    """Say whether a document matches a schema, and list the mistakes."""
    instance = json.loads(_read(document))
    validator = _compiled(_read(schema))
    try:
        errors = sorted(islice(validator.iter_errors(instance), _MAX_MISTAKES + 1), key=_place)
    except Unresolvable as error:
        raise BuiltinError(f"cannot resolve the reference {error.ref!r}") from error
    if len(errors) > _MAX_MISTAKES:
        raise LimitError(f"json.match_schema: more than {_MAX_MISTAKES} mistakes")
    found = [mistake for error in errors for mistake in _mistakes(error)]
    return [not found, found]


def _read(value: Any) -> str:
    """Give JSON text for a document that is an object, an array or JSON text itself."""
    if type(value) is str:
        try:
            read_json(value)
        except BuiltinError as error:
            raise BuiltinError("invalid JSON string") from error
        return value
    if type(value) is dict or type(value) is list:
        limit_size(value)
        return json.dumps(to_json(value), sort_keys=True)
    raise BuiltinError("wrong type, expected string or object")


@cached_by_text(_CACHED)
def _compiled(text: str) -> Any:
    """Make a validator of a schema.

    Raises:
        BuiltinError: the schema is not valid.

    """
    schema = json.loads(text)
    if type(schema) is not dict and type(schema) is not bool:
        raise BuiltinError("schema is invalid")
    try:
        jsonschema.Draft7Validator.check_schema(schema)
    except SchemaError as error:
        raise BuiltinError(_schema_mistake(error)) from error
    _check_patterns(schema)
    return _Validator(schema, registry=Registry(), format_checker=FORMATS)


def _schema_mistake(error: SchemaError) -> str:
    path = list(error.absolute_path)
    if path and path[-1] == "type":
        return f"has a primitive type that is NOT VALID -- given: /{error.instance}/ Expected valid values are:[{_TYPES}]"
    return f"{'.'.join(map(str, path)) or _ROOT}: {error.message}"


def _check_patterns(schema: Any) -> None:
    """Compile every pattern in a schema once, so that a wrong one is told before a document comes."""
    if type(schema) is list:
        for item in schema:
            _check_patterns(item)
    if type(schema) is not dict:
        return
    patterns = schema.get("patternProperties")
    for pattern in [schema.get("pattern"), *(patterns if type(patterns) is dict else ())]:
        if type(pattern) is str:
            compile_pattern(pattern, capture=False)
    for keyword, part in schema.items():
        if keyword not in ("enum", "const", "default", "examples"):
            _check_patterns(part)


def _occurs(pattern: str, text: str) -> bool:
    source = octets(text)
    compiled = compile_pattern(pattern, capture=False)
    limit_search(compiled, source)
    found: bool = compiled.Match(UNANCHORED, source, 0, len(source))[0][0] >= 0
    return found


def _pattern(_validator: Any, pattern: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if type(instance) is str and not _occurs(pattern, instance):
        yield ValidationError(f"Does not match pattern '{pattern}'")


def _pattern_properties(
    validator: Any, patterns: Any, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if type(instance) is not dict:
        return
    for pattern, subschema in patterns.items():
        for key, value in instance.items():
            if _occurs(pattern, key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if type(instance) is not dict:
        return
    for key in _additional_keys(instance, schema):
        if type(allowed) is dict:
            yield from validator.descend(instance[key], allowed, path=key)
        elif allowed is False:
            yield ValidationError(f"Additional property {key} is not allowed")


def _unique_items(_validator: Any, asked: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if asked and type(instance) is list and len(set(map(_compact, instance))) < len(instance):
        yield ValidationError("items must be unique")


def _additional_keys(instance: dict[str, Any], schema: Any) -> list[str]:
    """Give the keys of an object that its schema does not name."""
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    return [
        key for key in instance if key not in named and not any(_occurs(pattern, key) for pattern in patterns)
    ]


_Validator: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]  # the stubs leave it so
    jsonschema.Draft7Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    },
)


def _place(error: ValidationError) -> tuple[int, list[str]]:
    """Order mistakes from the outside in."""
    return len(error.absolute_path), list(map(str, error.absolute_path))


def _mistakes(error: ValidationError) -> Iterator[dict[str, str]]:
    """Tell an error, and behind one that none of several schemas matched, those of the closest."""
    field = ".".join(map(str, error.absolute_path)) or _ROOT
    if not error.validator:
        yield from _told("false", "False always fails validation", field)
        return
    for kind, description in _described(error, field):
        yield from _told(kind, description, field)
    if error.validator in ("anyOf", "oneOf") and error.context:
        for closest in _closest(error.context):
            yield from _mistakes(closest)


def _told(kind: str, description: str, field: str) -> Iterator[dict[str, str]]:
    yield {"desc": description, "error": f"{field}: {description}", "field": field, "type": kind}


def _closest(errors: list[ValidationError]) -> list[ValidationError]:
    """Give the errors of the schema that a document came closest to: the deepest, then the fewest."""
    branches: dict[Any, list[ValidationError]] = {}
    for error in errors:
        branches.setdefault(error.schema_path[0], []).append(error)
    return min(branches.values(), key=lambda found: (-max(len(error.path) for error in found), len(found)))


def _described(error: ValidationError, field: str) -> Mistakes:
    """Put an error in the words of OPA's library."""
    limit: Any = error.validator_value
    instance: Any = error.instance
    keyword = str(error.validator)
    if keyword == "required":
        yield "required", f"{error.message.split(chr(39))[1]} is required"
    elif keyword == "type":
        expected = ",".join(limit) if type(limit) is list else limit
        yield "invalid_type", f"Invalid type. Expected: {expected}, given: {_type_of(instance)}"
    elif keyword in ("enum", "const"):
        allowed = ", ".join(map(_compact, limit)) if keyword == "enum" else _compact(limit)
        relation = "must be one of the following" if keyword == "enum" else "does not match"
        yield keyword, f"{field} {relation}: {allowed}"
    elif keyword == "uniqueItems":
        first, second = _equal_pair(instance)
        yield "unique", f"array items[{first},{second}] must be unique"
    elif keyword == "additionalProperties":
        yield "additional_property_not_allowed", error.message
    elif keyword == "pattern":
        yield "pattern", error.message
    elif keyword in _WORDS:
        kind, words = _WORDS[keyword]
        yield kind, words(limit)
    else:
        yield keyword, error.message


def _limit(words: str) -> Callable[[Any], str]:
    return lambda limit: words.format(_compact(limit) if type(limit) is not str else limit)


_WORDS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "anyOf": ("number_any_of", _limit("Must validate at least one schema (anyOf)")),
    "oneOf": ("number_one_of", _limit("Must validate one and only one schema (oneOf)")),
    "not": ("number_not", _limit("Must not validate the schema (not)")),
    "dependencies": ("missing_dependency", _limit("Has a dependency that is missing")),
    "additionalItems": ("array_no_additional_items", _limit("No additional items allowed on array")),
    "minItems": ("array_min_items", _limit("Array must have at least {} items")),
    "maxItems": ("array_max_items", _limit("Array must have at most {} items")),
    "contains": ("contains", _limit("At least one of the items must match")),
    "minProperties": ("array_min_properties", _limit("Must have at least {} properties")),
    "maxProperties": ("array_max_properties", _limit("Must have at most {} properties")),
    "propertyNames": ("invalid_property_name", _limit("Property name does not match")),
    "minLength": ("string_gte", _limit("String length must be greater than or equal to {}")),
    "maxLength": ("string_lte", _limit("String length must be less than or equal to {}")),
    "format": ("format", _limit("Does not match format '{}'")),
    "multipleOf": ("multiple_of", _limit("Must be a multiple of {}")),
    "minimum": ("number_gte", _limit("Must be greater than or equal to {}")),
    "exclusiveMinimum": ("number_gt", _limit("Must be greater than {}")),
    "maximum": ("number_lte", _limit("Must be less than or equal to {}")),
    "exclusiveMaximum": ("number_lt", _limit("Must be less than {}")),
    "if": ("condition", _limit("Must validate the schema that its condition chooses")),
}


def _type_of(value: Any) -> str:
    names = {
        type(None): "null",
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "string",
        list: "array",
    }
    return names.get(type(value), "object")


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def _equal_pair(items: list[Any]) -> tuple[int, int]:
    """Give the positions of the first two equal elements."""
    seen: dict[str, int] = {}
    for position, item in enumerate(items):
        text = _compact(item)
        if text in seen:
            return seen[text], position
        seen[text] = position
    return 0, 0
