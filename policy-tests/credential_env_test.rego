# METADATA
# description: Values that look like live credentials are joined from parts, so that secret scanners stay quiet.
package gradate.credential_env_test

import data.gradate.credential_env
import rego.v1

aws_key_id := concat("", ["AKIA", "IOSFODNN7EXAMPLE"])

pod(env) := {"request": {
	"operation": "CREATE",
	"object": {"spec": {"containers": [{"name": "app", "image": "app:1", "env": env}]}},
}}

test_a_literal_under_a_well_known_name_is_denied if {
	count(credential_env.deny) == 1 with input as pod([{"name": "AWS_SECRET_ACCESS_KEY", "value": "literal"}])
}

test_a_known_shape_is_denied_under_any_name if {
	some violation in credential_env.deny with input as pod([{"name": "NOTE", "value": aws_key_id}])
	violation.details.found_by == "value"
	violation.msg == "container app: env NOTE holds an AWS access key ID"
}

test_the_path_names_the_entry if {
	env := [{"name": "LOG_LEVEL", "value": "info"}, {"name": "DB_PASSWORD", "value": "hunter2"}]
	some violation in credential_env.deny with input as pod(env)
	violation.path == ["spec", "containers", 0, "env", 1]
}

test_the_message_never_holds_the_value if {
	some violation in credential_env.deny with input as pod([{"name": "DB_PASSWORD", "value": "hunter2"}])
	not contains(json.marshal(violation), "hunter2")
}

test_each_entry_is_reported_once if {
	count(credential_env.deny) == 1 with input as pod([{"name": "AWS_ACCESS_KEY_ID", "value": aws_key_id}])
}

test_init_and_ephemeral_containers_are_judged if {
	env := [{"name": "DB_PASSWORD", "value": "hunter2"}]
	violations := credential_env.deny with input as {"request": {"object": {"spec": {
		"initContainers": [{"name": "migrate", "env": env}],
		"containers": [{"name": "app"}],
		"ephemeralContainers": [{"name": "debugger", "env": env}],
	}}}}
	{violation.msg | some violation in violations} == {
		"init container migrate: env DB_PASSWORD holds a literal password",
		"ephemeral container debugger: env DB_PASSWORD holds a literal password",
	}
}

test_references_pass if {
	count(credential_env.deny) == 0 with input as pod([
		{"name": "A_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
		{"name": "B_PASSWORD", "value": ""},
		{"name": "C_PASSWORD"},
		{"name": "D_PASSWORD", "value": "$(A_PASSWORD)"},
		{"name": "DATABASE_URL", "value": "postgres://app:$(A_PASSWORD)@db/app"},
		{"name": "E_PASSWORD", "value": "<placeholder>"},
	])
}

test_settings_about_credentials_pass if {
	count(credential_env.deny) == 0 with input as pod([
		{"name": "TOKEN_TTL", "value": "3600"},
		{"name": "PASSWORD_FILE", "value": "/run/secrets/x"},
		{"name": "AWS_REGION", "value": "eu-west-1"},
		{"name": "KEYCLOAK_URL", "value": "https://sso.example.com"},
		{"name": "ALLOW_EMPTY_PASSWORD", "value": "yes"},
	])
}

test_random_values_count_under_a_suspicious_name_only if {
	random := concat("", ["7f3Kd9sLq2Wm", "8Xz4Vb6Nc1Rt"])
	count(credential_env.deny) == 1 with input as pod([{"name": "TOKEN_READONLY", "value": random}])
	count(credential_env.deny) == 0 with input as pod([{"name": "BUILD", "value": random}])
}

test_allowed_names_are_globs if {
	env := [{"name": "LEGACY_DB_PASSWORD", "value": "hunter2"}, {"name": "DB_PASSWORD", "value": "hunter2"}]
	violations := credential_env.deny with input as pod(env) with input.parameters.allowed_names as ["legacy_*"]
	{violation.details.env | some violation in violations} == {"DB_PASSWORD"}
}

test_extra_names_are_globs if {
	env := [{"name": "SENTRY_DSN", "value": "opaque"}]
	count(credential_env.deny) == 0 with input as pod(env)
	count(credential_env.deny) == 1 with input as pod(env) with input.parameters.extra_names as ["*_DSN"]
}

test_allowed_values_match_the_whole_value if {
	env := [{"name": "A_TOKEN", "value": "localstack"}, {"name": "B_TOKEN", "value": "localstack2"}]
	violations := credential_env.deny with input as pod(env) with input.parameters.allowed_values as ["local.*k"]
	{violation.details.env | some violation in violations} == {"B_TOKEN"}
}

test_placeholders_can_be_denied_too if {
	env := [{"name": "DB_PASSWORD", "value": "changeme"}]
	count(credential_env.deny) == 0 with input as pod(env)
	count(credential_env.deny) == 1 with input as pod(env) with input.parameters.allow_placeholders as false
}

test_odd_shapes_hide_nothing if {
	good := {"name": "DB_PASSWORD", "value": "hunter2"}
	count(credential_env.deny) == 1 with input as pod([{"name": 5, "value": "x"}, {"name": "N", "value": 7}, null, "x", good])
	count(credential_env.deny) == 0 with input as pod("x")
	count(credential_env.deny) == 0 with input as {"request": {"object": {"spec": {"containers": null}}}}
}

test_a_container_without_a_name_hides_nothing if {
	count(credential_env.deny) == 1 with input as {"request": {"object": {"spec": {"containers": [{"env": [{
		"name": "DB_PASSWORD",
		"value": "hunter2",
	}]}]}}}}
}
