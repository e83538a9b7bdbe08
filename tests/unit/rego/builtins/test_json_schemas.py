from typing import Any

import pytest

from tests.support.rego_builtins import call, failure

SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 2, "pattern": "^[a-z]+$"},
        "count": {"type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 2},
        "tags": {"type": "array", "uniqueItems": True, "minItems": 1, "items": {"enum": ["a", 1]}},
        "either": {"anyOf": [{"type": "string"}, {"type": "object", "required": ["x"]}]},
        "when": {"format": "date-time"},
    },
    "patternProperties": {"^x-": {"type": "null"}},
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("document", "mistakes"),
    [
        ({"name": "ab", "count": 4, "tags": ["a", 1], "x-1": None, "when": "2024-01-01T00:00:00Z"}, []),
        ({}, [("(root)", "required", "name is required")]),
        ({"name": 1}, [("name", "invalid_type", "Invalid type. Expected: string, given: integer")]),
        ({"name": "a"}, [("name", "string_gte", "String length must be greater than or equal to 2")]),
        ({"name": "AB"}, [("name", "pattern", "Does not match pattern '^[a-z]+$'")]),
        ({"name": "ab", "count": 12}, [("count", "number_lte", "Must be less than or equal to 9")]),
        ({"name": "ab", "count": 3}, [("count", "multiple_of", "Must be a multiple of 2")]),
        ({"name": "ab", "tags": ["a", "a"]}, [("tags", "unique", "array items[0,1] must be unique")]),
        ({"name": "ab", "tags": []}, [("tags", "array_min_items", "Array must have at least 1 items")]),
        ({"name": "ab", "tags": [2]}, [("tags.0", "enum", 'tags.0 must be one of the following: "a", 1')]),
        (
            {"name": "ab", "y": 1},
            [("(root)", "additional_property_not_allowed", "Additional property y is not allowed")],
        ),
        ({"name": "ab", "x-1": 1}, [("x-1", "invalid_type", "Invalid type. Expected: null, given: integer")]),
        ({"name": "ab", "when": "no"}, [("when", "format", "Does not match format 'date-time'")]),
        (
            {"name": "ab", "either": {}},
            [
                ("either", "number_any_of", "Must validate at least one schema (anyOf)"),
                ("either", "invalid_type", "Invalid type. Expected: string, given: object"),
            ],
        ),
    ],
)
def test_documents_are_checked_and_mistakes_told_in_opas_words(document: Any, mistakes: list[Any]) -> None:
    valid, told = call("json.match_schema", document, SCHEMA)
    assert valid is not mistakes or not mistakes
    assert [(item["field"], item["type"], item["desc"]) for item in told] == mistakes
    assert [item["error"] for item in told] == [
        f"{field}: {description}" for field, _, description in mistakes
    ]


def test_documents_and_schemas_may_be_text() -> None:
    assert call("json.match_schema", '{"a": 1}', '{"required": ["a"]}') == [True, []]
    assert call("json.match_schema", "[1]", {"type": "array"}) == [True, []]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "odd"}, "jsonschema: has a primitive type that is NOT VALID -- given: /odd/"),
        ({"properties": 3}, "jsonschema: properties"),
        ({"properties": {"a": {"pattern": "(?<!a)b"}}}, "jsonschema: error parsing regexp"),
        ({"patternProperties": {"(?=x)": {}}}, "jsonschema: error parsing regexp"),
        ("{", "jsonschema: invalid JSON string"),
        ("3", "jsonschema: schema is invalid"),
        (3, "jsonschema: wrong type, expected string or object"),
    ],
)
def test_what_is_no_schema_is_told(schema: Any, words: str) -> None:
    valid, message = call("json.verify_schema", schema)
    assert not valid
    assert words in message
    assert failure("json.match_schema", {}, schema)


def test_a_schema_is_told_as_valid() -> None:
    assert call("json.verify_schema", SCHEMA) == [True, None]
    assert call("json.verify_schema", "true") == [True, None]


@pytest.mark.parametrize(
    "reference", ["http://example.com/schema.json", "file:///etc/passwd", "#/definitions/nowhere"]
)
def test_references_lead_nowhere_outside_of_the_schema(reference: str) -> None:
    assert "cannot resolve the reference" in failure("json.match_schema", {}, {"$ref": reference})


def test_references_within_the_schema_are_followed() -> None:
    schema = {"definitions": {"n": {"type": "number"}}, "properties": {"a": {"$ref": "#/definitions/n"}}}
    assert call("json.match_schema", {"a": 1}, schema) == [True, []]
    assert not call("json.match_schema", {"a": "x"}, schema)[0]


def test_no_pattern_can_hang() -> None:
    assert not call(
        "json.match_schema", {"a": "a" * 5000 + "!"}, {"properties": {"a": {"pattern": "^(a*)*$"}}}
    )[0]


@pytest.mark.parametrize(
    ("format_", "good", "bad"),
    [
        ("date", "2024-02-29", "2023-02-29"),
        ("time", "12:00:00Z", "25:00:00Z"),
        ("date-time", "2024-01-01T12:00:00.5+02:00", "2024-01-01"),
        ("hostname", "a-b.example.com", "-a.example.com"),
        ("email", "me@example.com", "me"),
        ("ipv4", "10.0.0.1", "10.0.0"),
        ("ipv6", "::1", "10.0.0.1"),
        ("uri", "https://example.com", "example"),
        ("uri-reference", "/a", "\\"),
        ("uri-template", "/{id}", "/{id"),
        ("uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810"),
        ("regex", "a+", "("),
        ("json-pointer", "/a/~0b", "a"),
        ("relative-json-pointer", "0/a", "/a"),
    ],
)
def test_formats_are_checked(format_: str, good: str, bad: str) -> None:
    assert call("json.match_schema", [good, 1], {"items": {"format": format_}}) == [True, []]
    assert not call("json.match_schema", [bad], {"items": {"format": format_}})[0]


def test_an_unknown_format_is_always_met() -> None:
    assert call("json.match_schema", ["x"], {"items": {"format": "odd"}}) == [True, []]
