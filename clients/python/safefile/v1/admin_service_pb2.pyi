import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from safefile.v1 import common_pb2 as _common_pb2
from safefile.v1 import errors_pb2 as _errors_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReplicaState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REPLICA_STATE_UNSPECIFIED: _ClassVar[ReplicaState]
    REPLICA_STATE_RECOVERING: _ClassVar[ReplicaState]
    REPLICA_STATE_SERVING: _ClassVar[ReplicaState]
    REPLICA_STATE_DRAINING: _ClassVar[ReplicaState]
    REPLICA_STATE_FAILED: _ClassVar[ReplicaState]
    REPLICA_STATE_DEAD: _ClassVar[ReplicaState]

class EventSeverity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_SEVERITY_UNSPECIFIED: _ClassVar[EventSeverity]
    EVENT_SEVERITY_INFO: _ClassVar[EventSeverity]
    EVENT_SEVERITY_WARNING: _ClassVar[EventSeverity]
    EVENT_SEVERITY_ERROR: _ClassVar[EventSeverity]
REPLICA_STATE_UNSPECIFIED: ReplicaState
REPLICA_STATE_RECOVERING: ReplicaState
REPLICA_STATE_SERVING: ReplicaState
REPLICA_STATE_DRAINING: ReplicaState
REPLICA_STATE_FAILED: ReplicaState
REPLICA_STATE_DEAD: ReplicaState
EVENT_SEVERITY_UNSPECIFIED: EventSeverity
EVENT_SEVERITY_INFO: EventSeverity
EVENT_SEVERITY_WARNING: EventSeverity
EVENT_SEVERITY_ERROR: EventSeverity

class GetReportRequest(_message.Message):
    __slots__ = ("volume",)
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    volume: str
    def __init__(self, volume: _Optional[str] = ...) -> None: ...

class ReplicaReport(_message.Message):
    __slots__ = ("incarnation", "host", "version", "state", "start_time", "heartbeat_time", "operations_active", "operations_waiting", "streams_open", "memory_bytes", "journal_bytes", "replay_bytes")
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_TIME_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_WAITING_FIELD_NUMBER: _ClassVar[int]
    STREAMS_OPEN_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    REPLAY_BYTES_FIELD_NUMBER: _ClassVar[int]
    incarnation: str
    host: str
    version: str
    state: ReplicaState
    start_time: _timestamp_pb2.Timestamp
    heartbeat_time: _timestamp_pb2.Timestamp
    operations_active: int
    operations_waiting: int
    streams_open: int
    memory_bytes: int
    journal_bytes: int
    replay_bytes: int
    def __init__(self, incarnation: _Optional[str] = ..., host: _Optional[str] = ..., version: _Optional[str] = ..., state: _Optional[_Union[ReplicaState, str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., heartbeat_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., operations_active: _Optional[int] = ..., operations_waiting: _Optional[int] = ..., streams_open: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., journal_bytes: _Optional[int] = ..., replay_bytes: _Optional[int] = ...) -> None: ...

class RedisReport(_message.Message):
    __slots__ = ("address", "role", "reachable", "voting", "latency")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_FIELD_NUMBER: _ClassVar[int]
    VOTING_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    address: str
    role: str
    reachable: bool
    voting: bool
    latency: _duration_pb2.Duration
    def __init__(self, address: _Optional[str] = ..., role: _Optional[str] = ..., reachable: _Optional[bool] = ..., voting: _Optional[bool] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class VolumeReport(_message.Message):
    __slots__ = ("volume", "volume_id", "format_version", "file_system", "reachable", "read_only", "bytes_total", "bytes_free", "paths", "revisions", "store_bytes")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_VERSION_FIELD_NUMBER: _ClassVar[int]
    FILE_SYSTEM_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    BYTES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    BYTES_FREE_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    STORE_BYTES_FIELD_NUMBER: _ClassVar[int]
    volume: str
    volume_id: str
    format_version: int
    file_system: str
    reachable: bool
    read_only: bool
    bytes_total: int
    bytes_free: int
    paths: int
    revisions: int
    store_bytes: int
    def __init__(self, volume: _Optional[str] = ..., volume_id: _Optional[str] = ..., format_version: _Optional[int] = ..., file_system: _Optional[str] = ..., reachable: _Optional[bool] = ..., read_only: _Optional[bool] = ..., bytes_total: _Optional[int] = ..., bytes_free: _Optional[int] = ..., paths: _Optional[int] = ..., revisions: _Optional[int] = ..., store_bytes: _Optional[int] = ...) -> None: ...

class GetReportResponse(_message.Message):
    __slots__ = ("snapshot_time", "volume", "replicas", "redis", "incidents_unresolved", "locks_held", "locks_waiting", "restores_active")
    SNAPSHOT_TIME_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    REDIS_FIELD_NUMBER: _ClassVar[int]
    INCIDENTS_UNRESOLVED_FIELD_NUMBER: _ClassVar[int]
    LOCKS_HELD_FIELD_NUMBER: _ClassVar[int]
    LOCKS_WAITING_FIELD_NUMBER: _ClassVar[int]
    RESTORES_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    snapshot_time: _timestamp_pb2.Timestamp
    volume: VolumeReport
    replicas: _containers.RepeatedCompositeFieldContainer[ReplicaReport]
    redis: _containers.RepeatedCompositeFieldContainer[RedisReport]
    incidents_unresolved: int
    locks_held: int
    locks_waiting: int
    restores_active: int
    def __init__(self, snapshot_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., volume: _Optional[_Union[VolumeReport, _Mapping]] = ..., replicas: _Optional[_Iterable[_Union[ReplicaReport, _Mapping]]] = ..., redis: _Optional[_Iterable[_Union[RedisReport, _Mapping]]] = ..., incidents_unresolved: _Optional[int] = ..., locks_held: _Optional[int] = ..., locks_waiting: _Optional[int] = ..., restores_active: _Optional[int] = ...) -> None: ...

class WatchEventsRequest(_message.Message):
    __slots__ = ("volume", "severity_min", "resume_token")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_MIN_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    volume: str
    severity_min: EventSeverity
    resume_token: str
    def __init__(self, volume: _Optional[str] = ..., severity_min: _Optional[_Union[EventSeverity, str]] = ..., resume_token: _Optional[str] = ...) -> None: ...

class ReplicaChange(_message.Message):
    __slots__ = ("incarnation", "state_before", "state")
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    STATE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    incarnation: str
    state_before: ReplicaState
    state: ReplicaState
    def __init__(self, incarnation: _Optional[str] = ..., state_before: _Optional[_Union[ReplicaState, str]] = ..., state: _Optional[_Union[ReplicaState, str]] = ...) -> None: ...

class LimitNotice(_message.Message):
    __slots__ = ("limit", "limit_value", "actual_value")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_VALUE_FIELD_NUMBER: _ClassVar[int]
    ACTUAL_VALUE_FIELD_NUMBER: _ClassVar[int]
    limit: str
    limit_value: str
    actual_value: str
    def __init__(self, limit: _Optional[str] = ..., limit_value: _Optional[str] = ..., actual_value: _Optional[str] = ...) -> None: ...

class EventGap(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EventHeartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchEventsResponse(_message.Message):
    __slots__ = ("resume_token", "event_time", "severity", "message", "incident", "replica", "limit", "audit", "gap", "heartbeat")
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AUDIT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    event_time: _timestamp_pb2.Timestamp
    severity: EventSeverity
    message: str
    incident: _common_pb2.Incident
    replica: ReplicaChange
    limit: LimitNotice
    audit: AuditEvent
    gap: EventGap
    heartbeat: EventHeartbeat
    def __init__(self, resume_token: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., severity: _Optional[_Union[EventSeverity, str]] = ..., message: _Optional[str] = ..., incident: _Optional[_Union[_common_pb2.Incident, _Mapping]] = ..., replica: _Optional[_Union[ReplicaChange, _Mapping]] = ..., limit: _Optional[_Union[LimitNotice, _Mapping]] = ..., audit: _Optional[_Union[AuditEvent, _Mapping]] = ..., gap: _Optional[_Union[EventGap, _Mapping]] = ..., heartbeat: _Optional[_Union[EventHeartbeat, _Mapping]] = ...) -> None: ...

class ListAuditEventsRequest(_message.Message):
    __slots__ = ("volume", "path", "identity", "method", "start_time", "end_time", "page_size", "page_token")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    identity: str
    method: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., identity: _Optional[str] = ..., method: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class AuditEvent(_message.Message):
    __slots__ = ("event_id", "event_time", "identity", "peer", "method", "volume", "paths", "path_count", "operation_id", "request_id", "trace_id", "code", "reason", "outcome", "note")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    PATH_COUNT_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    event_time: _timestamp_pb2.Timestamp
    identity: str
    peer: str
    method: str
    volume: str
    paths: _containers.RepeatedScalarFieldContainer[str]
    path_count: int
    operation_id: str
    request_id: str
    trace_id: str
    code: int
    reason: _errors_pb2.ErrorReason
    outcome: _common_pb2.Outcome
    note: str
    def __init__(self, event_id: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., identity: _Optional[str] = ..., peer: _Optional[str] = ..., method: _Optional[str] = ..., volume: _Optional[str] = ..., paths: _Optional[_Iterable[str]] = ..., path_count: _Optional[int] = ..., operation_id: _Optional[str] = ..., request_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., code: _Optional[int] = ..., reason: _Optional[_Union[_errors_pb2.ErrorReason, str]] = ..., outcome: _Optional[_Union[_common_pb2.Outcome, str]] = ..., note: _Optional[str] = ...) -> None: ...

class ListAuditEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[AuditEvent]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[AuditEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DrainReplicaRequest(_message.Message):
    __slots__ = ("incarnation", "drain_wait", "reason", "request_id")
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    DRAIN_WAIT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    incarnation: str
    drain_wait: _duration_pb2.Duration
    reason: str
    request_id: str
    def __init__(self, incarnation: _Optional[str] = ..., drain_wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DrainReplicaResponse(_message.Message):
    __slots__ = ("incarnation", "operations_finished", "operations_aborted", "request_id")
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FINISHED_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_ABORTED_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    incarnation: str
    operations_finished: int
    operations_aborted: int
    request_id: str
    def __init__(self, incarnation: _Optional[str] = ..., operations_finished: _Optional[int] = ..., operations_aborted: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...
