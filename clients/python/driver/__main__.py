"""Drives the synchronous client: a thread for each command."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from driver.arguments import Arguments
from driver.calls import CALLS, ITERATIONS, lock_wishes
from driver.contents import Received
from driver.golden import golden
from driver.opening import client_arguments
from driver.values import answer, message, messages
from safefile import Client, HeldLock, Watch
from safefile.v1.file_ops_service_pb2 import WatchFilesResponse

# How long commands may go on after the input has ended.
_END_SECONDS = 5.0


class Listener:
    """A watch, read by a thread of its own."""

    def __init__(self, watch: Watch[WatchFilesResponse]) -> None:
        self._watch = watch
        self._condition = threading.Condition()
        self._events: list[WatchFilesResponse] = []
        self._seen_first = False
        self._error: BaseException | None = None
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def first(self) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._seen_first or self._ended)
            if not self._seen_first:
                raise self._error or EOFError("the watch ended")

    def take(self, changes: int, seconds: float | None) -> list[WatchFilesResponse]:
        with self._condition:
            if not self._condition.wait_for(lambda: self._has(changes) or self._ended, seconds):
                raise TimeoutError(f"{changes} changes did not come")
            if not self._has(changes):
                raise self._error or EOFError("the watch ended")
            taken, self._events = self._events, []
            return taken

    def stop(self) -> None:
        self._watch.close()

    def _has(self, changes: int) -> bool:
        return sum(event.HasField("change") for event in self._events) >= changes

    def _read(self) -> None:
        error: BaseException | None = None
        try:
            for event in self._watch:
                with self._condition:
                    self._events.append(event)
                    self._seen_first = True
                    self._condition.notify_all()
        except BaseException as found:
            error = found
        with self._condition:
            self._error = error
            self._ended = True
            self._condition.notify_all()


class Driver:
    """What the suite has opened."""

    def __init__(self) -> None:
        self._output = threading.Lock()
        self._clients: dict[str, Client] = {}
        self._watches: dict[tuple[str, str], Listener] = {}
        self._held: dict[tuple[str, str], HeldLock] = {}

    def run(self) -> None:
        threads: list[threading.Thread] = []
        for line in sys.stdin:
            if not line.strip():
                continue
            thread = threading.Thread(target=self._command, args=(json.loads(line),), daemon=True)
            thread.start()
            threads = [other for other in threads if other.is_alive()] + [thread]
        end = time.monotonic() + _END_SECONDS
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _command(self, command: dict[str, Any]) -> None:
        try:
            args = Arguments(command.get("args") or {})
            if args.traceparent is not None:
                carrier = {"traceparent": args.traceparent}
                context.attach(TraceContextTextMapPropagator().extract(carrier))
            line = answer(command.get("id"), self._value(command["verb"], command.get("client", ""), args))
        except BaseException as error:
            line = answer(command.get("id"), error=error)
        with self._output:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def _value(self, verb: str, name: str, args: Arguments) -> dict[str, Any]:
        if verb in CALLS:
            call = CALLS[verb](args)
            self._begin(args)
            return call.value(call.make(self._client(name)))
        if verb in ITERATIONS:
            call = ITERATIONS[verb](args)
            self._begin(args)
            return call.value(call.make(self._client(name)))
        match verb:
            case "open":
                addresses, keywords = client_arguments(args)
                args.finish()
                self._clients[name] = Client(addresses, **keywords)
                return {}
            case "close":
                args.finish()
                self._clients.pop(name).close()
                return {}
            case "download":
                return self._download(self._client(name), args)
            case "watch":
                return self._watch(name, args)
            case "watchNext":
                handle, changes, seconds = (
                    (name, args.needed("handle")),
                    args.take("changes", 0),
                    args.seconds("deadlineMs"),
                )
                args.finish()
                return {"events": messages(self._watches[handle].take(changes, seconds))}
            case "watchStop":
                handle = (name, args.needed("handle"))
                args.finish()
                self._watches.pop(handle).stop()
                return {}
            case "hold":
                handle, (wishes, given) = (name, args.needed("handle")), lock_wishes(args)
                self._begin(args)
                held = self._held[handle] = self._client(name).locks.hold(wishes, **given)
                return {"lockId": held.lock_id, "fencingToken": held.fencing_token}
            case "held":
                handle = (name, args.needed("handle"))
                args.finish()
                return {"lost": self._held[handle].lost is not None}
            case "unhold":
                handle = (name, args.needed("handle"))
                args.finish()
                return {"released": self._held.pop(handle).release()}
            case "golden":
                kind, file = args.needed("kind"), args.needed("file")
                args.finish()
                return golden(kind, file)
            case _:
                raise ValueError(f"unknown verb: {verb}")

    def _client(self, name: str) -> Client:
        return self._clients[name]

    def _begin(self, args: Arguments) -> None:
        """All arguments are taken: the call begins."""
        args.finish()
        if args.cancel is not None and args.cancel_after is not None:
            timer = threading.Timer(args.cancel_after, args.cancel.cancel)
            timer.daemon = True
            timer.start()

    def _download(self, client: Client, args: Arguments) -> dict[str, Any]:
        path, part, options = args.needed("path"), args.given(offset="offset", limit="limit"), args.call()
        pause, stop_after_bytes = args.seconds("pauseMs"), args.take("stopAfterBytes")
        bytes_max = args.take("bytesMax")
        self._begin(args)
        found = Received()
        with client.download(path, **part, **options) as download:
            if bytes_max is not None and download.size_bytes > bytes_max:
                raise ValueError(f"{path} has more than {bytes_max} bytes")
            for data in download:
                found.add(data)
                if stop_after_bytes is not None and found.size_bytes >= stop_after_bytes:
                    return {}
                if pause is not None:
                    time.sleep(pause)
            if stop_after_bytes is not None:
                return {}
            return {"file": message(download.file), "content": found.value()}

    def _watch(self, name: str, args: Arguments) -> dict[str, Any]:
        path, handle = args.take("path", ""), (name, args.needed("handle"))
        given = args.given(recursive="recursive", resume_token="resumeToken")
        cancel = args.call().get("cancel")
        self._begin(args)
        listener = self._watches[handle] = Listener(self._client(name).watch(path, cancel=cancel, **given))
        listener.first()
        return {}


if __name__ == "__main__":
    Driver().run()
    sys.stdout.flush()
    # Threads that still wait for a server are left as they are.
    os._exit(0)
