import grpc

from safefile.errors import Details, SafefileError
from safefile.renewal import Renewal


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_is_renewed_at_a_third_and_lasts_from_when_that_was_asked_for() -> None:
    clock = Clock()
    renewal = Renewal(9.0, clock.now, clock)
    assert renewal.pause == 3.0
    clock.now += 3.0
    assert renewal.begin() is None
    # The answer took a second.
    clock.now += 1.0
    renewal.renewed()
    assert (renewal.left, renewal.pause) == (8.0, 2.0)


def test_a_failure_is_no_loss_until_the_time_has_run_out() -> None:
    clock = Clock()
    renewal = Renewal(9.0, clock.now, clock)
    clock.now += 3.0
    assert renewal.begin() is None
    failure = SafefileError(grpc.StatusCode.UNAVAILABLE, "m")
    assert renewal.failed(failure) is None
    assert 0 < renewal.pause < 1
    clock.now = 109.0
    loss = renewal.begin()
    assert loss is not None
    assert (loss.reason, loss.__cause__) == ("LOCK_LOST", failure)


def test_the_server_says_that_it_is_lost() -> None:
    renewal = Renewal(9.0, 100.0, Clock())
    lost = SafefileError(grpc.StatusCode.ABORTED, "m", Details(reason="LOCK_LOST"))
    assert renewal.failed(lost) is lost
