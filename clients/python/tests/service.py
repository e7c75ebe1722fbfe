"""A service in this process that does what a test tells it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc

from safefile.v1.common_pb2 import MutationResult
from safefile.v1.file_ops_service_pb2 import (
    ReadFileRequest,
    ReadFileResponse,
    UploadFileRequest,
    UploadFileResponse,
    WatchFilesRequest,
    WatchFilesResponse,
    WriteFileRequest,
    WriteFileResponse,
)
from safefile.v1.file_ops_service_pb2_grpc import FileOpsServiceServicer, add_FileOpsServiceServicer_to_server


class Service(FileOpsServiceServicer):
    """Fails `failures` times with UNAVAILABLE, then answers."""

    def __init__(self) -> None:
        self.failures = 0
        self.requests: list[Any] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.parts: list[ReadFileResponse] = []
        self.uploads: list[list[UploadFileRequest]] = []
        self.never = threading.Event()
        self.silent = False
        self.on_failure: Callable[[], object] = bool
        self.address = ""

    def WriteFile(self, request: WriteFileRequest, context: Any) -> WriteFileResponse:
        self._note(request, context)
        return WriteFileResponse(result=MutationResult(request_id=request.options.request_id))

    def ReadFile(self, request: ReadFileRequest, context: Any) -> Iterator[ReadFileResponse]:
        self._note(request, context)
        yield from self.parts
        if self.silent:
            self._wait(context)

    def WatchFiles(self, request: WatchFilesRequest, context: Any) -> Iterator[WatchFilesResponse]:
        self.requests.append(WatchFilesRequest.FromString(request.SerializeToString()))
        yield WatchFilesResponse(resume_token=f"{len(self.requests)}")
        if len(self.requests) <= self.failures:
            context.abort(grpc.StatusCode.UNAVAILABLE, "drains")
        self._wait(context)

    def UploadFile(self, request_iterator: Iterator[UploadFileRequest], context: Any) -> UploadFileResponse:
        received: list[UploadFileRequest] = []
        self.uploads.append(received)
        for request in request_iterator:
            received.append(request)
            if len(self.uploads) <= self.failures:
                context.abort(grpc.StatusCode.UNAVAILABLE, "drains")
        if self.silent:
            self._wait(context)
        return UploadFileResponse(result=MutationResult(request_id=received[0].header.options.request_id))

    def _note(self, request: Any, context: Any) -> None:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        if len(self.requests) <= self.failures:
            self.on_failure()
            context.abort(grpc.StatusCode.UNAVAILABLE, "drains")
        if self.silent and not self.parts:
            self._wait(context)

    def _wait(self, context: Any) -> None:
        """Until the client has gone."""
        context.add_callback(self.never.set)
        self.never.wait(30)


@contextmanager
def serving() -> Iterator[Service]:
    service = Service()  # type: ignore[abstract]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    add_FileOpsServiceServicer_to_server(service, server)
    service.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield service
    finally:
        service.never.set()
        server.stop(None).wait()
