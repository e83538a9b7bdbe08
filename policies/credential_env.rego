# METADATA
# title: Credentials in environment variables
# description: >-
#   A literal credential in a Pod's env is readable by anyone who can read the Pod, and it stays in etcd,
#   in manifests and in crash reports.
# related_resources:
#   - https://kubernetes.io/docs/concepts/configuration/secret/
#   - https://kubernetes.io/docs/concepts/security/secrets-good-practices/
# custom:
#   name: credential-env
#   version: 1.0.0
#   severity: high
#   action: deny
#   match: {kinds: [Pod], operations: [CREATE, UPDATE]}
#   parameters:
#     extra_names: []
#     allowed_names: []
#     allowed_values: []
#     allow_placeholders: true
#   remediation: >-
#     Use valueFrom.secretKeyRef, mount the Secret as a file, or use workload identity (IRSA).
package gradate.credential_env

import rego.v1

# Three findings, in this order; docs/policies.md holds the lists in prose.
#   value    the value has the shape of a known credential, whatever its name
#   name     the name says credential, and the value is neither a reference, a placeholder nor a plain setting
#   entropy  the name mentions one, and the value looks random
#
# Most Pods hold none. So all names are screened at once, and all values, with one regular expression each;
# only what passes the screen is looked at one by one. Names are compared in upper case.

container_lists := ["containers", "initContainers", "ephemeralContainers"]

labels := {
	"containers": "container",
	"initContainers": "init container",
	"ephemeralContainers": "ephemeral container",
}

deny contains violation if {
	regex.match(screen_of_values, all_values)
	some list in container_lists
	some i, container in input.request.object.spec[list]
	some j, entry in container.env
	what := credential_shape(entry.value)
	not excepted(entry)
	violation := report(labels[list], container, entry, ["spec", list, i, "env", j], what, "value")
}

deny contains violation if {
	count(suspects) > 0
	some list in container_lists
	some i, container in input.request.object.spec[list]
	some j, entry in container.env
	found := finding(suspects[upper(entry.name)], entry.value)
	not credential_shape(entry.value)
	not excepted(entry)
	violation := report(labels[list], container, entry, ["spec", list, i, "env", j], found.what, found.rule)
}

report(label, container, entry, path, what, rule) := {
	"msg": sprintf("%v %v: env %v holds %v", [label, named(container), named(entry), what]),
	"path": path,
	"details": {"container": named(container), "env": named(entry), "found_by": rule},
}

# The API server demands names, but a violation must not vanish without one.
named(thing) := object.get(thing, "name", "without a name")

all_values := concat("\n", [entry.value |
	some list in container_lists
	some container in input.request.object.spec[list]
	some entry in container.env
	is_string(entry.value)
])

# By env name that mentions a credential: what the name says of its value. Most Pods have none, or only names
# such as TOKEN_TTL, and are done here.
suspects := {name: kind |
	some name in mentions | extra_names
	kind := kind_of(name)
}

mentions := {name | some name in regex.find_n(screen_of_names, all_names, -1)}

# Entries with valueFrom have no value and take no part. No name holds an equals sign.
all_names := upper(concat("=", [entry.name |
	some list in container_lists
	some container in input.request.object.spec[list]
	some entry in container.env
	entry.value
	is_string(entry.name)
]))

extra_names := {name |
	some pattern in input.parameters.extra_names
	some name in split(all_names, "=")
	glob.match(upper(pattern), ["="], name)
}

# Exceptions by parameter: names as globs, values as RE2 expressions that match the whole value.
excepted(entry) if {
	some pattern in input.parameters.allowed_names
	glob.match(upper(pattern), ["="], upper(entry.name))
}

excepted(entry) if {
	some pattern in input.parameters.allowed_values
	regex.match(concat("", ["^(", pattern, ")$"]), entry.value)
}

# ---- names -----------------------------------------------------------------------------------------------

screen_of_names := `[^=]*(?:PASS|PWD|_PW|SECRET|TOKEN|CREDENTIAL|CREDS|API_?KEY|[A-Z][_.-]?KEY|COOKIE|_AUTH)[^=]*`

# A name that ends like this holds a password.
password_name := `(?:PASSWO?R?D|PASSWORT|PASSPHRASE|PASSCODE|PASS|PWD|[_.-]PW)$`

# A name that ends like this holds a token, key or shared secret.
credential_name := concat("", [
	`(?:TOKEN|SECRET|ERLANG_COOKIE|DOCKER_AUTH_CONFIG|NEO4J_AUTH|(?:VAULT|APPROLE)_SECRET_ID|SECRET_KEY_BASE`,
	`|ACCESS[_.-]?KEY(?:[_.-]?ID)?`,
	`|(?:API|APP|AUTH|SECRET|PRIVATE|SHARED|MASTER|ACCOUNT|AZURE_STORAGE|LICENSE|ENCRYPTION|DECRYPTION|CRYPT`,
	`|SIGNING|FERNET|HMAC|JWT|SSH|DEPLOY)[_.-]?KEY)$`,
])

# A name that ends like one of the above, and yet is known to hold none: a shell's own variable, the name of a
# Kubernetes Secret, or what is published on purpose.
innocent_name := concat("", [
	`^(?:OLD)?PWD$|(?:ASK|BY|COM|SUR|OVER|UNDER)PASS$|`,
	`(?:^|[_.-])(?:TLS|CERTS?|CERTIFICATE|SSL|CA|PULL|REGISTRY|KUBERNETES|K8S|EXISTING)[_.-]?SECRET$`,
	`|(?:^|[_.-])(?:PUBLIC|PUBLISHABLE)(?:[_.-]|KEY)`,
	`|(?:SITE|PARTITION|SORT|PRIMARY|FOREIGN|HASH|RANGE|CACHE|ROUTING|OBJECT|INSTRUMENTATION|IDEMPOTENCY)[_.-]?KEY$`,
])

# A name that mentions a credential and ends with this word describes it, and does not hold it.
descriptive_words := {
	"ALG", "ALGORITHM", "ANNOTATION", "ARN", "ATTEMPTS", "ATTRIBUTE", "AUDIENCE", "AUDIENCES", "BACKEND",
	"BITS", "BUCKET", "CACHE", "CLAIM", "CLASS", "CHECKSUM", "CMD", "COMMAND", "COUNT", "DAYS", "DIGEST", "DIR", "DIRECTORY",
	"DOMAIN", "DURATION", "ENABLED", "ENCODING", "ENDPOINT", "ENGINE", "ENV", "EXPIRATION", "EXPIRES",
	"EXPIRY", "FIELD", "FILE", "FILENAME", "FINGERPRINT", "FORMAT", "GROUP", "HASH", "HEADER", "HOST", "HOSTNAME",
	"HOURS", "ID", "INTERVAL", "ISSUER", "KIND", "LABEL", "LENGTH", "LIFETIME", "LIMIT", "LOCATION",
	"METHOD", "MINUTES", "MODE", "MOUNT", "NAME", "NAMES", "NAMESPACE", "OPTIONS", "PARAMETER", "PATH",
	"PERIOD", "POLICY", "PORT", "PREFIX", "PROJECT", "PROVIDER", "REALM", "REF", "REFERENCE", "REGION",
	"ROLE", "ROTATION", "SCHEME", "SCOPE", "SCOPES", "SECONDS", "SERVER", "SERVICE", "SHA256", "SIZE", "SOCK",
	"SOURCE", "STORE", "STRENGTH", "SUBJECT", "SUFFIX", "TIMEOUT", "TTL", "TYPE", "URI", "URL", "USER",
	"USERNAME", "VERSION",
}

kind_of(name) := "password" if {
	regex.match(password_name, name)
	not regex.match(innocent_name, name)
} else := "credential" if {
	named_as_credential(name)
	not regex.match(innocent_name, name)
} else := "mention" if {
	words := split(replace(replace(name, "-", "_"), ".", "_"), "_")
	not words[count(words) - 1] in descriptive_words
	not regex.match(innocent_name, name)
}

named_as_credential(name) if regex.match(credential_name, name)

named_as_credential(name) if extra_names[name]

literals := {"password": "a literal password", "credential": "a literal credential"}

finding(kind, value) := {"rule": "name", "what": literals[kind]} if {
	not reference(value)
	not placeholder(value)
	not switch(value)
	not location(value)
	not small_number(kind, value)
} else := {"rule": "entropy", "what": "what looks like a random credential"} if {
	kind == "mention"
	not reference(value)
	looks_random(value)
}

# ---- values that are no credential -----------------------------------------------------------------------

# Filled in later, from elsewhere: Kubernetes expansions, shell and template variables, secret managers.
reference(value) if regex.match(reference_value, value)

reference_value := concat("", [
	`^\s*$|\$\([A-Za-z_.-][A-Za-z0-9_.-]*\)|^\$\{[^}]*\}$|^\$[A-Za-z_][A-Za-z0-9_]*$|\{\{.*\}\}|^<[^<>]*>$`,
	`|^\[\[.*\]\]$|^%[A-Za-z0-9_.]+%$|^@@?[A-Za-z0-9_.]+@@?$|^__[A-Za-z0-9_.]+__$|^#\{.*\}#?$|^@Microsoft\.KeyVault\(`,
	`|^(?:>>)?vault:|^ref\+[a-z]+[0-9a-z]*://|^(?:secret)?ref:|^secret:|^(?:aws|gcp|azure|k8s|env|file):`,
	`|^(?:op|ssm|sm|gcpsm|awssm|aws-sm|akv|akvs|keyvault|berglas|bws|doppler|infisical|conjur|vault|secretsmanager|secret|secrets)://`,
	`|^arn:aws[a-z-]*:(?:secretsmanager|ssm):|^projects/[^/]+/secrets/|^ENC\[|^\{cipher\}`,
])

# A switch, not a credential: USE_TOKEN=true, RESET_PASSWORD=no, ACCESS_TOKEN=15m.
switch(value) if lower(value) in {"true", "false", "yes", "no", "on", "off", "enabled", "disabled", "0", "1"}

switch(value) if regex.match(`^[0-9]{1,6}(?:ns|us|ms|s|m|h|d)$`, value)

# MAX_TOKEN=4096; but a password may be a number.
small_number("credential", value) if regex.match(`^[0-9]{1,6}$`, value)

# Where a credential lies: a path, or a URL that carries no password.
location(value) if {
	regex.match(`^(?:file://|~|\.{1,2})?/(?:[A-Za-z0-9._-]+/)*[A-Za-z0-9._-]+/?$|^[A-Za-z]:\\`, value)
	not regex.match(`^[A-Za-z0-9/]{40}$`, value)
}

location(value) if regex.match(`^[a-z][a-z0-9+.-]*://[^\s@]*$`, value)

placeholder(value) if masked(value)

placeholder(value) if {
	not placeholders_refused
	regex.match(placeholder_value, upper(value))
}

placeholders_refused if input.parameters.allow_placeholders == false

# Blacked out: ****, xxxxxxxx, ...
masked(value) if regex.match(`^[xX*._#?-]+$`, value)

placeholder_value := concat("", [
	`^(?:TODO|TBD|FIXME|PLACEHOLDER|REDACTED|MASKED|HIDDEN|NONE|NULL|NIL|UNDEFINED|UNSET|EMPTY|N/?A|DUMMY|FAKE`,
	`|UNUSED|NOT[-_ ]?USED|IGNORED?|EXAMPLE|SAMPLE|CHANGE[-_ ]?IT)$`,
	`|^(?:CHANGE|REPLACE|INSERT|FILL|ENTER|PUT|OVERRIDE|UPDATE|EDIT)[-_ ]?(?:ME|THIS|IT|IN|WITH|HERE|YOUR)(?:$|[-_ !])`,
	`|^(?:SET|ADD|PROVIDED|INJECTED|MANAGED|GENERATED)[-_ ](?:ME|THIS|IN|BY|VIA|AT|FROM)(?:$|[-_ ])`,
	`|^YOUR(?:[-_ ].|-?(?:API)?(?:PASSWORD|TOKEN|KEY|SECRET)$)|^TO[-_ ]BE[-_ ]|[-_ ]HERE$|^PLACEHOLDER[-_ ]|[-_ ]PLACEHOLDER$`,
])

# Long, from one alphabet, letters and digits mixed, and not words joined by separators.
looks_random(value) if {
	regex.match(`^[A-Za-z0-9+/=_.~!@#$%^&*-]{16,}$`, value)
	regex.match(`[A-Za-z]`, value)
	regex.match(`[0-9][^0-9]+[0-9]`, value)
	not regex.match(`^[A-Za-z]*[0-9]{0,4}[a-z]{0,2}(?:[-_./:@+=][A-Za-z]*[0-9]{0,4}[a-z]{0,2})*$`, value)
	not location(value)
	count({character | some character in split(value, "")}) >= 10
}

# ---- values that are a credential, whatever their name --------------------------------------------------------

# Must let through whatever one of the shapes below matches; cheap, because it runs on every Pod.
screen_of_values := concat("", [
	`AKIA|ASIA|ABIA|ACCA|gh[pousr]_|github_pat_|gl[a-z]{2,6}-|xox[a-z]-|xapp-|hooks\.slack\.com|AIza|ya29\.|GOCSPX-`,
	`|[sr]k_(?:live|test)_|whsec_|npm_|pypi-|hvs\.|sk-|hf_|dop_v1_|SG\.|dckr_pat_|AGE-SECRET-KEY-|glsa_`,
	`|PRIVATE KEY|LS0tLS1CRUdJTi|eyJ|://[^\s/@]*:[^\s/@]*@|[Pp](?:assword|ASSWORD|wd|WD)\s*=|AccountKey=|AccessKey=|@(?:tcp|unix)\(`,
])

shapes := [
	{"what": "an AWS access key ID", "pattern": `(?:^|[^A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?:$|[^A-Za-z0-9])`},
	{"what": "a GitHub token", "pattern": `(?:^|[^A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})`},
	{"what": "a GitLab token", "pattern": `(?:^|[^A-Za-z0-9_-])gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_=-]{20}`},
	{"what": "a Slack token", "pattern": `(?:^|[^A-Za-z0-9_-])(?:xox[abeoprs]-[A-Za-z0-9-]{10}|xapp-[0-9]-[A-Za-z0-9-]{10})`},
	{"what": "a Slack webhook URL", "pattern": `hooks\.slack\.com/(?:services|workflows|triggers)/[A-Z0-9]+/[A-Za-z0-9]+/[A-Za-z0-9]{16}`},
	{"what": "a Google credential", "pattern": `(?:^|[^A-Za-z0-9_-])(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20}|GOCSPX-[A-Za-z0-9_-]{20})`},
	{"what": "a Stripe key", "pattern": `(?:^|[^A-Za-z0-9_])(?:[sr]k_(?:live|test)_[A-Za-z0-9]{10}|whsec_[A-Za-z0-9+/=]{24})`},
	{"what": "an npm token", "pattern": `(?:^|[^A-Za-z0-9_])npm_[A-Za-z0-9]{36}`},
	{"what": "a PyPI token", "pattern": `(?:^|[^A-Za-z0-9_-])pypi-Ag[A-Za-z0-9_-]{30}`},
	{"what": "a Vault token", "pattern": `(?:^|[^A-Za-z0-9_])hvs\.[A-Za-z0-9_-]{24}`},
	{"what": "an API key", "pattern": concat("", [
		`(?:^|[^A-Za-z0-9_-])(?:sk-(?:[A-Za-z0-9]{32}|(?:proj|ant|svcacct|admin)-[A-Za-z0-9_-]{32})|hf_[A-Za-z0-9]{30}|dop_v1_[a-f0-9]{64}`,
		`|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|dckr_pat_[A-Za-z0-9_-]{20}|AGE-SECRET-KEY-1[A-Z0-9]{50}`,
		`|glsa_[A-Za-z0-9]{32})`,
	])},
	{"what": "a private key", "pattern": concat("", [
		`-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----`,
		`|LS0tLS1CRUdJTi(?:BQUklWQVRF|BSU0EgUFJJVkFUR|BFQyBQUklWQVRF|BEU0EgUFJJVkFUR|BPUEVOU1NIIFBSSVZBVE|BFTkNSWVBURUQgUFJJVkFUR|BQR1AgUFJJVkFUR)`,
	])},
	{"what": "a JSON Web Token", "pattern": `(?:^|[^A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}`},
]

credential_shape(value) := what if {
	regex.match(screen_of_values, value)
	matching := [shape.what |
		some shape in shapes
		regex.match(shape.pattern, value)
		not regex.match(`[xX]{8}|[*]{4}|\.\.\.`, value)
	]
	what := matching[0]
} else := "a URL with a password" if {
	some groups in regex.find_all_string_submatch_n(url_password, value, -1)
	not startswith(groups[2], "sha256:")
	real_password(groups[1])
} else := "a connection string with a password" if {
	some pattern in connection_passwords
	some groups in regex.find_all_string_submatch_n(pattern, value, -1)
	real_password(groups[1])
}

# docker://nginx:1.27@sha256:… has the same shape, and is no credential.
url_password := `://[^\s/:@?#]*:([^\s/@]+)@([^\s/]*)`

connection_passwords := [
	`(?:^|[;?&\s]|--)(?:[Pp]assword|PASSWORD|[Pp]wd|PWD|AccountKey|SharedAccessKey)\s*=\s*["']?([^\s;&"']+)`,
	`^[^\s:/@]+:([^\s@]+)@(?:tcp|unix)\(`,
]

real_password(password) if {
	not reference(password)
	not placeholder(password)
	not regex.match(`^[$%{<]`, password)
}
