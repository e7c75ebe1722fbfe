"""The verbs that are one call of a client with one answer, for both clients: what they return may be awaitable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from driver.arguments import Arguments
from driver.contents import Content, FailingFile, received
from driver.values import message, messages
from safefile import FileEdit, LockTarget, Transaction
from safefile.v1.lock_service_pb2 import LOCK_MODE_SHARED, LOCK_SCOPE_SUBTREE


class Call(NamedTuple):
    """How a call is made, and what of its answer is reported."""

    make: Callable[[Any], Any]
    value: Callable[[Any], dict[str, Any]]


def _result(result: Any) -> dict[str, Any]:
    return {"result": message(result)}


def stat(args: Arguments) -> Call:
    path, options = args.needed("path"), args.call()
    return Call(lambda client: client.stat(path, **options), lambda file: {"file": message(file)})


def read(args: Arguments) -> Call:
    path, options = args.needed("path"), args.call()
    part = args.given(offset="offset", limit="limit", bytes_max="bytesMax")
    return Call(
        lambda client: client.read(path, **part, **options),
        lambda found: {"file": message(found[1]), "content": received(found[0])},
    )


def read_revision(args: Arguments) -> Call:
    path, revision, options = args.needed("path"), args.take("revision", 0), args.call()
    part = args.given(offset="offset", limit="limit")
    return Call(
        lambda client: client.read_revision(path, revision, **part, **options),
        lambda found: {"revision": message(found[1]), "content": received(found[0])},
    )


def write(args: Arguments) -> Call:
    path, content, mode, options = args.needed("path"), args.content(), args.take("mode"), args.change()
    return Call(lambda client: client.write(path, content.data(), mode=mode, **options), _result)


def append(args: Arguments) -> Call:
    path, content, mode, options = args.needed("path"), args.content(), args.take("mode"), args.change()
    return Call(
        lambda client: client.append(path, content.data(), mode=mode, **options),
        lambda answer: {"result": message(answer.result), "offset": answer.offset},
    )


def patch(args: Arguments) -> Call:
    path, edits, options = args.needed("path"), _edits(args), args.change()
    return Call(lambda client: client.patch(path, edits, **options), _result)


def set_attributes(args: Arguments) -> Call:
    path, attributes, options = args.needed("path"), _attributes(args), args.change()
    return Call(lambda client: client.set_attributes(path, **attributes, **options), _result)


def move(args: Arguments) -> Call:
    path, target, given, options = args.needed("path"), args.needed("target"), _target(args), args.change()
    return Call(
        lambda client: client.move(path, target, **given, **options),
        lambda answer: {"result": message(answer.result), "sourceRevision": message(answer.source_revision)},
    )


def copy(args: Arguments) -> Call:
    path, target, given, options = args.needed("path"), args.needed("target"), _target(args), args.change()
    revision = args.take("revision", 0)
    return Call(lambda client: client.copy(path, target, revision=revision, **given, **options), _result)


def make_directory(args: Arguments) -> Call:
    path, given = args.needed("path"), args.given(mode="mode", allow_existing="allowExisting")
    options = args.change()
    return Call(lambda client: client.make_directory(path, **given, **options), _result)


def remove(args: Arguments) -> Call:
    path, given, options = args.needed("path"), args.given(recursive="recursive"), args.change()
    return Call(lambda client: client.remove(path, **given, **options), _result)


def rollback(args: Arguments) -> Call:
    path, revision, options = args.needed("path"), args.needed("revision"), args.change()
    return Call(lambda client: client.rollback(path, revision, **options), _result)


def transaction(args: Arguments) -> Call:
    steps, options = Transaction(), args.many()
    for given in args.needed("steps"):
        _step(steps, Arguments(given))
    return Call(
        lambda client: client.transaction(steps, **options),
        lambda answer: {"result": message(answer.result), "items": messages(answer.items)},
    )


def upload(args: Arguments) -> Call:
    path, content, mode, options = args.needed("path"), args.content(), args.take("mode"), args.change()
    source = _source(content, args.take("source", "bytes"), args.take("failAfterBytes"))
    declare, sha256, size_bytes = args.take("declare", True), args.take("sha256"), args.take("sizeBytes")
    upload_id = args.take("uploadId")
    declared: dict[str, Any] = {}
    if declare:
        declared = {"size_bytes": content.size_bytes, "sha256": content.sha256()}
    if sha256 is not None:
        declared["sha256"] = bytes.fromhex(sha256)
    if size_bytes is not None:
        declared["size_bytes"] = size_bytes
    resumed_at: list[int] = []
    sent: list[int] = [0]
    return Call(
        lambda client: client.upload(
            path,
            source,
            mode=mode,
            upload_id=upload_id,
            on_progress=lambda sent_bytes: sent.__setitem__(0, sent_bytes),
            on_resumed=resumed_at.append,
            **declared,
            **options,
        ),
        lambda result: {"result": message(result), "resumedAt": resumed_at, "sentBytes": sent[0]},
    )


def start_restore(args: Arguments) -> Call:
    path, options = args.needed("path"), args.call()
    given = args.given(
        as_of_operation="asOfOperation",
        tree="tree",
        overwrite="overwrite",
        include="include",
        exclude="exclude",
        delete_extra="deleteExtra",
        target_path="targetPath",
        dry_run="dryRun",
        request_id="requestId",
        priority="priority",
        labels="labels",
    )
    as_of = args.timestamp("asOfTime")
    return Call(
        lambda client: client.start_restore(path, as_of=as_of, **given, **options),
        lambda answer: {"restoreId": answer.restore_id, "restore": message(answer.restore)},
    )


def acquire(args: Arguments) -> Call:
    wishes, given = lock_wishes(args)
    return Call(lambda client: client.locks.acquire(wishes, **given), lambda lock: {"lock": message(lock)})


def renew(args: Arguments) -> Call:
    lock_id, ttl, options = args.needed("lockId"), args.seconds("ttlMs"), args.call()
    return Call(lambda client: client.locks.renew(lock_id, ttl=ttl, **options), lambda lock: {"lock": message(lock)})


def release(args: Arguments) -> Call:
    lock_id, options = args.needed("lockId"), args.call()
    return Call(lambda client: client.locks.release(lock_id, **options), lambda released: {"released": released})


def break_lock(args: Arguments) -> Call:
    lock_id, reason, options = args.needed("lockId"), args.needed("reason"), args.call()
    return Call(lambda client: client.locks.break_(lock_id, reason, **options), lambda _: {})


CALLS: dict[str, Callable[[Arguments], Call]] = {
    "stat": stat,
    "read": read,
    "readRevision": read_revision,
    "write": write,
    "append": append,
    "patch": patch,
    "setAttributes": set_attributes,
    "move": move,
    "copy": copy,
    "makeDirectory": make_directory,
    "remove": remove,
    "rollback": rollback,
    "transaction": transaction,
    "upload": upload,
    "startRestore": start_restore,
    "acquire": acquire,
    "renew": renew,
    "release": release,
    "breakLock": break_lock,
}


def lists(args: Arguments) -> Call:
    path, options = args.take("path", ""), args.call()
    given = args.given(recursive="recursive", page_size="pageSize")
    return Call(lambda client: client.list(path, **given, **options), lambda all_: {"files": messages(all_)})


def revisions(args: Arguments) -> Call:
    path, options = args.needed("path"), args.call()
    given = args.given(page_size="pageSize")
    return Call(lambda client: client.revisions(path, **given, **options), lambda all_: {"revisions": messages(all_)})


def list_locks(args: Arguments) -> Call:
    path, options = args.take("path", ""), args.call()
    given = args.given(client_locks_only="clientLocksOnly")
    return Call(lambda client: client.locks.list(path, **given, **options), lambda all_: {"locks": messages(all_)})


def watch_restore(args: Arguments) -> Call:
    restore_id, cursor, cancel = args.needed("restoreId"), args.take("cursor", ""), args.call().get("cancel")
    return Call(
        lambda client: client.watch_restore(restore_id, cursor=cursor, cancel=cancel),
        lambda all_: {"events": messages(all_)},
    )


# Verbs that iterate over all there is.
ITERATIONS: dict[str, Callable[[Arguments], Call]] = {
    "list": lists,
    "revisions": revisions,
    "listLocks": list_locks,
    "watchRestore": watch_restore,
}


def lock_wishes(args: Arguments) -> tuple[list[LockTarget], dict[str, Any]]:
    wishes = [
        LockTarget(
            path=target["path"],
            scope=LOCK_SCOPE_SUBTREE if target.get("subtree") else None,
            mode=LOCK_MODE_SHARED if target.get("shared") else None,
        )
        for target in args.needed("targets")
    ]
    given = args.given(priority="priority", request_id="requestId", owner="owner", session="session", labels="labels")
    times = {"ttl": args.seconds("ttlMs"), "lock_wait": args.seconds("lockWaitMs")}
    return wishes, {**given, **times, **args.call()}


def _edits(args: Arguments) -> list[FileEdit]:
    return [
        FileEdit(
            offset=edit.get("offset", 0),
            length=edit.get("length", 0),
            data=Content(edit["content"]).data() if "content" in edit else b"",
        )
        for edit in args.needed("edits")
    ]


def _attributes(args: Arguments) -> dict[str, Any]:
    xattrs = args.take("setXattrs")
    return {
        **args.given(mode="mode", remove_xattrs="removeXattrs"),
        "update_time": args.timestamp("updateTime"),
        "set_xattrs": None if xattrs is None else {name: text.encode() for name, text in xattrs.items()},
    }


def _target(args: Arguments) -> dict[str, Any]:
    return args.given(overwrite="overwrite", target_if_revision="targetIfRevision", target_etag="targetEtag")


def _source(content: Content, source: str, fail_after_bytes: int | None) -> Any:
    match source:
        case "bytes" if fail_after_bytes is None:
            return content.data()
        case "bytes":
            # Bytes cannot fail, a function that opens them can.
            return lambda: content.pieces(fail_after_bytes)
        case "file" if fail_after_bytes is None:
            return content.file()
        case "file":
            return FailingFile(content.file(), fail_after_bytes or 0)
        case "stream":
            return content.pieces(fail_after_bytes)
        case _:
            raise ValueError(f"unknown source: {source}")


def _step(steps: Transaction, args: Arguments) -> None:
    action, path = args.needed("action"), args.needed("path")
    condition = args.given(etag="etag", if_revision="ifRevision")
    match action:
        case "write":
            steps.write(path, args.content().data(), mode=args.take("mode"), **condition)
        case "append":
            steps.append(path, args.content().data(), **condition)
        case "patch":
            steps.patch(path, _edits(args), **condition)
        case "remove":
            steps.remove(path, **condition)
        case "move":
            steps.move(path, args.needed("target"), **_target(args), **condition)
        case "copy":
            revision = args.take("revision", 0)
            steps.copy(path, args.needed("target"), revision=revision, **_target(args), **condition)
        case "rollback":
            steps.rollback(path, args.needed("revision"), **condition)
        case "attributes":
            steps.attributes(path, **_attributes(args), **condition)
        case "check":
            steps.check(path, **condition)
        case _:
            raise ValueError(f"unknown action: {action}")
    args.finish()
