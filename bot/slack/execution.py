"""Where the edge's work runs, and how long Slack is kept waiting for it.

Slack wants an answer within three seconds. A request's work (parse, ask intake) runs on a pool;
the request waits for it for ``patience`` and then answers with what there is. So in the usual
case the answer of a slash command *is* the acknowledgement, and nothing is acknowledged before it
is recorded; in the rare slow case the person is told so, and gets the answer when it is there.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from typing_extensions import override

P = ParamSpec("P")
T = TypeVar("T")


class InlineExecutor(Executor):
    """Runs each piece of work on the caller's thread, and keeps its fault in the future.

    Bolt is given it for its listeners: the web server's threads are pool enough, and Bolt's own
    hand-over polls every 10 ms for the acknowledgement.
    """

    @override
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as fault:  # noqa: BLE001 - an executor's contract: the future has it
            future.set_exception(fault)
        return future


class Bench:
    """The pool on which requests are worked on. ``patience`` is in seconds."""

    def __init__(self, workers: int, patience: float) -> None:
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="slack-edge")
        self._here = InlineExecutor()
        self._patience = patience

    def start(self, work: Callable[[], T]) -> Future[T]:
        """Begin; the future has the result or the fault."""
        return self._pool.submit(work)

    def inline(self, work: Callable[[], T]) -> Future[T]:
        """Do it here and now; the future has the result or the fault."""
        return self._here.submit(work)

    def settled(self, future: Future[Any]) -> bool:
        """Wait as long as Slack may be kept waiting; whether the work was done by then."""
        try:
            future.exception(timeout=self._patience)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Finish what was begun; nothing new is taken."""
        self._pool.shutdown(wait=True)
