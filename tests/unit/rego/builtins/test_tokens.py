"""Keys are made for the tests; tokens are signed by the builtins themselves or put together by hand."""

import base64
import json
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.rego_builtins import LATE_2023_NS, call, failure

NOW_SECONDS = LATE_2023_NS // 10**9
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
SECRET_KEY = {"kty": "oct", "k": "c2VjcmV0"}
SECRET = "secret"


def encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def unsigned(header: Any, payload: Any, signature: str = "c2ln") -> str:
    return f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(payload).encode())}.{signature}"


@cache
def private_key(algorithm: str) -> Any:
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048)


def pem(key: Any) -> str:
    text: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return text.decode()


def public_pem(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return text.decode()


def web_key(key: Any) -> dict[str, Any]:
    document: dict[str, Any] = call("crypto.x509.parse_rsa_private_key", pem(key))
    return document


def public_web_key(key: Any, **more: str) -> dict[str, Any]:
    private = {"d", "p", "q", "dp", "dq", "qi"}
    return {name: value for name, value in web_key(key).items() if name not in private} | more


ASYMMETRIC = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


def shared_key(algorithm: str) -> Any:
    return private_key("RS256" if algorithm[:2] in ("RS", "PS") else algorithm)


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_what_a_private_key_signs_its_public_key_verifies(algorithm: str) -> None:
    key = shared_key(algorithm)
    token = call("io.jwt.encode_sign", {"alg": algorithm}, {"sub": "me"}, web_key(key))
    verify = f"io.jwt.verify_{algorithm.lower()}"
    assert call(verify, token, public_pem(key))
    assert call(verify, token, json.dumps(public_web_key(key)))
    assert call(verify, token, json.dumps({"keys": [SECRET_KEY, public_web_key(key)]}))
    header, payload, signature = token.split(".")
    assert not call(verify, f"{header}.{encoded(b'{}')}.{signature}", public_pem(key))
    assert not call(verify, token, public_pem(private_key("EdDSA" if algorithm != "EdDSA" else "ES256")))
    assert payload == encoded(b'{"sub":"me"}')


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_what_a_secret_signs_the_secret_verifies(algorithm: str) -> None:
    token = call("io.jwt.encode_sign", {"alg": algorithm}, {}, SECRET_KEY)
    assert call(f"io.jwt.verify_{algorithm.lower()}", token, SECRET)
    assert not call(f"io.jwt.verify_{algorithm.lower()}", token, "another")
    assert call("io.jwt.decode_verify", token, {"secret": SECRET}) == [True, {"alg": algorithm}, {}]


def test_an_algorithm_does_not_take_keys_of_another_kind() -> None:
    """A public key must never serve as the secret of a symmetric signature."""
    key = private_key("RS256")
    forged = call(
        "io.jwt.encode_sign", {"alg": "HS256"}, {}, {"kty": "oct", "k": encoded(public_pem(key).encode())}
    )
    assert call("io.jwt.decode_verify", forged, {"cert": public_pem(key)}) == [False, {}, {}]
    assert not call("io.jwt.verify_rs256", forged, public_pem(key))
    none = unsigned({"alg": "none"}, {}, "")
    assert call("io.jwt.decode_verify", none, {"secret": SECRET}) == [False, {}, {}]


def test_the_key_that_a_token_names_is_the_only_one_tried() -> None:
    right, wrong = private_key("ES256"), private_key("ES384")
    token = call("io.jwt.encode_sign", {"alg": "ES256", "kid": "a"}, {}, web_key(right))
    named = [public_web_key(wrong, kid="a"), public_web_key(right, kid="b")]
    assert not call("io.jwt.verify_es256", token, json.dumps({"keys": named}))
    assert call("io.jwt.verify_es256", token, json.dumps({"keys": named[1:]}))
    other_algorithm = public_web_key(right, alg="ES384")
    assert not call("io.jwt.verify_es256", token, json.dumps(other_algorithm))


def test_decode_gives_the_parts_and_follows_a_nested_token() -> None:
    inner = unsigned({"alg": "x"}, {"a": 1})
    assert call("io.jwt.decode", inner) == [{"alg": "x"}, {"a": 1}, "736967"]
    header = encoded(b'{"cty":"JWT"}')
    outer = f"{header}.{encoded(json.dumps(inner).encode())}.c2ln"
    assert call("io.jwt.decode", outer) == [{"alg": "x"}, {"a": 1}, "736967"]


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("abc", "encoded JWT had no period separators"),
        ("a.b", "encoded JWT must have 3 sections, found 2"),
        ("!.e30.c2ln", "JWT header had invalid encoding"),
        (unsigned([], {}), "bad JWT header: decoded JSON type was not an Object"),
        (unsigned({"enc": "x"}, {}), "JWT is a JWE object, which is not supported"),
        (unsigned({}, []), "decoded JSON type was not an Object"),
        (1, "operand 1 must be string but got number"),
    ],
)
def test_what_is_no_token_is_refused(token: Any, words: str) -> None:
    assert words in failure("io.jwt.decode", token)


def signed(payload: Any, **header: Any) -> str:
    token: str = call("io.jwt.encode_sign", {"alg": "HS256", **header}, payload, SECRET_KEY)
    return token


@pytest.mark.parametrize(
    ("payload", "constraints", "valid"),
    [
        ({}, {}, True),
        ({"iss": "us"}, {"iss": "us"}, True),
        ({"iss": "them"}, {"iss": "us"}, False),
        ({}, {"iss": "us"}, False),
        ({"aud": "app"}, {"aud": "app"}, True),
        ({"aud": ["app", "web"]}, {"aud": "web"}, True),
        ({"aud": "app"}, {}, False),
        ({}, {"aud": "app"}, False),
        ({"exp": NOW_SECONDS + 1}, {}, True),
        ({"exp": NOW_SECONDS}, {}, False),
        ({"exp": 100}, {"time": 99 * 10**9}, True),
        ({"nbf": NOW_SECONDS}, {}, True),
        ({"nbf": NOW_SECONDS + 1}, {}, False),
        ({}, {"alg": "HS256"}, True),
        ({}, {"alg": "HS512"}, False),
    ],
)
def test_claims_are_checked_against_constraints_and_time(payload: Any, constraints: Any, valid: bool) -> None:
    answer = call("io.jwt.decode_verify", signed(payload), {"secret": SECRET, **constraints})
    assert answer == ([True, {"alg": "HS256"}, payload] if valid else [False, {}, {}])


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        ({}, "no key constraint"),
        ({"secret": SECRET, "cert": '{"keys":[]}'}, "duplicate key constraints"),
        ({"secret": SECRET, "color": "red"}, "unknown token validation constraint: color"),
        ({"secret": 1}, "secret constraint: must be a string"),
        ({"cert": 1}, "cert constraint: must be a string"),
        ({"secret": SECRET, "time": "x"}, "token time constraint: must be a number"),
        ({"secret": SECRET, "time": -1}, "token time constraint: must not be negative"),
        ({"cert": "{}"}, "failed to parse a JWK key (set)"),
        (
            {"cert": "-----BEGIN X-----\nAA==\n-----END X-----\n"},
            "failed to extract a Key from the PEM certificate",
        ),
        ({"cert": '{"kty":"RSA","e":"AQAB","n":"' + "A" * 5000 + '"}'}, "invalid RSA key"),
    ],
)
def test_wrong_constraints_are_refused(constraints: Any, words: str) -> None:
    assert words in failure("io.jwt.decode_verify", signed({}), constraints)


def test_headers_that_must_be_understood_are_respected() -> None:
    assert call("io.jwt.decode_verify", signed({}, crit=["x"], x=1), {"secret": SECRET}) == [False, {}, {}]
    assert call("io.jwt.decode_verify", signed({}, crit=["x"]), {"secret": SECRET})[0]
    assert "crit: must be a list" in failure("io.jwt.decode_verify", signed({}, crit="x"), {"secret": SECRET})
    assert "exp value must be a number" in failure(
        "io.jwt.decode_verify", signed({"exp": "x"}), {"secret": SECRET}
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{", "{}", json.dumps(SECRET_KEY)), "missing or invalid 'alg' header: cannot parse JSON"),
        (("{}", "{}", json.dumps(SECRET_KEY)), "missing or invalid 'alg' header"),
        (('{"alg":"XX"}', "{}", json.dumps(SECRET_KEY)), "unknown JWS algorithm: XX"),
        (('{"alg":"HS256"}', "plain", json.dumps(SECRET_KEY)), "type is JWT but payload is not JSON"),
        (('{"alg":"RS256"}', "{}", json.dumps(SECRET_KEY)), "does not fit"),
        (('{"alg":"HS256"}', "{}", '{"kty":"oct"}'), "incomplete or invalid oct key"),
        (('{"alg":"HS256"}', "{}", '{"kty":"odd"}'), "unsupported key type"),
        (('{"alg":"HS256"}', "{}", '{"keys":[]}'), "no keys found"),
        (('{"alg":"HS256"}', "{}", "3"), "not a JSON Web Key"),
    ],
)
def test_what_cannot_be_signed_is_refused(arguments: tuple[str, str, str], words: str) -> None:
    assert words in failure("io.jwt.encode_sign_raw", *arguments)


def test_a_plain_payload_is_signed_as_it_is() -> None:
    token = call(
        "io.jwt.encode_sign_raw", '{"typ":"text/plain","alg":"HS256"}', "plain", json.dumps(SECRET_KEY)
    )
    assert token.split(".")[1] == encoded(b"plain")


@pytest.mark.parametrize("primes", [{}, {"p": "Aw", "q": "BQ"}], ids=["without primes", "with primes"])
def test_a_key_too_large_to_compute_with_is_refused_at_once(primes: dict[str, str]) -> None:
    number = base64.urlsafe_b64encode(b"\xff" * 100_000).decode().rstrip("=")
    key = {"kty": "RSA", "n": number, "e": "AQAB", "d": number, **primes}

    assert "invalid RSA key" in failure("io.jwt.encode_sign", {"alg": "RS256"}, {"a": 1}, key)
