import ssl
import time

import pytest

from tests.support.https import FakeDecider, denial, post, review_body, serving


async def test_a_review_is_answered_with_its_uid_and_the_decision(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with (
        serving(context, trust, validate=FakeDecider(denial())) as running,
        running.client() as client,
    ):
        answer = await client.ask(post(review_body("4711")))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    response = answer.json["response"]
    assert (response["uid"], response["allowed"], response["status"]["code"]) == ("4711", False, 403)


async def test_each_path_has_its_own_decider(context: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    validate, mutate = FakeDecider(denial()), FakeDecider()
    async with (
        serving(context, trust, validate=validate, mutate=mutate) as running,
        running.client() as client,
    ):
        denied = await client.ask(post(review_body(), "/validate"))
        allowed = await client.ask(post(review_body(), "/mutate?timeout=5s"))
    assert [answer.json["response"]["allowed"] for answer in (denied, allowed)] == [False, True]
    assert (len(validate.seen), len(mutate.seen)) == (1, 1)


@pytest.mark.parametrize(
    ("query", "least_seconds", "most_seconds"),
    [("", 9.7, 10), ("?timeout=2s", 1.7, 2), ("?timeout=500ms", 0.4, 0.5), ("?x=1&timeout=99h", 29, 30)],
)
async def test_the_callers_timeout_less_a_margin_is_the_deadline(
    context: ssl.SSLContext, trust: ssl.SSLContext, query: str, least_seconds: float, most_seconds: float
) -> None:
    decider = FakeDecider()
    async with serving(context, trust, validate=decider) as running, running.client() as client:
        before = time.monotonic_ns()
        await client.ask(post(review_body(), f"/validate{query}"))
    left_seconds = (decider.seen[0][1] - before) / 1e9
    assert least_seconds < left_seconds < most_seconds


@pytest.mark.parametrize(
    ("request_bytes", "status", "code", "field"),
    [
        (post(b"{"), 400, "malformed_review", ""),
        (
            post(b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}'),
            400,
            "malformed_review",
            None,
        ),
        (post(b"\xff\xfe"), 400, "malformed_review", None),
        (post(b"[" * 200 + b"]" * 200), 400, "malformed_review", None),
        (post(b""), 400, "malformed_review", None),
        (post(review_body().replace(b"io/v1", b"io/v1beta1")), 400, "unsupported_version", "apiVersion"),
        (
            post(review_body(), headers={"Content-Type": "text/plain"}),
            415,
            "unsupported_media_type",
            "Content-Type",
        ),
        (
            post(review_body(), headers={"Content-Encoding": "gzip"}),
            415,
            "unsupported_media_type",
            "Content-Encoding",
        ),
        (post(review_body(), "/nowhere"), 404, "not_found", ""),
        (post(review_body(), "/validate/"), 404, "not_found", ""),
        (post(review_body(), "/validate?timeout=soon"), 400, "bad_request", "timeout"),
        (post(review_body(), "/validate?timeout=0s"), 400, "bad_request", "timeout"),
        (post(review_body()).replace(b"POST", b"PUT", 1), 405, "method_not_allowed", ""),
        (b"GET /validate HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed", ""),
    ],
)
async def test_a_wrong_request_gets_a_json_error_and_the_next_one_is_served(
    context: ssl.SSLContext,
    trust: ssl.SSLContext,
    request_bytes: bytes,
    status: int,
    code: str,
    field: str | None,
) -> None:
    async with serving(context, trust) as running, running.client() as client:
        answer = await client.ask(request_bytes)
        assert (answer.status, answer.error["code"]) == (status, code)
        assert answer.error["message"]
        if field is not None:
            assert answer.error["field"] == field
        following = await client.ask(post(review_body()))
    assert following.status == 200


async def test_an_unsupported_version_names_the_accepted_one(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with serving(context, trust) as running, running.client() as client:
        answer = await client.ask(post(review_body().replace(b"io/v1", b"io/v2")))
    assert "admission.k8s.io/v1" in answer.error["message"].split("send")[1]


async def test_a_wrong_method_names_the_right_one_and_head_gets_no_body(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with serving(context, trust) as running, running.client() as client:
        client.writer.write(b"HEAD /validate HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await client.answer(bodiless=True)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
        assert (await client.ask(post(review_body()))).status == 200


async def test_parameters_of_the_media_type_do_not_matter(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with serving(context, trust) as running, running.client() as client:
        headers = {"Content-Type": "Application/JSON; charset=utf-8"}
        assert (await client.ask(post(review_body(), headers=headers))).status == 200


async def test_an_error_of_the_server_itself_is_a_500_without_details_and_the_next_request_is_served(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async def broken() -> None:
        raise ZeroDivisionError("secret detail")

    decider = FakeDecider(wait=broken)
    async with serving(context, trust, validate=decider) as running, running.client() as client:
        answer = await client.ask(post(review_body()))
        assert (answer.status, answer.error["code"]) == (500, "internal")
        assert b"secret" not in answer.body
        assert b"Traceback" not in answer.body
        assert [str(error) for error in running.failures] == ["secret detail"]
        decider.wait = None
        assert (await client.ask(post(review_body()))).status == 200


async def test_every_answer_is_reported_with_what_was_decided_and_nothing_of_the_object(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    decider = FakeDecider(denial())
    async with serving(context, trust, validate=decider) as running, running.client() as client:
        await client.ask(post(review_body("u-7", name="shop-1"), headers={"traceparent": traceparent}))
        await client.ask(post(b"{"))
        await client.ask(post(b"{", "/nowhere"))
    decided, malformed, lost = running.outcomes
    assert decided.decision is not None
    assert (decided.endpoint, decided.status, decided.traceparent) == ("validate", 200, traceparent)
    assert (decided.decision.uid, decided.decision.namespace, decided.decision.allowed) == (
        "u-7",
        "shop",
        False,
    )
    assert decided.decision.verdicts[0].policy == "credential-env"
    assert 0 < decided.duration_ns < 5e9
    assert (malformed.endpoint, malformed.status, malformed.error) == ("validate", 400, "malformed_review")
    assert (lost.endpoint, lost.status, lost.decision) == ("other", 404, None)
