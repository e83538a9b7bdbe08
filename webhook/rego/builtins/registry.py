"""Every builtin by its name, and those of OPA's that Gradate does not have, each with the reason.

A family module gives its declarations as `BUILTINS`; this one only gathers them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from webhook.rego.builtins import (
    aggregates,
    arithmetic,
    arrays,
    aws_signatures,
    bits,
    certificates,
    comparison,
    encodings,
    formatting,
    glob_intersection,
    globs,
    graphql,
    graphs,
    hashes,
    identifiers,
    json_paths,
    json_schemas,
    json_text,
    networks,
    objects,
    printing,
    regex,
    semver,
    sets,
    strings,
    templates,
    times,
    tokens,
    type_checks,
    units,
    yaml_documents,
)
from webhook.rego.builtins.declaration import Builtin

_FAMILIES = (
    aggregates,
    arrays,
    aws_signatures,
    bits,
    certificates,
    comparison,
    encodings,
    formatting,
    globs,
    graphql,
    glob_intersection,
    graphs,
    hashes,
    identifiers,
    json_paths,
    json_schemas,
    json_text,
    networks,
    arithmetic,
    objects,
    printing,
    regex,
    semver,
    sets,
    strings,
    templates,
    times,
    tokens,
    type_checks,
    units,
    yaml_documents,
)

BUILTINS: Mapping[str, Builtin] = MappingProxyType(
    {builtin.name: builtin for family in _FAMILIES for builtin in family.BUILTINS}
)
"""Builtins by full name; operators under their names in OPA's plans, such as `plus` for `+`."""

_QUICK_FAMILIES = (
    arithmetic,
    bits,
    comparison,
    identifiers,
    printing,
    sets,
    strings,
    type_checks,
    units,
)

SLOW: frozenset[str] = frozenset(
    {
        builtin.name
        for family in _FAMILIES
        if family not in _QUICK_FAMILIES
        for builtin in family.BUILTINS
        if builtin.name not in ("count", "object.get", "sprintf")
    }
    | {"strings.replace_n", "strings.any_prefix_match", "strings.any_suffix_match"}
)
"""Builtins of which a call may take long enough for the clock to be looked at before it."""

UNAVAILABLE: Mapping[str, str] = MappingProxyType(
    {
        "http.send": "a policy may not open network connections: give it what it needs as data",
        "net.lookup_ip_addr": "a policy may not ask a name server: give it what it needs as data",
        "opa.runtime": "a policy may not read the server's configuration or environment",
        "rego.parse_module": "a policy may not parse Rego modules while it is evaluated",
    }
)
"""OPA's builtins that are refused when a policy is loaded, with the reason to show."""
