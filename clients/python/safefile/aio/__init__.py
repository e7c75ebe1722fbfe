"""The asynchronous client: as the synchronous one, with coroutines and asynchronous iterators."""

from safefile.aio.client import Client
from safefile.aio.download import Download
from safefile.aio.follow import Watch
from safefile.aio.held_lock import HeldLock
from safefile.aio.locks import Locks
from safefile.aio.source import UploadSource

__all__ = ["Client", "Download", "HeldLock", "Locks", "UploadSource", "Watch"]
