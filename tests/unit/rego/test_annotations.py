"""Metadata blocks: fields, scopes and what is refused."""

import pytest

from tests.support.rego_syntax import diagnostics
from webhook.rego.ast import Author, Module, RelatedResource, SchemaAnnotation, Source
from webhook.rego.parser import parse_module

FULL = """# METADATA
# title: A title
# description: >
#   Two
#   lines.
# organizations: [One, 2]
# related_resources:
# - https://example.com/a
# - {ref: https://example.com/b, description: " b "}
# authors:
# - Jane Doe <jane@example.com>
# - {name: Joe}
# schemas:
# - input: schema.input
# - input.x: {type: string}
# custom:
#   version: 1.0.0
#   on: yes
#   since: 2024-01-01
#   parameters: {names: [a, 1, 1.5, null, true]}
package a
"""


def module(text: str) -> Module:
    return parse_module(Source("test.rego", text), version="v1")


def test_all_fields_are_read_as_opa_reads_them() -> None:
    (found,) = module(FULL).annotations

    assert (found.scope, found.title, found.description) == ("package", "A title", "Two lines.\n")
    assert found.organizations == ("One", "2")
    assert found.related_resources == (
        RelatedResource("https://example.com/a"),
        RelatedResource("https://example.com/b", "b"),
    )
    assert found.authors == (Author("Jane Doe", "jane@example.com"), Author("Joe"))
    assert found.schemas == (
        SchemaAnnotation("input", schema="schema.input"),
        SchemaAnnotation("input.x", definition={"type": "string"}),
    )
    assert found.custom == {
        "version": "1.0.0",
        "on": "yes",
        "since": "2024-01-01",
        "parameters": {"names": ["a", 1, 1.5, None, True]},
    }
    assert found.location.row == 1


@pytest.mark.parametrize(
    ("header", "statement", "scope"),
    [
        ("title: t", "p := 1", "rule"),
        ("entrypoint: true", "p := 1", "document"),
        ("scope: document", "p := 1", "document"),
        ("scope: rule", "p := 1", "rule"),
    ],
)
def test_a_block_above_a_rule_has_a_scope_of_rules(header: str, statement: str, scope: str) -> None:
    (found,) = module(f"package a\n\n# METADATA\n# {header}\n{statement}\n").annotations

    assert found.scope == scope


def test_a_block_above_the_package_may_cover_packages_below() -> None:
    (found,) = module("# METADATA\n# scope: subpackages\npackage a").annotations

    assert found.scope == "subpackages"


def test_a_rule_carries_its_own_block_and_that_of_its_document() -> None:
    first, second, other = module(
        "package a\n# METADATA\n# scope: document\n# title: d\np := 1 if input.x\n"
        "# METADATA\n# title: r\np := 1 if input.y\nq := 1\n"
    ).rules

    assert [found.title for found in first.annotations] == ["d"]
    assert [found.title for found in second.annotations] == ["d", "r"]
    assert other.annotations == ()


def test_a_block_ends_where_comments_leave_the_margin_or_the_next_line() -> None:
    found = module(
        "# METADATA\n# title: t\n\n# not part: of it: at all\npackage a # no: METADATA\n  # p: indented\np := 1\n"
    ).annotations

    assert [entry.title for entry in found] == ["t"]


def test_a_file_without_blocks_has_no_annotations() -> None:
    assert module("package a\n# just a comment\np := 1").annotations == ()


@pytest.mark.parametrize(
    ("block", "statement", "message"),
    [
        ("", "p := 1", "expected METADATA block, found whitespace"),
        ("# title: a: b", "p := 1", "yaml: line 1: mapping values are not allowed in this context"),
        ("# title: t\n# title: u", "p := 1", 'yaml: line 2: mapping key "title" already defined'),
        ("# custom: {a: &x 1, b: *x}", "p := 1", "yaml: aliases are not supported"),
        ("# custom: " + "[" * 100_000, "p := 1", "yaml: nesting too deep"),
        ("# custom: !!python/name:os.system x", "p := 1", "yaml: line 1: could not determine a constructor"),
        ("# custom: {1: x}", "p := 1", "invalid map key type(s)"),
        ("# custom: {a: !!timestamp 2024-01-01}", "p := 1", "invalid value type: a"),
        ("# custom: [1]", "p := 1", "custom must be a mapping"),
        ("# - a", "p := 1", "a METADATA block must be a YAML mapping"),
        ("# title: [a]", "p := 1", "title must be text"),
        ("# entrypoint: 1", "p := 1", "entrypoint must be true or false"),
        ("# organizations: a", "p := 1", "organizations must be a list"),
        ("# authors: ['']", "p := 1", "invalid author definition: author is an empty string"),
        ("# authors: [{}]", "p := 1", "invalid author definition: 'name' and/or 'email' values required"),
        ("# authors: [1]", "p := 1", "invalid author definition: invalid value type"),
        (
            "# related_resources: ['']",
            "p := 1",
            "invalid related-resource definition: ref URL may not be empty",
        ),
        ("# related_resources: [{}]", "p := 1", "invalid related-resource definition: 'ref' value required"),
        ("# related_resources: [1]", "p := 1", "invalid related-resource definition: invalid value type"),
        ("# schemas: [{input: x.y}]", "p := 1", "invalid schema reference"),
        ("# schemas: [input]", "p := 1", "invalid schema declaration"),
        ("# schemas: [{input: 1}]", "p := 1", 'invalid schema declaration for path "input"'),
        ("# scope: galaxy", "p := 1", "invalid annotation scope 'galaxy'"),
        ("# scope: package", "p := 1", "annotation scope 'package' must be applied to package (have rule)"),
        ("# title: t", "import data.x", "invalid annotation scope 'import'"),
        ("# scope: rule\n# entrypoint: true", "p := 1", "annotation entrypoint applied to non-document"),
        ("# title: t", "", "annotation must be followed by a package or rule"),
    ],
)
def test_a_wrong_block_is_refused_with_its_place(block: str, statement: str, message: str) -> None:
    (found,) = diagnostics(f"package a\n# METADATA\n{block}\n{statement}\n")

    assert found.message.startswith(message)
    assert found.code == "rego_parse_error"
    assert found.location.row in {2, 3, 4}


def test_an_error_in_the_yaml_points_at_its_line() -> None:
    (found,) = diagnostics("package a\n# METADATA\n# title: t\n# custom: {\n# - ]\np := 1\n")

    assert found.location.row == 5
