import grpc
import pytest

from safefile.errors import Details, Outcome, SafefileError
from safefile.retry import Retry, RetryPolicy

POLICY = RetryPolicy(attempts_max=5, time_max=30, backoff_min=0.1, backoff_max=0.5)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def failure(
    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE,
    outcome: Outcome | None = None,
    reason: str | None = None,
    retry_after: float | None = None,
) -> SafefileError:
    return SafefileError(code, "m", Details(outcome=outcome, reason=reason, retry_after=retry_after))


def test_pauses_double_to_the_longest_and_attempts_end() -> None:
    retry = Retry(POLICY, chance=lambda: 0.0, now=Clock())
    assert [retry.pause_after(failure()) for _ in range(4)] == [0.1, 0.2, 0.4, 0.5]
    with pytest.raises(SafefileError):
        retry.pause_after(failure())


def test_up_to_half_of_a_pause_is_left_out_at_random() -> None:
    assert Retry(POLICY, chance=lambda: 1.0, now=Clock()).pause_after(failure()) == pytest.approx(0.05)


def test_never_before_the_servers_retry_info() -> None:
    retry = Retry(POLICY, chance=lambda: 0.0, now=Clock())
    assert retry.pause_after(failure(retry_after=2.0)) == 2.0


def test_no_attempt_later_than_the_time_after_the_first_failure() -> None:
    clock = Clock()
    retry = Retry(POLICY, chance=lambda: 0.0, now=clock)
    retry.pause_after(failure())
    clock.now += 29.9
    with pytest.raises(SafefileError):
        retry.pause_after(failure())


def test_no_attempt_after_the_deadline() -> None:
    clock = Clock()
    with pytest.raises(SafefileError):
        Retry(POLICY, chance=lambda: 0.0, now=clock).pause_after(failure(), end=clock.now + 0.1)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.UNAVAILABLE])
def test_nothing_else_is_repeated(code: grpc.StatusCode) -> None:
    with pytest.raises(SafefileError):
        Retry(POLICY).pause_after(failure(code))


def test_what_is_no_error_of_a_call_is_raised_as_it_is() -> None:
    with pytest.raises(OSError, match="gone"):
        Retry(POLICY).pause_after(OSError("gone"))


def test_after_progress_attempts_are_counted_anew() -> None:
    retry = Retry(POLICY, chance=lambda: 0.0, now=Clock())
    for _ in range(10):
        assert retry.pause_after(failure()) == 0.1
        retry.reset()


@pytest.mark.parametrize(
    ("later", "outcome"),
    [
        (failure(outcome="NOT_COMMITTED"), "UNKNOWN"),
        (failure(outcome="NOT_COMMITTED", reason="REPLICA_DRAINING"), "UNKNOWN"),
        (failure(grpc.StatusCode.CANCELLED, "NOT_COMMITTED"), "UNKNOWN"),
        (failure(grpc.StatusCode.ABORTED, "NOT_COMMITTED", "LOCK_TIMEOUT"), "NOT_COMMITTED"),
        (failure(grpc.StatusCode.INTERNAL, "COMMITTED", "INTERNAL"), "COMMITTED"),
    ],
)
def test_what_may_have_committed_stays_open_until_the_service_answers(later: SafefileError, outcome: Outcome) -> None:
    retry = Retry(POLICY, chance=lambda: 0.0, now=Clock())
    retry.pause_after(failure(outcome="UNKNOWN"))
    settled = retry.settle(later)
    assert isinstance(settled, SafefileError)
    assert settled.outcome == outcome
