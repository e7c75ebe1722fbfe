import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from safefile.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LockScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOCK_SCOPE_UNSPECIFIED: _ClassVar[LockScope]
    LOCK_SCOPE_PATH: _ClassVar[LockScope]
    LOCK_SCOPE_SUBTREE: _ClassVar[LockScope]

class LockMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOCK_MODE_UNSPECIFIED: _ClassVar[LockMode]
    LOCK_MODE_EXCLUSIVE: _ClassVar[LockMode]
    LOCK_MODE_SHARED: _ClassVar[LockMode]

class LockEventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOCK_EVENT_KIND_UNSPECIFIED: _ClassVar[LockEventKind]
    LOCK_EVENT_KIND_HELD: _ClassVar[LockEventKind]
    LOCK_EVENT_KIND_ACQUIRED: _ClassVar[LockEventKind]
    LOCK_EVENT_KIND_RELEASED: _ClassVar[LockEventKind]
    LOCK_EVENT_KIND_EXPIRED: _ClassVar[LockEventKind]
    LOCK_EVENT_KIND_BROKEN: _ClassVar[LockEventKind]
    LOCK_EVENT_KIND_WAIT_STARTED: _ClassVar[LockEventKind]
    LOCK_EVENT_KIND_WAIT_ENDED: _ClassVar[LockEventKind]
    LOCK_EVENT_KIND_DEADLOCK: _ClassVar[LockEventKind]
    LOCK_EVENT_KIND_GAP: _ClassVar[LockEventKind]
    LOCK_EVENT_KIND_HEARTBEAT: _ClassVar[LockEventKind]
LOCK_SCOPE_UNSPECIFIED: LockScope
LOCK_SCOPE_PATH: LockScope
LOCK_SCOPE_SUBTREE: LockScope
LOCK_MODE_UNSPECIFIED: LockMode
LOCK_MODE_EXCLUSIVE: LockMode
LOCK_MODE_SHARED: LockMode
LOCK_EVENT_KIND_UNSPECIFIED: LockEventKind
LOCK_EVENT_KIND_HELD: LockEventKind
LOCK_EVENT_KIND_ACQUIRED: LockEventKind
LOCK_EVENT_KIND_RELEASED: LockEventKind
LOCK_EVENT_KIND_EXPIRED: LockEventKind
LOCK_EVENT_KIND_BROKEN: LockEventKind
LOCK_EVENT_KIND_WAIT_STARTED: LockEventKind
LOCK_EVENT_KIND_WAIT_ENDED: LockEventKind
LOCK_EVENT_KIND_DEADLOCK: LockEventKind
LOCK_EVENT_KIND_GAP: LockEventKind
LOCK_EVENT_KIND_HEARTBEAT: LockEventKind

class LockTarget(_message.Message):
    __slots__ = ("path", "scope", "mode")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    path: str
    scope: LockScope
    mode: LockMode
    def __init__(self, path: _Optional[str] = ..., scope: _Optional[_Union[LockScope, str]] = ..., mode: _Optional[_Union[LockMode, str]] = ...) -> None: ...

class LockOwner(_message.Message):
    __slots__ = ("identity", "name", "incarnation", "operation_id", "trace_id")
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    identity: str
    name: str
    incarnation: str
    operation_id: str
    trace_id: str
    def __init__(self, identity: _Optional[str] = ..., name: _Optional[str] = ..., incarnation: _Optional[str] = ..., operation_id: _Optional[str] = ..., trace_id: _Optional[str] = ...) -> None: ...

class HeldTarget(_message.Message):
    __slots__ = ("target", "fencing_token")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    FENCING_TOKEN_FIELD_NUMBER: _ClassVar[int]
    target: LockTarget
    fencing_token: int
    def __init__(self, target: _Optional[_Union[LockTarget, _Mapping]] = ..., fencing_token: _Optional[int] = ...) -> None: ...

class Lock(_message.Message):
    __slots__ = ("lock_id", "volume", "targets", "owner", "client_lock", "priority", "acquire_time", "expire_time", "remaining", "waiters", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LOCK_ID_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_LOCK_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    ACQUIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    WAITERS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    lock_id: str
    volume: str
    targets: _containers.RepeatedCompositeFieldContainer[HeldTarget]
    owner: LockOwner
    client_lock: bool
    priority: int
    acquire_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    remaining: _duration_pb2.Duration
    waiters: int
    labels: _containers.ScalarMap[str, str]
    def __init__(self, lock_id: _Optional[str] = ..., volume: _Optional[str] = ..., targets: _Optional[_Iterable[_Union[HeldTarget, _Mapping]]] = ..., owner: _Optional[_Union[LockOwner, _Mapping]] = ..., client_lock: _Optional[bool] = ..., priority: _Optional[int] = ..., acquire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., remaining: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., waiters: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class LockWaiter(_message.Message):
    __slots__ = ("waiter_id", "volume", "targets", "owner", "priority", "wait_start_time", "position")
    WAITER_ID_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    WAIT_START_TIME_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    waiter_id: str
    volume: str
    targets: _containers.RepeatedCompositeFieldContainer[LockTarget]
    owner: LockOwner
    priority: int
    wait_start_time: _timestamp_pb2.Timestamp
    position: int
    def __init__(self, waiter_id: _Optional[str] = ..., volume: _Optional[str] = ..., targets: _Optional[_Iterable[_Union[LockTarget, _Mapping]]] = ..., owner: _Optional[_Union[LockOwner, _Mapping]] = ..., priority: _Optional[int] = ..., wait_start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., position: _Optional[int] = ...) -> None: ...

class AcquireLockRequest(_message.Message):
    __slots__ = ("volume", "targets", "ttl", "lock_wait", "priority", "request_id", "owner_name", "labels", "session")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    LOCK_WAIT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    volume: str
    targets: _containers.RepeatedCompositeFieldContainer[LockTarget]
    ttl: _duration_pb2.Duration
    lock_wait: _duration_pb2.Duration
    priority: int
    request_id: str
    owner_name: str
    labels: _containers.ScalarMap[str, str]
    session: str
    def __init__(self, volume: _Optional[str] = ..., targets: _Optional[_Iterable[_Union[LockTarget, _Mapping]]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., lock_wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., priority: _Optional[int] = ..., request_id: _Optional[str] = ..., owner_name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., session: _Optional[str] = ...) -> None: ...

class AcquireLockResponse(_message.Message):
    __slots__ = ("lock", "waited", "request_id", "trace_id")
    LOCK_FIELD_NUMBER: _ClassVar[int]
    WAITED_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    lock: Lock
    waited: _duration_pb2.Duration
    request_id: str
    trace_id: str
    def __init__(self, lock: _Optional[_Union[Lock, _Mapping]] = ..., waited: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., request_id: _Optional[str] = ..., trace_id: _Optional[str] = ...) -> None: ...

class RenewLockRequest(_message.Message):
    __slots__ = ("lock_id", "ttl")
    LOCK_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    lock_id: str
    ttl: _duration_pb2.Duration
    def __init__(self, lock_id: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RenewLockResponse(_message.Message):
    __slots__ = ("lock",)
    LOCK_FIELD_NUMBER: _ClassVar[int]
    lock: Lock
    def __init__(self, lock: _Optional[_Union[Lock, _Mapping]] = ...) -> None: ...

class ReleaseLockRequest(_message.Message):
    __slots__ = ("lock_id",)
    LOCK_ID_FIELD_NUMBER: _ClassVar[int]
    lock_id: str
    def __init__(self, lock_id: _Optional[str] = ...) -> None: ...

class ReleaseLockResponse(_message.Message):
    __slots__ = ("released",)
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    released: bool
    def __init__(self, released: _Optional[bool] = ...) -> None: ...

class ListLocksRequest(_message.Message):
    __slots__ = ("volume", "path", "client_locks_only", "page_size", "page_token")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    CLIENT_LOCKS_ONLY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    client_locks_only: bool
    page_size: int
    page_token: str
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., client_locks_only: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class LockEntry(_message.Message):
    __slots__ = ("lock", "waiters")
    LOCK_FIELD_NUMBER: _ClassVar[int]
    WAITERS_FIELD_NUMBER: _ClassVar[int]
    lock: Lock
    waiters: _containers.RepeatedCompositeFieldContainer[LockWaiter]
    def __init__(self, lock: _Optional[_Union[Lock, _Mapping]] = ..., waiters: _Optional[_Iterable[_Union[LockWaiter, _Mapping]]] = ...) -> None: ...

class ListLocksResponse(_message.Message):
    __slots__ = ("locks", "next_page_token")
    LOCKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    locks: _containers.RepeatedCompositeFieldContainer[LockEntry]
    next_page_token: str
    def __init__(self, locks: _Optional[_Iterable[_Union[LockEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetWaitGraphRequest(_message.Message):
    __slots__ = ("volume",)
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    volume: str
    def __init__(self, volume: _Optional[str] = ...) -> None: ...

class WaitParty(_message.Message):
    __slots__ = ("party_id", "owner", "priority", "start_time")
    PARTY_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    party_id: str
    owner: LockOwner
    priority: int
    start_time: _timestamp_pb2.Timestamp
    def __init__(self, party_id: _Optional[str] = ..., owner: _Optional[_Union[LockOwner, _Mapping]] = ..., priority: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WaitEdge(_message.Message):
    __slots__ = ("waiter_party_id", "holder_party_id", "target", "wait_start_time")
    WAITER_PARTY_ID_FIELD_NUMBER: _ClassVar[int]
    HOLDER_PARTY_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    WAIT_START_TIME_FIELD_NUMBER: _ClassVar[int]
    waiter_party_id: str
    holder_party_id: str
    target: LockTarget
    wait_start_time: _timestamp_pb2.Timestamp
    def __init__(self, waiter_party_id: _Optional[str] = ..., holder_party_id: _Optional[str] = ..., target: _Optional[_Union[LockTarget, _Mapping]] = ..., wait_start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WaitCycle(_message.Message):
    __slots__ = ("party_ids", "victim_party_id")
    PARTY_IDS_FIELD_NUMBER: _ClassVar[int]
    VICTIM_PARTY_ID_FIELD_NUMBER: _ClassVar[int]
    party_ids: _containers.RepeatedScalarFieldContainer[str]
    victim_party_id: str
    def __init__(self, party_ids: _Optional[_Iterable[str]] = ..., victim_party_id: _Optional[str] = ...) -> None: ...

class GetWaitGraphResponse(_message.Message):
    __slots__ = ("parties", "edges", "cycles", "snapshot_time")
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    EDGES_FIELD_NUMBER: _ClassVar[int]
    CYCLES_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_TIME_FIELD_NUMBER: _ClassVar[int]
    parties: _containers.RepeatedCompositeFieldContainer[WaitParty]
    edges: _containers.RepeatedCompositeFieldContainer[WaitEdge]
    cycles: _containers.RepeatedCompositeFieldContainer[WaitCycle]
    snapshot_time: _timestamp_pb2.Timestamp
    def __init__(self, parties: _Optional[_Iterable[_Union[WaitParty, _Mapping]]] = ..., edges: _Optional[_Iterable[_Union[WaitEdge, _Mapping]]] = ..., cycles: _Optional[_Iterable[_Union[WaitCycle, _Mapping]]] = ..., snapshot_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BreakLockRequest(_message.Message):
    __slots__ = ("lock_id", "reason", "request_id")
    LOCK_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    lock_id: str
    reason: str
    request_id: str
    def __init__(self, lock_id: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class BreakLockResponse(_message.Message):
    __slots__ = ("lock", "outcome", "request_id")
    LOCK_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    lock: Lock
    outcome: _common_pb2.Outcome
    request_id: str
    def __init__(self, lock: _Optional[_Union[Lock, _Mapping]] = ..., outcome: _Optional[_Union[_common_pb2.Outcome, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class WatchLocksRequest(_message.Message):
    __slots__ = ("volume", "path", "client_locks_only", "resume_token")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    CLIENT_LOCKS_ONLY_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    client_locks_only: bool
    resume_token: str
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., client_locks_only: _Optional[bool] = ..., resume_token: _Optional[str] = ...) -> None: ...

class WatchLocksResponse(_message.Message):
    __slots__ = ("resume_token", "kind", "event_time", "lock", "waiter", "cycle", "reason")
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    LOCK_FIELD_NUMBER: _ClassVar[int]
    WAITER_FIELD_NUMBER: _ClassVar[int]
    CYCLE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    kind: LockEventKind
    event_time: _timestamp_pb2.Timestamp
    lock: Lock
    waiter: LockWaiter
    cycle: WaitCycle
    reason: str
    def __init__(self, resume_token: _Optional[str] = ..., kind: _Optional[_Union[LockEventKind, str]] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lock: _Optional[_Union[Lock, _Mapping]] = ..., waiter: _Optional[_Union[LockWaiter, _Mapping]] = ..., cycle: _Optional[_Union[WaitCycle, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...
