"""The whole bot with canaries, on a clock that goes as fast as a test needs.

The world outside and the bot share the clock: both move with the machine's time, and by leaps with
``pass_time``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from bot.model.canary import Canary, Phase
from bot.model.deployment import Deployment, Status
from tests.fakes.fleet import Fleet
from tests.fakes.harbour import Outside, Ship


class TrialDeck(Fleet):
    """``clock`` is a file with the seconds by which the time is ahead of the machine's."""

    def __init__(self, place: Outside, clock: Path) -> None:
        super().__init__(place)
        self._clock = clock
        self.ship = Ship(place, module="tests.fakes.shifted")

    def ahead(self, seconds: float) -> None:
        """Let the bot's clock go on. Whoever reads it finds the old time or the new one."""
        written = self._clock.with_suffix(".next")
        written.write_text(str(float(self._clock.read_text()) + seconds))
        written.replace(self._clock)

    # --- time ----------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """For AWS and then for the bot, which so never asks for what is not there yet."""
        self.world.advance(seconds)
        self.ahead(seconds)

    def later(
        self, true: Callable[[], object], what: str, *, leap: float = 20.0, most: float = 7200.0
    ) -> None:
        """Let time pass until something is true, with a pause for the bot after each leap."""
        passed, pause = 0.0, Event()
        give_up = time.monotonic() + 240
        while not true():
            assert passed < most, f"gave up waiting for {what}"
            assert time.monotonic() < give_up, f"gave up waiting for {what}"
            self.pass_time(leap)
            passed += leap
            pause.wait(0.35)

    # --- canaries --------------------------------------------------------------------------------

    def begin(self, service: str, version: str = "v2") -> str:
        """A canary is asked for; its deployment's id."""
        before = len(self.of(service))
        self.asks("alice", f"{service} staging {version} --canary")
        return f"{service}-staging-{before + 1}"

    def canary(self, deployment_id: str) -> Canary | None:
        with self.database.read() as tx:
            return tx.canaries.get(deployment_id)

    def until_phase(
        self, deployment_id: str, *phases: Phase, step: int | None = None, leap: float = 20.0
    ) -> Canary:
        def there() -> bool:
            found = self.canary(deployment_id)
            return found is not None and found.phase in phases and step in {None, found.step}

        self.later(
            there, f"{deployment_id} to be {phases}; {self.canary(deployment_id)}", leap=leap
        )
        found = self.canary(deployment_id)
        assert found is not None
        return found

    def until_ended(self, deployment_id: str, *wanted: Status, leap: float = 20.0) -> Deployment:
        self.later(
            lambda: self.get(deployment_id).settled,
            f"the end of {deployment_id}: {self.canary(deployment_id)}",
            leap=leap,
        )
        found = self.get(deployment_id)
        assert found.status in wanted, found
        return found

    def until_gone(self, deployment_id: str) -> None:
        """Until nothing of the canary is left."""
        self.until_phase(deployment_id, Phase.OVER)

    def shown(self, deployment_id: str, words: str) -> bool:
        """Whether the card says so."""
        return any(words in str(c.blocks) + c.text for c in self.cards(deployment_id))

    def conduct(self, name: str, service: str, words: str) -> str:
        return self.asks(name, f"{service} staging {words}", slash="/canary")

    def crash(self) -> None:
        """``kill -9``, and a new start."""
        self.ship.kill()
        self.sail()

    def sail(self) -> None:
        self.ship.start(SHIFTED_BY=str(self._clock))
