"""Locks over several calls, asynchronously: `client.locks`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Unpack

from safefile import requests
from safefile.aio.connection import Connection, Incoming, metadata
from safefile.aio.follow import Watch
from safefile.aio.held_lock import HeldLock, Holding
from safefile.cancellation import Cancellation
from safefile.options import CallOptions, LockOptions, new_id, plan_of
from safefile.renewal import Renewal
from safefile.settings import PAGE_SIZE
from safefile.v1.lock_service_pb2 import (
    BreakLockRequest,
    BreakLockResponse,
    GetWaitGraphRequest,
    GetWaitGraphResponse,
    ListLocksRequest,
    Lock,
    LockEntry,
    LockTarget,
    ReleaseLockRequest,
    WatchLocksRequest,
    WatchLocksResponse,
)
from safefile.v1.lock_service_pb2_grpc import LockServiceStub


class Locks:
    """No change needs a lock: each locks for itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._settings = connection.settings
        self._stub = LockServiceStub(connection.channel)

    async def acquire(
        self,
        targets: str | LockTarget | Iterable[str | LockTarget],
        **options: Unpack[LockOptions],
    ) -> Lock:
        """Locks all of the paths or none. It lasts for `ttl` seconds; whoever needs it longer renews it."""
        request = requests.acquire(options.get("volume", self._settings.volume), targets, options)
        plan = plan_of(self._settings, options, lock_wait=options.get("lock_wait"))
        return (await self._connection.unary(self._stub.AcquireLock, request, plan)).lock

    async def renew(self, lock_id: str, *, ttl: float | None = None, **options: Unpack[CallOptions]) -> Lock:
        """Lets a lock last for `ttl` seconds from now on. LOCK_LOST when it has ended."""
        plan = plan_of(self._settings, options)
        return (await self._connection.unary(self._stub.RenewLock, requests.renew(lock_id, ttl), plan)).lock

    async def release(self, lock_id: str, **options: Unpack[CallOptions]) -> bool:
        """Ends a lock. False when it had ended already."""
        plan = plan_of(self._settings, options)
        return (
            await self._connection.unary(self._stub.ReleaseLock, ReleaseLockRequest(lock_id=lock_id), plan)
        ).released

    def hold(
        self,
        targets: str | LockTarget | Iterable[str | LockTarget],
        **options: Unpack[LockOptions],
    ) -> Holding:
        """Locks, and renews the lock until the end of an `async with` block, which releases it; or `await` it.

        async with client.locks.hold("reports") as held:
            await client.write("reports/a", data, lock_id=held.lock_id, cancel=held.cancellation)
        """

        async def hold() -> HeldLock:
            lock = await self.acquire(targets, **options)
            kept: CallOptions = {"timeout": options.get("timeout"), "cancel": options.get("cancel")}
            seconds = lock.remaining.ToNanoseconds() / 1e9
            # Nobody knows how long the answer was under way, but of a renewal it is known when it was asked for.
            asked = time.monotonic()
            try:
                lock = await self.renew(lock.lock_id, ttl=seconds, **kept)
            except BaseException:
                # Nobody else knows its id.
                with contextlib.suppress(Exception):
                    await self.release(lock.lock_id, timeout=options.get("timeout"))
                raise

            def renew(timeout: float) -> Awaitable[object]:
                return self.renew(lock.lock_id, ttl=seconds, timeout=timeout)

            return HeldLock(lock, Renewal(seconds, asked), renew, lambda: self.release(lock.lock_id))

        return Holding(hold)

    async def list(
        self,
        path: str = "",
        *,
        client_locks_only: bool = False,
        page_size: int = PAGE_SIZE,
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[LockEntry]:
        """Who holds and who waits at, over or below the path, over all pages."""
        request = ListLocksRequest(
            volume=options.get("volume", self._settings.volume),
            path=path,
            client_locks_only=client_locks_only,
            page_size=page_size,
        )
        async for page in self._connection.pages(self._stub.ListLocks, request, options):
            for entry in page.locks:
                yield entry

    async def wait_graph(self, **options: Unpack[CallOptions]) -> GetWaitGraphResponse:
        """Who waits for whom, over all replicas."""
        request = GetWaitGraphRequest(volume=options.get("volume", self._settings.volume))
        return await self._connection.unary(self._stub.GetWaitGraph, request, plan_of(self._settings, options))

    async def break_(
        self, lock_id: str, reason: str, *, request_id: str | None = None, **options: Unpack[CallOptions]
    ) -> BreakLockResponse:
        """Ends somebody else's lock, and stops the change that uses it. `reason` is kept."""
        request = BreakLockRequest(lock_id=lock_id, reason=reason, request_id=request_id or new_id())
        return await self._connection.unary(self._stub.BreakLock, request, plan_of(self._settings, options))

    def watch(
        self,
        path: str = "",
        *,
        client_locks_only: bool = False,
        resume_token: str = "",
        volume: str | None = None,
        cancel: Cancellation | None = None,
    ) -> Watch[WatchLocksResponse]:
        """What is held, then what happens. Goes on by itself after a break, with a GAP first."""
        request = WatchLocksRequest(
            volume=self._settings.volume if volume is None else volume, path=path, client_locks_only=client_locks_only
        )

        def start(position: str) -> Incoming[WatchLocksResponse]:
            request.resume_token = position
            return self._stub.WatchLocks(request, metadata=metadata())

        return Watch(self._connection, start, lambda event: event.resume_token, resume_token, cancel)
