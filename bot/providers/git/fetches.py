"""A fetch that several threads ask for at once, made once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition

from bot.model.errors import QuarterdeckError, Unreachable

#: Seconds; a fetch gives up by itself long before.
_PATIENCE = 900.0


class SharedFetch:
    """Safe to share between threads.

    Who asks while a fetch is under way waits for the next one, together with everybody else who
    asked meanwhile: no answer began before it was asked for.
    """

    def __init__(self, fetch: Callable[[], str]) -> None:
        self._fetch = fetch
        self._turn = Condition()
        self._begun = 0
        self._ended = 0
        self._running = False
        self._outcome: str | QuarterdeckError = ""

    def __call__(self) -> str:
        """The commit at the tip. Raises as the fetch does."""
        with self._turn:
            wanted = self._begun + 1
            if not self._turn.wait_for(
                lambda: self._ended >= wanted or not self._running, _PATIENCE
            ):
                raise Unreachable("A fetch that others wait for did not end.")
            if self._ended >= wanted:
                return self._told()
            self._running = True
            self._begun += 1
        outcome: str | QuarterdeckError = Unreachable("A fetch that others waited for failed.")
        try:
            outcome = self._fetch()
        except QuarterdeckError as fault:
            outcome = fault
        finally:
            with self._turn:
                self._outcome, self._ended, self._running = outcome, self._begun, False
                self._turn.notify_all()
        if isinstance(outcome, QuarterdeckError):
            raise outcome
        return outcome

    def _told(self) -> str:
        """Call with the lock held. Whoever only waited gets a fault of its own to raise."""
        if isinstance(self._outcome, QuarterdeckError):
            fault = self._outcome
            raise type(fault)(fault.message, reason_code=fault.reason_code, hint=fault.hint)
        return self._outcome
