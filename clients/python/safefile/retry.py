"""Whether a failed call may be repeated, and when. Waits for nothing itself."""

from __future__ import annotations

import dataclasses
import math
import random
import time
from collections.abc import Callable

import grpc

from safefile.errors import SafefileError


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """How often and how long a call that is UNAVAILABLE is repeated, with the same request id. Times in seconds."""

    attempts_max: int = 5
    """The first attempt included: 1 never repeats."""
    time_max: float = 30.0
    """No attempt starts later than this after the first failure."""
    backoff_min: float = 0.1
    """The first pause; each next one is twice as long, up to the maximum, less a random part of up to a half."""
    backoff_max: float = 5.0


class Retry:
    """Counts the attempts of one call."""

    def __init__(
        self,
        policy: RetryPolicy,
        chance: Callable[[], float] = random.random,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._chance = chance
        self._now = now
        self._attempts = 1
        self._failed: float | None = None
        self.unsettled: SafefileError | None = None
        """The last failure of an attempt that may have committed."""

    def pause_after(self, failure: BaseException, end: float = math.inf) -> float:
        """How many seconds to wait before the call is repeated; raises the error to report when it may not be."""
        error = self.settle(failure)
        if not isinstance(error, SafefileError) or error.code is not grpc.StatusCode.UNAVAILABLE:
            raise error
        pause = max(self._backoff(), error.retry_after or 0.0)
        now = self._now()
        if self._failed is None:
            self._failed = now
        resume = now + pause
        too_late = resume - self._failed > self._policy.time_max or resume >= end
        if self._attempts >= self._policy.attempts_max or too_late:
            raise error
        self._attempts += 1
        return pause

    def reset(self) -> None:
        """Progress was made: the next failure is a first one again."""
        self._attempts = 1
        self._failed = None

    def settle(self, failure: BaseException) -> BaseException:
        """The failure as it is to be reported.

        An attempt that may have committed is not settled by a later one that did not get through: only the service's
        own answer to the same request id settles it.
        """
        if not isinstance(failure, SafefileError):
            return failure
        answered = failure.reason is not None and failure.code is not grpc.StatusCode.UNAVAILABLE
        if failure.outcome == "UNKNOWN":
            self.unsettled = failure
        elif self.unsettled is not None and not answered:
            return failure.having("UNKNOWN")
        return failure

    def _backoff(self) -> float:
        longest = min(self._policy.backoff_max, self._policy.backoff_min * 2.0 ** (self._attempts - 1))
        return longest * (1 - self._chance() / 2)
