import asyncio
import threading
import time

import grpc
import pytest

from safefile import Cancellation, HeldLock, SafefileError, aio
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
