from typing import Any

import pytest

from tests.support.rego_builtins import call, failure

SCHEMA = """
"Things" interface Thing implements Named { name: String }
interface Named { name: String }
type Pet implements Thing & Named { name: String! owner(at: Int = 1): Person friends: [Pet!] }
type Person implements Named { name: String kind: Kind }
union Being = Pet | Person
enum Kind { NEAR @deprecated FAR }
input Filter { kind: Kind, names: [String!] = ["a"] }
scalar Date
directive @mark(level: Int!) repeatable on FIELD | FIELD_DEFINITION
type Query { beings(filter: Filter): [Being!]! @mark(level: 1) pet: Pet }
extend type Query { since: Date }
"""


def test_a_query_is_described_as_opa_does() -> None:
    query = (
        "query Q($k: Kind = FAR) { p: pet { name @include(if: true) ...F ... on Pet { friends { name } } } }"
    )
    described = call("graphql.parse_query", query + " fragment F on Pet { owner(at: -2) { kind } }")
    (operation,) = described["Operations"]
    assert operation["Operation"] == "query"
    assert operation["Name"] == "Q"
    assert operation["VariableDefinitions"] == [
        {
            "Variable": "k",
            "Type": {"NamedType": "Kind", "NonNull": False},
            "DefaultValue": {"Kind": 7, "Raw": "FAR", "ExpectedTypeHasDefault": False},
            "Used": False,
        }
    ]
    (field,) = operation["SelectionSet"]
    assert (field["Alias"], field["Name"]) == ("p", "pet")
    name, spread, inline = field["SelectionSet"]
    assert name["Directives"] == [
        {
            "Name": "include",
            "Location": "",
            "Arguments": [
                {"Name": "if", "Value": {"Kind": 5, "Raw": "true", "ExpectedTypeHasDefault": False}}
            ],
        }
    ]
    assert spread == {"Name": "F"}
    assert inline["TypeCondition"] == "Pet"
    assert described["Fragments"][0]["SelectionSet"][0]["Arguments"][0]["Value"]["Raw"] == "-2"


def test_a_schema_is_described_as_opa_does() -> None:
    described = call("graphql.parse_schema", SCHEMA)
    definitions = {item["Name"]: item for item in described["Definitions"]}
    assert definitions["Thing"]["Description"] == "Things"
    assert definitions["Pet"]["Interfaces"] == ["Thing", "Named"]
    assert definitions["Pet"]["Fields"][2]["Type"] == {
        "NamedType": "",
        "Elem": {"NamedType": "Pet", "NonNull": True},
        "NonNull": False,
    }
    assert definitions["Being"]["Types"] == ["Pet", "Person"]
    assert definitions["Kind"]["EnumValues"][0]["Directives"] == [{"Name": "deprecated", "Location": ""}]
    assert definitions["Filter"]["Fields"][1]["DefaultValue"]["Children"][0]["Value"]["Raw"] == "a"
    assert described["Directives"][0]["Locations"] == ["FIELD", "FIELD_DEFINITION"]
    assert described["Directives"][0]["IsRepeatable"]
    assert described["Extensions"][0]["Name"] == "Query"
    assert not definitions["Date"]["BuiltIn"]


@pytest.mark.parametrize("text", ["", "  # only a comment\n"])
def test_an_empty_document_describes_nothing(text: str) -> None:
    assert call("graphql.parse_query", text) == {}
    assert call("graphql.schema_is_valid", text)
    assert call("graphql.is_valid", text, SCHEMA)


@pytest.mark.parametrize(
    ("query", "valid"),
    [
        ("{ pet { name } }", True),
        ("{ pet { age } }", False),
        ("{ beings { ... on Pet { name } __typename } }", True),
        ("{ beings(filter: {kind: FAR}) { __typename } }", True),
        ("{ beings(filter: {kind: NOWHERE}) { __typename } }", False),
        ("query($x: Int) { pet { owner(at: $x) { name } } }", True),
        ("query($x: String) { pet { owner(at: $x) { name } } }", False),
        ("{ pet @mark { name } }", False),
        ("{ pet @mark(level: 2) @mark(level: 3) { name } }", True),
        ("{ since }", True),
        ("mutation { pet }", False),
        ("{ pet { ...F } } fragment F on Pet { name }", True),
        ("{ pet { ...F } }", False),
        ("{", False),
    ],
)
def test_queries_are_checked_against_the_schema_as_text_and_as_object(query: str, valid: bool) -> None:
    assert call("graphql.is_valid", query, SCHEMA) is valid
    answer = call("graphql.parse_and_verify", query, SCHEMA)
    assert answer[0] is valid
    if valid:
        assert call("graphql.is_valid", answer[1], answer[2])
        assert call("graphql.parse", answer[1], SCHEMA) == answer[1:]
    else:
        assert answer[1:] == [{}, {}]
        assert failure("graphql.parse", query, SCHEMA)


@pytest.mark.parametrize(
    "schema",
    [
        "type A { b: B }",
        "type A { b: Int } type A { c: Int }",
        "type A { b: Int b: Int }",
        "type A {}",
        "enum E {}",
        "input I { a: A } type A { b: Int }",
        "type A { b(c: A): Int }",
        "union U = A",
        "type A implements I { b: Int } interface I { c: Int }",
        "type A implements I { b: Int } interface I { b: String }",
        "type A implements I { b: Int } interface I { b(x: Int): Int }",
        "type A implements I { b(x: Int!): Int } interface I { b: Int }",
        "type A implements B { b: Int } type B { b: Int }",
        "type A { b: Int @nowhere }",
        "type A @deprecated { b: Int }",
        "type __A { b: Int }",
        "type A { __b: Int }",
        "directive @d on FIELD directive @d on FIELD",
        "directive @d(a: Int @d) on ARGUMENT_DEFINITION",
        "schema { query: Nowhere }",
        "schema { query: A } schema { query: A } type A { b: Int }",
        "extend enum A { B } type A { b: Int }",
        "scalar Int",
        "{ query }",
        "type",
    ],
)
def test_schemas_that_do_not_hold_together_are_invalid(schema: str) -> None:
    assert call("graphql.schema_is_valid", schema) is False
    assert not call("graphql.is_valid", "", schema)


@pytest.mark.parametrize(
    "schema", [SCHEMA, "type A { b: Int }", "extend type A { b: Int }", "directive @skip on FIELD"]
)
def test_schemas_that_hold_together_are_valid_as_text_and_as_object(schema: str) -> None:
    assert call("graphql.schema_is_valid", schema)
    assert call("graphql.schema_is_valid", call("graphql.parse_schema", schema))


@pytest.mark.parametrize(
    ("function", "text", "message"),
    [
        ("graphql.parse_query", "{", "Expected Name, found <EOF> in GraphQL string at location 1:2"),
        (
            "graphql.parse_query",
            "type A { b: Int }",
            'Unexpected Name "type" in GraphQL string at location 1:1',
        ),
        ("graphql.parse_query", "{ ...f(a: 1) }", "Unexpected ... in GraphQL string at location 1:3"),
        ("graphql.parse_schema", "{ a }", "Unexpected"),
        ("graphql.parse_query", "{a" * 1000, "nested too deeply"),
    ],
)
def test_mistakes_are_told_with_their_place(function: str, text: str, message: str) -> None:
    assert message in failure(function, text)


@pytest.mark.parametrize(
    ("query", "schema"),
    [
        ({"Operations": 1}, {}),
        ({"Operations": [1]}, {}),
        ({"Operations": [{"Operation": "jump"}]}, {}),
        ({"Operations": [{"Operation": "query", "Name": 1}]}, {}),
        (
            {
                "Operations": [
                    {"Operation": "query", "SelectionSet": [{"Alias": "a", "Arguments": [{"Value": {}}]}]}
                ]
            },
            {},
        ),
        ({}, {"Definitions": [{"Kind": "OBJECT", "Name": "A", "Fields": [{"Name": "b"}]}]}),
        (1, ""),
        ("", 1),
    ],
)
def test_objects_that_are_no_documents_are_invalid(query: Any, schema: Any) -> None:
    assert not call("graphql.is_valid", query, schema)
