"""What safe file changes look like, in six parts. Needs a running service: SAFEFILE_ADDRESS says where."""

import hashlib
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress

import safefile
from safefile.v1.common_pb2 import RevisionKind
from safefile.v1.recovery_service_pb2 import RestoreState

ADDRESS = os.environ.get("SAFEFILE_ADDRESS", "127.0.0.1:7420")
DIRECTORY = os.environ.get("SAFEFILE_DIRECTORY", "example")


def write(client: safefile.Client) -> None:
    # [write]
    # Revision 0 means that nothing may be there. When this returns, the file is on disk, and visible as a whole.
    result = client.write(f"{DIRECTORY}/notes.txt", b"hello\n", if_revision=0)
    print(f"write: revision {result.revision.revision}, {result.file.size_bytes} bytes")
    # [end]


def conflict(client: safefile.Client) -> None:
    # [conflict]
    path = f"{DIRECTORY}/notes.txt"
    _, file = client.read(path)
    client.write(path, b"hello again\n", etag=file.etag)
    try:
        # Somebody who read the file before that change cannot overwrite it unknowingly.
        client.write(path, b"hello from the past\n", etag=file.etag)
    except safefile.SafefileError as error:
        print(f"conflict: {error.reason}, {error.outcome}, the file is at revision {error.metadata['revision']}")
    # [end]


def transaction(client: safefile.Client) -> str:
    # [transaction]
    steps = safefile.Transaction()
    for name in ("a", "b", "c"):
        steps.write(f"{DIRECTORY}/tree/{name}", name.encode())
    # Committed for all paths or for none, also across crashes.
    done = client.transaction(steps)
    print(f"transaction: {len(done.items)} changes, all or none")
    return done.result.operation_id
    # [end]


def watch(client: safefile.Client) -> None:
    # [watch]
    with client.watch(DIRECTORY, recursive=True) as events:
        # The first message comes at once: whatever is committed after it is seen.
        next(events)
        client.write(f"{DIRECTORY}/watched.txt", b"look")
        revision = next(event.change.revision for event in events if event.HasField("change"))
        kind = RevisionKind.Name(revision.kind).removeprefix("REVISION_KIND_")
        print(f"watch: {kind} of {os.path.basename(revision.path)}, revision {revision.revision}")
    # [end]


def upload(client: safefile.Client) -> None:
    content = os.urandom(4 * 1024 * 1024)

    # [upload]
    def broken() -> Iterator[bytes]:
        yield content[: len(content) - 1024]
        raise OSError("the disk it is read from went away")

    # Under this name the service keeps what it has received when an upload breaks off, for a day.
    upload_id = str(uuid.uuid4())
    went_on: list[int] = []
    with suppress(OSError):
        client.upload(f"{DIRECTORY}/large.bin", broken, upload_id=upload_id)
    result = client.upload(f"{DIRECTORY}/large.bin", content, upload_id=upload_id, on_resumed=went_on.append)
    equal = result.revision.sha256 == hashlib.sha256(content).digest()
    print(
        f"upload: broke off, {'went on' if went_on else 'began again'}, {result.file.size_bytes} bytes, "
        f"digest {'equal' if equal else 'different'}"
    )
    # [end]


def restore(client: safefile.Client, operation: str) -> None:
    # [restore]
    client.remove(f"{DIRECTORY}/tree", recursive=True)
    # As it was just after that operation.
    restore_id = client.start_restore(f"{DIRECTORY}/tree", tree=True, as_of_operation=operation).restore_id
    for event in client.watch_restore(restore_id):
        if event.HasField("progress"):
            progress = event.progress
            print(f"{progress.files_done} of {progress.files_total} files", file=sys.stderr)
    state = RestoreState.Name(progress.state).removeprefix("RESTORE_STATE_")
    print(f"restore: {progress.files_done} of {progress.files_total} files, {state}")
    # [end]


with safefile.Client(ADDRESS) as client:
    write(client)
    conflict(client)
    operation = transaction(client)
    watch(client)
    upload(client)
    restore(client, operation)
