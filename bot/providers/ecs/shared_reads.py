"""Services that several threads ask about at once, read together.

DescribeServices answers about ten services of a cluster in one call. Who asks while a call is
under way is answered by the next one, together with everybody else who asked meanwhile; a call
that takes long is not waited for. Nothing is remembered: an answer was always read after it was
asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from bot.model.errors import QuarterdeckError, Transient
from bot.model.places import EcsService
from bot.providers.ecs.reads import SERVICES_PER_CALL, Account, Found, account_of, unknown_service

#: Seconds after which whoever waits starts a call beside others, and how many there may be.
_HURRY = 0.25
_ABREAST = 4
_THREADS = 16

#: Reads up to ten services of one cluster.
Read = Callable[[Account, str, Sequence[str]], dict[str, Found]]
_Cluster = tuple[Account, str]
_Asked = tuple[str, Future[Found | None]]


class SharedReads:
    """Safe to share between threads."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ecs-reads")
        self._lock = Lock()
        self._waiting: dict[_Cluster, list[_Asked]] = defaultdict(list)
        self._abreast: dict[_Cluster, int] = defaultdict(int)

    def service(self, ecs: EcsService) -> Found:
        """The service now. Raises as the read does, and ``Misconfigured`` where there is none."""
        cluster: _Cluster = (account_of(ecs), ecs.cluster)
        future: Future[Found | None] = Future()
        with self._lock:
            self._waiting[cluster].append((ecs.service, future))
        self._begin(cluster, 1)
        found = self._answered(cluster, future)
        if found is None:
            raise unknown_service(ecs)
        return found

    def _answered(self, cluster: _Cluster, future: Future[Found | None]) -> Found | None:
        while True:
            try:
                return future.result(_HURRY)
            except TimeoutError:
                if future.done():  # answered in this very moment, or with a TimeoutError
                    return future.result()
                self._begin(cluster, _ABREAST)

    def _begin(self, cluster: _Cluster, abreast: int) -> None:
        """Start a call, unless so many are under way."""
        with self._lock:
            if self._abreast[cluster] >= abreast:
                return
            self._abreast[cluster] += 1
        self._threads.submit(self._work, cluster)

    def _work(self, cluster: _Cluster) -> None:
        while batch := self._next(cluster):
            try:
                self._answer(cluster, batch)
            except BaseException as fault:
                # A mistake of ours: whoever waits is told, and the next call may be made.
                _fail(batch, fault)
                with self._lock:
                    self._abreast[cluster] -= 1
                raise

    def _next(self, cluster: _Cluster) -> list[_Asked]:
        with self._lock:
            waiting = self._waiting[cluster]
            batch, self._waiting[cluster] = waiting[:SERVICES_PER_CALL], waiting[SERVICES_PER_CALL:]
            if not batch:
                self._abreast[cluster] -= 1
            return batch

    def _answer(self, cluster: _Cluster, batch: list[_Asked]) -> None:
        try:
            found = self._read(*cluster, sorted({name for name, _ in batch}))
        except QuarterdeckError as fault:
            if len(batch) == 1 or isinstance(fault, Transient):
                _fail(batch, fault)
                return
            # One that may not be read, or cannot be named, must not be the others' fault.
            for each in batch:
                self._answer(cluster, [each])
        else:
            for name, future in batch:
                future.set_result(found.get(name))


def _fail(batch: list[_Asked], fault: BaseException) -> None:
    """Tell all who have not been answered yet."""
    for _, future in batch:
        if not future.done():
            future.set_exception(fault)
