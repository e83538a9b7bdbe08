"""The operations API as one table: each operation's name, place, question, answer and who performs it.

Handlers, the OpenAPI document and clients are made from it. Must not know HTTP beyond methods and paths.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from webhook.flows import operate
from webhook.flows.evidence_bundle import rollout_evidence
from webhook.flows.exceptions import (
    ExceptionList,
    ExceptionName,
    ExceptionView,
    Granted,
    GrantException,
    ListExceptions,
    grant_exception,
    list_exceptions,
    revoke_exception,
)
from webhook.flows.operate import PromoteRollout, RolloutVerb, StartRollout
from webhook.flows.operator import Ask, Operator
from webhook.flows.review import (
    DisputeFinding,
    FindingList,
    FindingName,
    Judged,
    JudgeFindings,
    ListFindings,
    dispute_finding,
    judge_findings,
    list_findings,
    show_finding,
)
from webhook.flows.review_views import FindingDetail
from webhook.flows.rollout_status import (
    Histories,
    ListRollouts,
    RolloutList,
    RolloutName,
    explain_rollout,
    get_rollout,
    list_rollouts,
    rollout_history,
    rollout_status,
)
from webhook.flows.rollout_views import ExplanationView, RolloutDetail, RolloutStatus, RolloutView
from webhook.flows.version_history import (
    DiffVersions,
    PolicyName,
    VersionDiff,
    VersionHistory,
    diff_versions,
    version_history,
)

API_PREFIX = "/api/v1"
ARCHIVE = "application/zip"

Question = TypeVar("Question", bound=Ask)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Operation(Generic[Question, Answer]):
    """One thing that can be asked for."""

    name: str
    """`operationId`."""
    method: str
    """`GET` changes nothing and takes a query, `POST` takes a JSON body."""
    path: str
    """Below `API_PREFIX`; `{field}` is a field of the question."""
    ask: type[Question]
    answer: type[Answer]
    """A struct, sent as JSON; `bytes` is an archive."""
    perform: Callable[[Operator, Question], Awaitable[Answer]]

    @property
    def summary(self) -> str:
        """One sentence, from whoever performs it."""
        return (self.perform.__doc__ or "").partition("\n")[0]

    @property
    def path_fields(self) -> tuple[str, ...]:
        """Names of the fields that stand in the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    @property
    def other_fields(self) -> tuple[str, ...]:
        """Names of the fields that stand in query or body, as they are spelled there."""
        names = (field.encode_name for field in msgspec.structs.fields(self.ask))
        return tuple(name for name in names if name not in self.path_fields)


LIST_ROLLOUTS = Operation("listRollouts", "GET", "/rollouts", ListRollouts, RolloutList, list_rollouts)
START_ROLLOUT = Operation(
    "startRollout", "POST", "/rollouts", StartRollout, RolloutView, operate.start_rollout
)
GET_ROLLOUT = Operation("getRollout", "GET", "/rollouts/{name}", RolloutName, RolloutDetail, get_rollout)
ROLLOUT_STATUS = Operation(
    "getRolloutStatus", "GET", "/rollouts/{name}/status", RolloutName, RolloutStatus, rollout_status
)
EXPLAIN_ROLLOUT = Operation(
    "explainRollout", "GET", "/rollouts/{name}/explanation", RolloutName, ExplanationView, explain_rollout
)
ROLLOUT_HISTORY = Operation(
    "getRolloutHistory", "GET", "/rollouts/{name}/history", RolloutName, Histories, rollout_history
)
ROLLOUT_EVIDENCE = Operation(
    "getRolloutEvidence", "GET", "/rollouts/{name}/evidence", RolloutName, bytes, rollout_evidence
)
PROMOTE_ROLLOUT = Operation(
    "promoteRollout", "POST", "/rollouts/{name}/promote", PromoteRollout, RolloutView, operate.promote_rollout
)


def _verb(word: str, perform: operate.Verb) -> Operation[RolloutVerb, RolloutView]:
    return Operation(
        f"{word}Rollout", "POST", f"/rollouts/{{name}}/{word}", RolloutVerb, RolloutView, perform
    )


PAUSE_ROLLOUT = _verb("pause", operate.pause_rollout)
RESUME_ROLLOUT = _verb("resume", operate.resume_rollout)
ABORT_ROLLOUT = _verb("abort", operate.abort_rollout)
RETRY_ROLLOUT = _verb("retry", operate.retry_rollout)
UNDO_ROLLOUT = _verb("undo", operate.undo_rollout)

LIST_FINDINGS = Operation("listFindings", "GET", "/findings", ListFindings, FindingList, list_findings)
GET_FINDING = Operation("getFinding", "GET", "/findings/{id}", FindingName, FindingDetail, show_finding)
JUDGE_FINDINGS = Operation("judgeFindings", "POST", "/verdicts", JudgeFindings, Judged, judge_findings)
DISPUTE_FINDING = Operation(
    "disputeFinding", "POST", "/findings/{id}/disputes", DisputeFinding, FindingDetail, dispute_finding
)

LIST_EXCEPTIONS = Operation(
    "listExceptions", "GET", "/exceptions", ListExceptions, ExceptionList, list_exceptions
)
GRANT_EXCEPTION = Operation("grantException", "POST", "/exceptions", GrantException, Granted, grant_exception)
REVOKE_EXCEPTION = Operation(
    "revokeException", "POST", "/exceptions/{id}/revoke", ExceptionName, ExceptionView, revoke_exception
)

LIST_VERSIONS = Operation(
    "listVersions", "GET", "/policies/{policy}/versions", PolicyName, VersionHistory, version_history
)
DIFF_VERSIONS = Operation(
    "diffVersions", "GET", "/policies/{policy}/diff", DiffVersions, VersionDiff, diff_versions
)

OPERATIONS: tuple[Operation[Any, Any], ...] = (
    LIST_ROLLOUTS,
    START_ROLLOUT,
    GET_ROLLOUT,
    ROLLOUT_STATUS,
    EXPLAIN_ROLLOUT,
    ROLLOUT_HISTORY,
    ROLLOUT_EVIDENCE,
    PROMOTE_ROLLOUT,
    PAUSE_ROLLOUT,
    RESUME_ROLLOUT,
    ABORT_ROLLOUT,
    RETRY_ROLLOUT,
    UNDO_ROLLOUT,
    LIST_FINDINGS,
    GET_FINDING,
    JUDGE_FINDINGS,
    DISPUTE_FINDING,
    LIST_EXCEPTIONS,
    GRANT_EXCEPTION,
    REVOKE_EXCEPTION,
    LIST_VERSIONS,
    DIFF_VERSIONS,
)
"""All of them."""
