import pickle
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, PreconditionFailure, ResourceInfo, RetryInfo

from safefile.errors import SafefileError, failed_change
from tests.statuses import info, status_of


class Failed(grpc.RpcError):
    """A call as it ends."""

    def __init__(self, code: grpc.StatusCode, details: str, trailers: Any = ()) -> None:
        self._found = code, details, trailers

    def code(self) -> grpc.StatusCode:
        return self._found[0]

    def details(self) -> str:
        return self._found[1]

    def trailing_metadata(self) -> Any:
        return self._found[2]


def test_details_are_read() -> None:
    status = status_of(
        10,
        "The path is busy.",
        info("LOCK_TIMEOUT", stage="lock", outcome="NOT_COMMITTED", request_id="r", path="a"),
        BadRequest(field_violations=[BadRequest.FieldViolation(field="path", description="is odd")]),
        PreconditionFailure(violations=[PreconditionFailure.Violation(type="etag", subject="a", description="other")]),
        RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000)),
        ResourceInfo(resource_type="safefile/file", resource_name="a"),
    )
    trailers = (("other", "x"), ("grpc-status-details-bin", status.SerializeToString()))
    error = SafefileError.from_call(Failed(grpc.StatusCode.ABORTED, "short", trailers))
    assert (error.code, error.message, str(error)) == (grpc.StatusCode.ABORTED, "The path is busy.", error.message)
    assert (error.reason, error.outcome, error.stage) == ("LOCK_TIMEOUT", "NOT_COMMITTED", "lock")
    assert (error.request_id, error.metadata["path"], error.retry_after) == ("r", "a", 1.5)
    assert error.field_violations == (("path", "is odd"),)
    assert error.precondition_violations == (("etag", "a", "other"),)
    assert error.resource == ("safefile/file", "a")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (again.code, again.metadata, again.field_violations) == (error.code, error.metadata, error.field_violations)


def test_another_domain_is_not_read() -> None:
    error = SafefileError.from_status(status_of(14, "m", info("LOCK_TIMEOUT", domain="other", outcome="COMMITTED")))
    assert (error.reason, error.outcome, dict(error.metadata)) == (None, None, {})


@pytest.mark.parametrize("trailers", [(("grpc-status-details-bin", b"\xff\xff\xff"),), None, ()])
def test_what_cannot_be_decoded_leaves_code_and_message(trailers: Any) -> None:
    error = SafefileError.from_call(Failed(grpc.StatusCode.INTERNAL, "words", trailers))
    assert (error.code, error.message, error.reason) == (grpc.StatusCode.INTERNAL, "words", None)


def test_a_detail_that_cannot_be_read_leaves_the_others() -> None:
    status = status_of(3, "m", info("PATH_INVALID"))
    status.details.append(AnyMessage(type_url="type.googleapis.com/google.rpc.BadRequest", value=b"\xff"))
    error = SafefileError.from_status(status)
    assert (error.reason, error.field_violations) == ("PATH_INVALID", ())


NEVER_SENT = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:9: Connection refused"


@pytest.mark.parametrize(
    ("code", "message", "reason", "said", "outcome"),
    [
        (grpc.StatusCode.UNAVAILABLE, "Socket closed", None, None, "UNKNOWN"),
        (grpc.StatusCode.UNAVAILABLE, NEVER_SENT, None, None, "NOT_COMMITTED"),
        # A service may quote these words; then they say nothing about this connection.
        (grpc.StatusCode.UNAVAILABLE, NEVER_SENT, "INTERNAL", None, "UNKNOWN"),
        (grpc.StatusCode.UNIMPLEMENTED, "", None, None, "NOT_COMMITTED"),
        (grpc.StatusCode.ABORTED, "", "LOCK_FENCED", None, "NOT_COMMITTED"),
        (grpc.StatusCode.UNKNOWN, "", "OUTCOME_UNKNOWN", None, "UNKNOWN"),
        (grpc.StatusCode.INTERNAL, "", "INTERNAL", None, "UNKNOWN"),
        (grpc.StatusCode.INTERNAL, "", "INTERNAL", "COMMITTED", "COMMITTED"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "", None, None, "UNKNOWN"),
    ],
)
def test_outcome(code: grpc.StatusCode, message: str, reason: str | None, said: str | None, outcome: str) -> None:
    details = [info(reason, **({"outcome": said} if said else {}))] if reason else []
    error = failed_change(SafefileError.from_status(status_of(code.value[0], message, *details)), "r")
    assert (error.outcome, error.request_id) == (outcome, "r")


def test_a_read_has_no_outcome() -> None:
    error = failed_change(SafefileError(grpc.StatusCode.UNAVAILABLE, "Socket closed"), None)
    assert (error.outcome, error.request_id) == (None, None)
