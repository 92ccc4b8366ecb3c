"""One question for many: where one of them spoils it, the others are still answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from bot.model.errors import QuarterdeckError

Each = TypeVar("Each")
Answer = TypeVar("Answer")


def ask_together(
    batch: Sequence[Each],
    ask: Callable[[Sequence[Each]], Answer],
    may_be_of_one: Callable[[QuarterdeckError], bool],
) -> Iterator[tuple[Each, Answer | QuarterdeckError]]:
    """Each of them with the answer to all, or with the fault.

    A fault that may be only one's is looked for by halves: it costs a few calls, once.
    """
    try:
        answer = ask(batch)
    except QuarterdeckError as fault:
        if len(batch) == 1 or not may_be_of_one(fault):
            yield from ((each, fault) for each in batch)
            return
    else:
        yield from ((each, answer) for each in batch)
        return
    middle = len(batch) // 2
    for half in (batch[:middle], batch[middle:]):
        yield from ask_together(half, ask, may_be_of_one)
