"""The admission endpoints: an HTTP request becomes a review, its decision an HTTP answer.

Owns paths, methods, media types, the caller's timeout and the HTTP status of everything that can be wrong.
Must not know how a decision is made, or what a connection is.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import parse_qsl

from aiohttp.http import RawRequestMessage

from webhook.admission.errors import MalformedReviewError, UnsupportedReviewError
from webhook.admission.response import encode_response
from webhook.admission.review import Review, decode_review
from webhook.decision.decision import Decision
from webhook.decision.record import record
from webhook.rollout.duration import MILLISECOND_NS, parse_duration
from webhook.rollout.errors import InvalidDuration
from webhook.server.answers import JSON, Answer, ErrorCode, refuse
from webhook.server.calls import Call, Route
from webhook.telemetry.outcome import RequestOutcome

Decide = Callable[[Review, int], Awaitable[Decision]]
"""Takes a review and the monotonic time by which it must be decided, in nanoseconds; does not raise."""
Report = Callable[[RequestOutcome], None]
ReportFailure = Callable[[str, BaseException], None]

_LONGEST_TIMEOUT_NS = 30_000 * MILLISECOND_NS  # Kubernetes refuses webhooks with a longer timeoutSeconds
_UNKNOWN = "other"
_CACHED_TARGETS = 64


class AdmissionEndpoints:
    """`POST /validate` and `POST /mutate`."""

    def __init__(
        self,
        deciders: Mapping[str, Decide],
        *,
        default_timeout_ns: int,
        report: Report,
        report_failure: ReportFailure,
    ) -> None:
        """Take one decider for each endpoint name, `validate` and `mutate`.

        Args:
            deciders: by endpoint name.
            default_timeout_ns: a request's time where its caller names none.
            report: hears of every answer, on the path of the request.
            report_failure: hears of exceptions that should not have been, with the endpoint's name.

        """
        self._deciders = deciders
        self._default_timeout_ns = default_timeout_ns
        self._report = report
        self._report_failure = report_failure
        # An API server asks for the same target again and again.
        self._find = lru_cache(maxsize=_CACHED_TARGETS)(self._find_route)

    def route(self, head: RawRequestMessage) -> Route | Answer:
        """Tell from the head alone where a request goes, or why it is refused."""
        route = self._find(head.path)
        if isinstance(route, Answer):
            return route
        if head.method != "POST":
            return refuse(
                HTTPStatus.METHOD_NOT_ALLOWED,
                ErrorCode.METHOD_NOT_ALLOWED,
                f"{head.method} is not served here; POST an AdmissionReview",
                headers=(("Allow", "POST"),),
            )
        headers = head.headers
        media_type = headers.get("Content-Type", "")
        if media_type != JSON and media_type.partition(";")[0].strip().lower() != JSON:
            return refuse(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                ErrorCode.UNSUPPORTED_MEDIA_TYPE,
                f"send Content-Type: {JSON}",
                field="Content-Type",
            )
        if headers.get("Content-Encoding", "identity") != "identity":
            return refuse(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                ErrorCode.UNSUPPORTED_MEDIA_TYPE,
                "send the body uncompressed",
                field="Content-Encoding",
            )
        return route

    async def answer(self, call: Call) -> Answer:
        """Decode, decide, encode."""
        route = call.route
        if route is None:
            raise LookupError("a call without a route was served")
        try:
            review = decode_review(call.body)
        except UnsupportedReviewError as error:
            return refuse(
                HTTPStatus.BAD_REQUEST, ErrorCode.UNSUPPORTED_VERSION, str(error), field="apiVersion"
            )
        except MalformedReviewError as error:
            return refuse(HTTPStatus.BAD_REQUEST, ErrorCode.MALFORMED_REVIEW, error.reason, field=error.field)
        deadline_ns = call.received_ns + route.timeout_ns - _margin_ns(route.timeout_ns)
        decision = await self._deciders[route.endpoint](review, deadline_ns)
        call.decision = record(review.request, decision)
        return Answer(HTTPStatus.OK, encode_response(decision.respond(review.request.uid)))

    def answered(self, call: Call, answer: Answer) -> None:
        """Report an answer that was handed to the network."""
        head = call.head
        self._report(
            RequestOutcome(
                endpoint=_UNKNOWN if call.route is None else call.route.endpoint,
                status=answer.status.value,
                error="" if answer.error is None else answer.error.value,
                ended_at_ns=time.time_ns(),
                duration_ns=time.monotonic_ns() - call.received_ns,
                body_bytes=len(call.body),
                traceparent="" if head is None else head.headers.get("traceparent", ""),
                decision=call.decision,
            )
        )

    def failed(self, call: Call, error: BaseException) -> None:
        """Report an exception that should not have been."""
        self._report_failure(_UNKNOWN if call.route is None else call.route.endpoint, error)

    def _find_route(self, target: str) -> Route | Answer:
        path, _, query = target.partition("?")
        endpoint = path.removeprefix("/")
        if not path.startswith("/") or endpoint not in self._deciders:
            served = " and ".join(f"POST /{name}" for name in sorted(self._deciders))
            return refuse(
                HTTPStatus.NOT_FOUND,
                ErrorCode.NOT_FOUND,
                f"this path is not served; this port serves {served}",
            )
        asked = dict(parse_qsl(query, keep_blank_values=True)).get("timeout")
        if asked is None:
            return Route(endpoint, self._default_timeout_ns)
        try:
            timeout_ns = parse_duration(asked)
        except InvalidDuration:
            timeout_ns = 0
        if timeout_ns <= 0:
            return refuse(
                HTTPStatus.BAD_REQUEST,
                ErrorCode.BAD_REQUEST,
                "timeout is no positive duration; write it like timeout=10s or timeout=500ms",
                field="timeout",
            )
        return Route(endpoint, min(timeout_ns, _LONGEST_TIMEOUT_NS))


def _margin_ns(timeout_ns: int) -> int:
    """Give the part of the caller's time that is kept for the answer's way back: a tenth, at most 200 ms."""
    return min(timeout_ns // 10, 200 * MILLISECOND_NS)
