import pytest

from tests.support.policies import policy_text, read_policy
from webhook.policy.catalog import override_parameters, read_catalog
from webhook.policy.errors import (
    BrokenPoliciesError,
    DuplicatePolicyError,
    MetadataError,
    PolicySyntaxError,
    UnknownParameterError,
)
from webhook.rego.ast import Source

HEADER = "custom: {name: example, version: 1.0.0, parameters: {allowed_names: [], limit: 1}}"


def test_policies_libraries_and_tests_are_told_apart() -> None:
    catalog = read_catalog(
        [
            Source("b/policy.rego", policy_text(package="b")),
            Source(
                "a/patcher.rego", policy_text(package="a", rules='patch contains {"op": "remove"} if true')
            ),
            Source("lib/strings.rego", policy_text(package="lib.strings", rules="deny(x) := x\nbad := 1")),
            Source("b/policy_test.rego", policy_text(package="b", rules="test_deny if data.b.deny")),
            Source("b/other.rego", policy_text(package="c_test", rules="deny contains 1 if true")),
        ]
    )

    assert [(policy.path, set(policy.rules)) for policy in catalog.policies] == [
        ("a/patcher.rego", {"patch"}),
        ("b/policy.rego", {"deny"}),
    ]
    assert [source.path for source in catalog.libraries] == ["lib/strings.rego"]
    assert [source.path for source in catalog.tests] == ["b/other.rego", "b/policy_test.rego"]


def test_a_policys_header_above_no_rule_of_a_policy_is_a_slip_not_a_library() -> None:
    with pytest.raises(MetadataError) as caught:
        read_policy(HEADER, rules="deney contains 1 if true")
    assert str(caught.value) == (
        "policies/example.rego:1: METADATA custom: the file has a policy's header but none of the rules "
        "deny, patch, violation, warn; did you mean 'deny' where it says 'deney'?"
    )


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ("deny contains x if x := input.a", {"deny"}),
        ("deny[x] { x := input.a }", {"deny"}),
        ("default deny := false\nwarn contains 1 if true", {"deny", "warn"}),
        ('violation[{"msg": m}] { m := input.a }', {"violation"}),
        ("deny.reason if true", {"deny"}),
    ],
)
def test_the_rules_of_a_policy_are_found_in_every_syntax(rules: str, found: set[str]) -> None:
    assert read_policy(rules=rules).rules == found


def test_an_entrypoint_is_a_reference_into_the_package() -> None:
    assert read_policy(package="gradate.example").entrypoint("deny") == "data.gradate.example.deny"
    header = "custom: {name: example}"
    assert read_policy(header, package='a["b-c"].d').entrypoint("deny") == 'data.a["b-c"].d.deny'


def test_a_policy_takes_along_the_libraries_that_it_imports_directly_or_not() -> None:
    sources = [
        Source("p.rego", policy_text(package="p", rules="import data.lib.a\n\ndeny contains a.x if true")),
        Source("a.rego", policy_text(package="lib.a", rules="x := data.lib.b.y")),
        Source("b.rego", policy_text(package="lib.b", rules="y := 1")),
        Source("c.rego", policy_text(package="lib.c", rules="z := 1")),
        Source("same.rego", policy_text(package="p", rules="message := 1")),
    ]

    (policy,) = read_catalog(sources).policies

    assert [source.path for source in policy.sources] == ["p.rego", "a.rego", "b.rego", "same.rego"]


@pytest.mark.parametrize(
    "rules",
    [
        "deny contains x if some x in data.lib",
        "deny contains data.lib.a.b.c if true",
        "deny contains data[_] if true",
    ],
)
def test_a_reference_above_or_below_a_library_needs_it_too(rules: str) -> None:
    library = Source("lib.rego", policy_text(package="lib.a", rules="x := 1"))

    (policy,) = read_catalog([Source("p.rego", policy_text(package="p", rules=rules)), library]).policies

    assert library in policy.sources


def test_two_policies_of_one_name_are_refused_with_both_files() -> None:
    sources = [
        Source("a.rego", policy_text(package="gradate.x_y")),
        Source("b.rego", policy_text(package="x.y")),
    ]

    with pytest.raises(DuplicatePolicyError, match=r"b\.rego: policy 'x-y' is already defined in a\.rego"):
        read_catalog(sources)


def test_a_module_that_does_not_parse_is_refused_with_file_line_and_reason() -> None:
    with pytest.raises(PolicySyntaxError, match=r"^bad\.rego:4:1: rego_parse_error: "):
        read_catalog([Source("bad.rego", "package bad\n\ndeny contains\n")])


def test_metadata_that_is_no_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(PolicySyntaxError, match=r"^bad\.rego:2:"):
        read_catalog([Source("bad.rego", "# METADATA\n# custom: {\npackage bad\ndeny contains 1 if true\n")])


def test_every_broken_file_is_reported_at_once() -> None:
    sources = [
        Source("a.rego", "package"),
        Source("b.rego", policy_text("custom: {action: x}")),
        Source("c.rego", policy_text(package="c")),
    ]

    with pytest.raises(BrokenPoliciesError) as caught:
        read_catalog(sources)

    assert [str(error).partition(":")[0] for error in caught.value.errors] == ["a.rego", "b.rego"]
    assert "a.rego:" in str(caught.value)
    assert "b.rego:2: METADATA custom.action" in str(caught.value)


def test_a_policy_is_found_by_name() -> None:
    catalog = read_catalog([Source("a.rego", policy_text(package="a"))])

    assert catalog.get("a") is catalog.policies[0]
    assert catalog.get("b") is None


def test_the_digest_does_not_depend_on_where_the_files_are() -> None:
    assert read_policy(HEADER).digest == read_policy(HEADER, path="elsewhere/x.rego").digest


@pytest.mark.parametrize(
    "changed",
    [
        read_policy(HEADER, rules="deny contains 2 if true"),
        read_policy(HEADER.replace("1.0.0", "1.0.1")),
        read_policy(HEADER.replace("limit: 1", "limit: 2")),
        read_policy(HEADER + "\ntitle: New"),
    ],
)
def test_the_digest_changes_with_the_content(changed: object) -> None:
    assert changed.digest != read_policy(HEADER).digest  # type: ignore[attr-defined]


def test_the_digest_changes_with_a_library() -> None:
    def digest(library: str) -> str:
        text = policy_text(package="p", rules="import data.lib\n\ndeny contains lib.x if true")
        sources = [Source("p.rego", text), Source("lib.rego", policy_text(package="lib", rules=library))]
        return read_catalog(sources).policies[0].digest

    assert digest("x := 1") == digest("x := 1")
    assert digest("x := 1") != digest("x := 2")


def test_settings_lay_parameters_over_those_of_the_header() -> None:
    catalog = read_catalog(
        [Source("a.rego", policy_text(HEADER)), Source("b.rego", policy_text(package="b"))]
    )

    changed, other = override_parameters(catalog, {"example": {"limit": 5}}).policies

    assert changed.parameters == {"allowed_names": [], "limit": 5}
    assert changed.metadata.parameters == {"allowed_names": [], "limit": 1}
    assert changed.digest != catalog.policies[0].digest
    assert other is catalog.policies[1]


def test_a_policy_that_declares_no_parameters_takes_any() -> None:
    catalog = read_catalog([Source("b.rego", policy_text(package="b"))])

    assert override_parameters(catalog, {"b": {"anything": 1}}).policies[0].parameters == {"anything": 1}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"exampel": {}}, "parameters for policy 'exampel': no such policy; did you mean 'example'?"),
        ({"example": {"limits": 5}}, "'example': it has no parameter 'limits'; did you mean 'limit'?"),
    ],
)
def test_parameters_that_go_nowhere_are_refused(overrides: dict[str, dict[str, int]], message: str) -> None:
    catalog = read_catalog([Source("a.rego", policy_text(HEADER))])

    with pytest.raises(UnknownParameterError) as caught:
        override_parameters(catalog, overrides)

    assert message in str(caught.value)
