"""Drives the asynchronous client: a task for each command."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from driver.arguments import Arguments
from driver.calls import CALLS, ITERATIONS, lock_wishes
from driver.contents import Received
from driver.golden import golden
from driver.opening import client_arguments
from driver.values import answer, message, messages
from safefile import aio
from safefile.v1.file_ops_service_pb2 import WatchFilesResponse

# How long commands may go on after the input has ended.
_END_SECONDS = 5.0
_LINE_BYTES_MAX = 64 * 1024 * 1024


class Listener:
    """A watch, read by a task of its own."""

    def __init__(self, watch: aio.Watch[WatchFilesResponse]) -> None:
        self._watch = watch
        self._condition = asyncio.Condition()
        self._events: list[WatchFilesResponse] = []
        self._seen_first = False
        self._error: Exception | None = None
        self._ended = False
        self._task = asyncio.create_task(self._read())

    async def first(self) -> None:
        async with self._condition:
            await self._condition.wait_for(lambda: self._seen_first or self._ended)
            if not self._seen_first:
                raise self._error or EOFError("the watch ended")

    async def take(self, changes: int, seconds: float | None) -> list[WatchFilesResponse]:
        async with asyncio.timeout(seconds), self._condition:
            await self._condition.wait_for(lambda: self._has(changes) or self._ended)
            if not self._has(changes):
                raise self._error or EOFError("the watch ended")
            taken, self._events = self._events, []
            return taken

    async def stop(self) -> None:
        await self._watch.aclose()

    def _has(self, changes: int) -> bool:
        return sum(event.HasField("change") for event in self._events) >= changes

    async def _read(self) -> None:
        error: Exception | None = None
        try:
            async for event in self._watch:
                async with self._condition:
                    self._events.append(event)
                    self._seen_first = True
                    self._condition.notify_all()
        except Exception as found:
            error = found
        async with self._condition:
            self._error = error
            self._ended = True
            self._condition.notify_all()


class Driver:
    """What the suite has opened."""

    def __init__(self) -> None:
        self._clients: dict[str, aio.Client] = {}
        self._watches: dict[tuple[str, str], Listener] = {}
        self._held: dict[tuple[str, str], aio.HeldLock] = {}

    async def run(self) -> None:
        reader = asyncio.StreamReader(limit=_LINE_BYTES_MAX)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        tasks: set[asyncio.Task[None]] = set()
        async for line in reader:
            if line.strip():
                task = asyncio.create_task(self._command(json.loads(line)))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=_END_SECONDS)

    async def _command(self, command: dict[str, Any]) -> None:
        try:
            args = Arguments(command.get("args") or {})
            if args.traceparent is not None:
                carrier = {"traceparent": args.traceparent}
                context.attach(TraceContextTextMapPropagator().extract(carrier))
            line = answer(command.get("id"), await self._value(command["verb"], command.get("client", ""), args))
        except Exception as error:
            line = answer(command.get("id"), error=error)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    async def _value(self, verb: str, name: str, args: Arguments) -> dict[str, Any]:
        if verb in CALLS:
            # Making large contents takes a while.
            call = await asyncio.to_thread(CALLS[verb], args)
            self._begin(args)
            return call.value(await call.make(self._client(name)))
        if verb in ITERATIONS:
            call = ITERATIONS[verb](args)
            self._begin(args)
            found: AsyncIterator[Any] = call.make(self._client(name))
            return call.value([each async for each in found])
        match verb:
            case "open":
                addresses, keywords = client_arguments(args)
                args.finish()
                self._clients[name] = aio.Client(addresses, **keywords)
                return {}
            case "close":
                args.finish()
                await self._clients.pop(name).close()
                return {}
            case "download":
                return await self._download(self._client(name), args)
            case "watch":
                return await self._watch(name, args)
            case "watchNext":
                handle, changes, seconds = (
                    (name, args.needed("handle")),
                    args.take("changes", 0),
                    args.seconds("deadlineMs"),
                )
                args.finish()
                return {"events": messages(await self._watches[handle].take(changes, seconds))}
            case "watchStop":
                handle = (name, args.needed("handle"))
                args.finish()
                await self._watches.pop(handle).stop()
                return {}
            case "hold":
                handle, (wishes, given) = (name, args.needed("handle")), lock_wishes(args)
                self._begin(args)
                held = self._held[handle] = await self._client(name).locks.hold(wishes, **given)
                return {"lockId": held.lock_id, "fencingToken": held.fencing_token}
            case "held":
                handle = (name, args.needed("handle"))
                args.finish()
                return {"lost": self._held[handle].lost is not None}
            case "unhold":
                handle = (name, args.needed("handle"))
                args.finish()
                return {"released": await self._held.pop(handle).release()}
            case "golden":
                kind, file = args.needed("kind"), args.needed("file")
                args.finish()
                return golden(kind, file)
            case _:
                raise ValueError(f"unknown verb: {verb}")

    def _client(self, name: str) -> aio.Client:
        return self._clients[name]

    def _begin(self, args: Arguments) -> None:
        """All arguments are taken: the call begins."""
        args.finish()
        if args.cancel is not None and args.cancel_after is not None:
            asyncio.get_running_loop().call_later(args.cancel_after, args.cancel.cancel)

    async def _download(self, client: aio.Client, args: Arguments) -> dict[str, Any]:
        path, part, options = args.needed("path"), args.given(offset="offset", limit="limit"), args.call()
        pause, stop_after_bytes = args.seconds("pauseMs"), args.take("stopAfterBytes")
        bytes_max = args.take("bytesMax")
        self._begin(args)
        found = Received()
        async with await client.download(path, **part, **options) as download:
            if bytes_max is not None and download.size_bytes > bytes_max:
                raise ValueError(f"{path} has more than {bytes_max} bytes")
            async for data in download:
                found.add(data)
                if stop_after_bytes is not None and found.size_bytes >= stop_after_bytes:
                    return {}
                if pause is not None:
                    await asyncio.sleep(pause)
            if stop_after_bytes is not None:
                return {}
            return {"file": message(download.file), "content": found.value()}

    async def _watch(self, name: str, args: Arguments) -> dict[str, Any]:
        path, handle = args.take("path", ""), (name, args.needed("handle"))
        given = args.given(recursive="recursive", resume_token="resumeToken")
        cancel = args.call().get("cancel")
        self._begin(args)
        listener = self._watches[handle] = Listener(self._client(name).watch(path, cancel=cancel, **given))
        await listener.first()
        return {}


async def main() -> None:
    await Driver().run()
    sys.stdout.flush()
    # Tasks that still wait for a server are left as they are.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
