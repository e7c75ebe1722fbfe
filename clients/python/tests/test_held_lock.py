import asyncio
import threading
import time

import grpc
import pytest

from safefile import Cancellation, Client, HeldLock, SafefileError, aio
from safefile.errors import Details
from safefile.renewal import Renewal
from safefile.v1.lock_service_pb2 import HeldTarget, Lock

LOCK = Lock(lock_id="l", targets=[HeldTarget(fencing_token=7)])
LOST = SafefileError(grpc.StatusCode.ABORTED, "m", Details(reason="LOCK_LOST"))


def released() -> bool:
    return True


def unreachable() -> bool:
    raise SafefileError(grpc.StatusCode.UNAVAILABLE, "m")


def test_it_is_renewed_until_it_is_released() -> None:
    renewals: list[float] = []
    twice = threading.Event()

    def renew(timeout: float, cancel: Cancellation) -> None:
        renewals.append(timeout)
        if len(renewals) == 2:
            twice.set()

    with HeldLock(LOCK, Renewal(0.3, time.monotonic()), renew, released) as held:
        assert (held.lock_id, held.fencing_token) == ("l", 7)
        assert twice.wait(10)
    assert held.lost is None
    assert not held.release()
    seen = len(renewals)
    time.sleep(0.3)
    assert len(renewals) == seen


def test_a_loss_is_told_and_fails_the_block() -> None:
    def renew(timeout: float, cancel: Cancellation) -> None:
        raise LOST

    told = threading.Event()

    def work() -> None:
        with HeldLock(LOCK, Renewal(0.3, time.monotonic()), renew, released) as held:
            held.cancellation.add(told.set)
            assert told.wait(10)
            assert held.lost is LOST

    with pytest.raises(SafefileError) as raised:
        work()
    assert raised.value is LOST


def test_a_release_that_fails_is_no_failure_of_what_was_done() -> None:
    with HeldLock(LOCK, Renewal(30, time.monotonic()), lambda _, __: None, unreachable):
        pass


def test_it_is_lost_when_its_time_runs_out_under_a_renewal() -> None:
    def work() -> None:
        with HeldLock(LOCK, Renewal(0.3, time.monotonic()), lambda _, cancel: cancel.wait(10), released):
            time.sleep(0.4)

    with pytest.raises(SafefileError) as raised:
        work()
    assert raised.value.reason == "LOCK_LOST"
    with HeldLock(LOCK, Renewal(0.3, time.monotonic()), lambda _, cancel: cancel.wait(10), released) as held:
        assert held.lost is None
        held.release()
        time.sleep(0.4)
        # What happens after its release does not matter.
        assert held.lost is None


def test_any_failure_of_a_renewal_may_be_over_by_the_next() -> None:
    failures = iter([ValueError("broken")])
    renewed = threading.Event()

    def renew(timeout: float, cancel: Cancellation) -> None:
        for failure in failures:
            raise failure
        renewed.set()

    def release() -> bool:
        raise ValueError("broken")

    with HeldLock(LOCK, Renewal(1.5, time.monotonic()), renew, release):
        assert renewed.wait(10)


def test_it_is_lost_when_its_time_runs_out_while_the_loop_stands_still() -> None:
    async def renew(timeout: float) -> None:
        pass

    async def release() -> bool:
        return True

    async def main() -> None:
        async with aio.HeldLock(LOCK, Renewal(0.3, time.monotonic()), renew, release):
            time.sleep(0.4)  # noqa: ASYNC251 - just that

    with pytest.raises(SafefileError) as raised:
        asyncio.run(main())
    assert raised.value.reason == "LOCK_LOST"


def lose(*_: object, **__: object) -> None:
    raise LOST


def test_a_lock_whose_first_renewal_fails_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    with Client("127.0.0.1:9") as client:
        given_back: list[str] = []
        monkeypatch.setattr(client.locks, "acquire", lambda *_, **__: LOCK)
        monkeypatch.setattr(client.locks, "renew", lose)
        monkeypatch.setattr(client.locks, "release", lambda lock_id, **_: given_back.append(lock_id))
        with pytest.raises(SafefileError) as raised:
            client.locks.hold("a")
        assert (raised.value, given_back) == (LOST, ["l"])


def test_a_lock_whose_first_renewal_fails_is_released_asynchronously(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[str] = []

    async def acquire(*_: object, **__: object) -> Lock:
        return LOCK

    async def release(lock_id: str, **_: object) -> None:
        given_back.append(lock_id)

    async def main() -> None:
        async with aio.Client("127.0.0.1:9") as client:
            monkeypatch.setattr(client.locks, "acquire", acquire)
            monkeypatch.setattr(client.locks, "renew", lose)
            monkeypatch.setattr(client.locks, "release", release)
            await client.locks.hold("a")

    with pytest.raises(SafefileError) as raised:
        asyncio.run(main())
    assert (raised.value, given_back) == (LOST, ["l"])


def test_a_loss_is_told_asynchronously() -> None:
    async def renew(timeout: float) -> None:
        raise LOST

    async def release() -> bool:
        return unreachable()

    async def main() -> None:
        held = aio.HeldLock(LOCK, Renewal(0.3, time.monotonic()), renew, release)
        told = asyncio.Event()
        held.cancellation.add(told.set)
        async with held:
            await asyncio.wait_for(told.wait(), 10)

    with pytest.raises(SafefileError) as raised:
        asyncio.run(main())
    assert raised.value is LOST
