"""The stand-in as tests and the demo use it: the data, a Web API on loopback, and people."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from bot.playground.slack.control import Controls
from bot.playground.slack.delivery import Delivered, Posting, Request, deliver
from bot.playground.slack.person import Person
from bot.playground.slack.records import Outage
from bot.playground.slack.server import Server
from bot.playground.slack.state import State


class Workspace(State):
    """One Slack workspace with one app installed. Takes what ``State`` takes.

    A context manager: leaving it closes the port.
    """

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._server = Server(self, Controls(self).answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def serve(self, port: int = 0) -> str:
        """Answer on ``127.0.0.1`` until closed; ``OSError`` where the port is taken.

        Returns the base URL; ``SLACK_API_URL`` is ``api_url``.
        """
        self.url = self._server.start(port)
        return self.url

    @property
    def api_url(self) -> str:
        """What ``slack_sdk`` takes as ``base_url``."""
        return f"{self.url}/api/"

    def connect(self, app_url: str) -> None:
        """The app's request URL for commands, interactivity and events."""
        self.app_url = app_url

    def close(self) -> None:
        """Close the port and every socket."""
        self.sockets.close()
        self._server.stop()

    def go_down(self, how: Outage) -> None:
        """Be down until ``come_back``."""
        self.outage = how
        if how is Outage.REFUSED:
            self.close()

    def come_back(self) -> None:
        """Answer again, on the same port as before."""
        how, self.outage = self.outage, None
        if how is Outage.REFUSED:
            self.serve()
        self._server.release()

    def person(self, who: str) -> Person:
        """Somebody by name or id."""
        return Person(self, self.member(who))

    def redeliver(self, request: Request, retry: int = 1) -> Delivered:
        """Send a request again, freshly signed, with Slack's retry headers."""
        return deliver(self, request, Posting(retry=retry))
