"""Requests signed for Amazon Web Services: `providers.aws.sign_req`, Signature Version 4 in the header.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

import datetime as dt
import hashlib
import hmac
import urllib.parse
from dataclasses import dataclass
from typing import Any

from webhook.rego.builtins.failures import MACHINE_LIMIT, OperandError, wrong_type
from webhook.rego.builtins.json_text import marshal
from webhook.rego.values import RegoObject

_REQUIRED_CONFIG = ("aws_access_key", "aws_region", "aws_secret_access_key", "aws_service")
_REQUIRED_REQUEST = ("method", "url")
_REQUEST_KEYS = frozenset(
    (
        *_REQUIRED_REQUEST,
        "body",
        "enable_redirect",
        "force_json_decode",
        "force_yaml_decode",
        "headers",
        "raw_body",
        "tls_use_system_certs",
        "tls_ca_cert",
        "tls_ca_cert_file",
        "tls_ca_cert_env_variable",
        "tls_client_cert",
        "tls_client_cert_file",
        "tls_client_cert_env_variable",
        "tls_client_key",
        "tls_client_key_file",
        "tls_client_key_env_variable",
        "tls_insecure_skip_verify",
        "tls_server_name",
        "timeout",
        "cache",
        "force_cache",
        "force_cache_duration_seconds",
        "raise_error",
        "caching_mode",
        "max_retry_attempts",
        "cache_ignored_headers",
    )
)
_UNSIGNED_HEADERS = frozenset(("authorization", "user-agent", "x-amzn-trace-id"))
_HASHED_SERVICES = frozenset(("s3", "glacier"))
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Credentials:
    """Who signs, where and for what."""

    access_key: str
    secret_key: str
    region: str
    service: str
    session_token: str

    def scope(self, day: str) -> str:
        return f"{day}/{self.region}/{self.service}/aws4_request"

    def signature(self, day: str, text: str) -> str:
        key = f"AWS4{self.secret_key}".encode(errors="replace")
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.digest(key, part.encode(errors="replace"), "sha256")
        return hmac.digest(key, text.encode(errors="replace"), "sha256").hex()


def sign_request(request: Any, config: Any, time_ns: Any) -> RegoObject:
    """Give a request with the headers that sign it."""
    if type(request) is not dict:
        raise wrong_type(1, request, "object")
    if type(config) is not dict:
        raise wrong_type(1, config, "object")
    _require(2, config, _REQUIRED_CONFIG, "AWS config")
    moment = _moment(time_ns)
    unknown = [key for key in request if key not in _REQUEST_KEYS]
    if unknown:
        raise OperandError(f"operand 1 invalid request parameters(s): {_listed(sorted(map(str, unknown)))}")
    _require(1, request, _REQUIRED_REQUEST, "request")
    headers = request.get("headers", {})
    if type(headers) is not dict:
        raise wrong_type(0, headers, "object")
    unsigned_payload = config.get("disable_payload_signing", False)
    if type(unsigned_payload) is not bool:
        raise OperandError("operand 2 invalid value for 'disable_payload_signing' in AWS config")
    texts = {
        key if type(key) is str else "": value if type(value) is str else "" for key, value in headers.items()
    }
    payload_hash = "UNSIGNED-PAYLOAD" if unsigned_payload else hashlib.sha256(_payload(request)).hexdigest()
    signed = _sign(request["method"], request["url"], texts, payload_hash, _credentials(config), moment)
    return {**request, "headers": {**texts, **signed}}


def _require(position: int, source: RegoObject, keys: tuple[str, ...], noun: str) -> None:
    missing = [key for key in keys if key not in source]
    if missing:
        raise OperandError(f"operand {position} missing required {noun} parameters(s): {_listed(missing)}")
    wrong = [key for key in keys if type(source[key]) is not str]
    if wrong:
        raise OperandError(
            f"operand {position} invalid values for required {noun} parameters(s): {_listed(wrong)}"
        )


def _listed(names: list[str]) -> str:
    return "{" + ", ".join(f'"{name}"' for name in names) + "}"


def _moment(time_ns: Any) -> dt.datetime:
    if type(time_ns) is not int and type(time_ns) is not float:
        raise wrong_type(1, time_ns, "number")
    if type(time_ns) is float or not -MACHINE_LIMIT <= time_ns < MACHINE_LIMIT:
        raise OperandError("operand 3 could not convert time_ns value into a unix timestamp")
    return dt.datetime.fromtimestamp(time_ns // _SECOND, dt.UTC)


def _payload(request: RegoObject) -> bytes:
    if "raw_body" in request:
        raw = request["raw_body"]
        return raw.encode(errors="replace") if type(raw) is str else b""
    return marshal(request["body"]).encode(errors="replace") if "body" in request else b""


def _credentials(config: RegoObject) -> _Credentials:
    token = config.get("aws_session_token", "")
    return _Credentials(
        config["aws_access_key"],
        config["aws_secret_access_key"],
        config["aws_region"],
        config["aws_service"],
        token if type(token) is str else "",
    )


def _sign(
    method: str,
    url: str,
    headers: dict[str, str],
    payload_hash: str,
    credentials: _Credentials,
    moment: dt.datetime,
) -> dict[str, str]:
    """Give the headers to add: those that the service needs, and the signature over them and the given ones."""
    target = urllib.parse.urlsplit(url)
    day, timestamp = moment.strftime("%Y%m%d"), moment.strftime("%Y%m%dT%H%M%SZ")
    added = {"host": target.netloc.rpartition("@")[2], "x-amz-date": timestamp}
    if credentials.service in _HASHED_SERVICES:
        added["x-amz-content-sha256"] = payload_hash
    if credentials.session_token:
        added["x-amz-security-token"] = credentials.session_token
    given = {name.lower(): value for name, value in headers.items() if name.lower() not in _UNSIGNED_HEADERS}
    signed = dict(sorted((added | given).items()))
    names = ";".join(signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    path = urllib.parse.quote(target.path, safe="/%!$&'()*+,;=:@~-._[]")
    canonical = f"{method}\n{path}\n{target.query}\n{lines}\n{names}\n{payload_hash}"
    digest = hashlib.sha256(canonical.encode(errors="replace")).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{credentials.scope(day)}\n{digest}"
    credential = f"Credential={credentials.access_key}/{credentials.scope(day)}"
    signature = credentials.signature(day, to_sign)
    return {
        "Authorization": f"AWS4-HMAC-SHA256 {credential},SignedHeaders={names},Signature={signature}",
        **added,
    }
