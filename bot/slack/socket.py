"""Socket Mode: the same listeners without a public address, and a probe for silent connections.

A WebSocket can stall without an error (failure scenario S9): nothing arrives any more, and nothing
says so. Slack answers our pings; when no answer came for ``SILENT_AFTER`` seconds the connection
is replaced.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http.client import HTTPException
from threading import Event, Thread
from time import time

import structlog
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

log = structlog.get_logger(__name__)

PING_EVERY = 5.0  # seconds
SILENT_AFTER = 20.0  # seconds
PROBE_EVERY = 5.0  # seconds


class SocketEdge:
    """One Socket Mode connection, watched. ``seconds`` tells the time since the epoch."""

    def __init__(
        self, app: App, app_token: str, client: WebClient, seconds: Callable[[], float] = time
    ) -> None:
        # Bolt's handler logs whole envelopes below WARNING.
        logger = logging.getLogger("bot.slack.socket_mode")
        logger.setLevel(logging.WARNING)
        self._handler = SocketModeHandler(
            app, app_token, logger=logger, web_client=client, ping_interval=PING_EVERY
        )
        self._seconds = seconds
        self._stopping = Event()
        self._since = seconds()
        self._watch = Thread(target=self._run, name="socket-mode-probe", daemon=True)

    def start(self) -> None:
        """Connect, and watch. Raises ``SlackApiError`` where the app token is refused."""
        self._handler.client.connect()
        self._since = self._seconds()
        self._watch.start()

    def close(self) -> None:
        """Disconnect; requests that were begun are finished."""
        self._stopping.set()
        if self._watch.is_alive():
            self._watch.join(PROBE_EVERY)
        self._handler.client.close()

    def silent_for(self) -> float:
        """Seconds since Slack last answered a ping, or since the connection was made."""
        session = self._handler.client.current_session
        heard = session.last_ping_pong_time if session is not None else None
        return max(0.0, self._seconds() - max(heard or 0.0, self._since))

    def trouble(self) -> str:
        """What is wrong with the connection, for readiness; empty when all is well."""
        if not self._handler.client.is_connected():
            return "Socket Mode is not connected to Slack."
        if self.silent_for() > SILENT_AFTER:
            return f"Slack has been silent on Socket Mode for {self.silent_for():.0f} s."
        return ""

    def probe(self) -> bool:
        """Replace the connection if it is down or silent; returns whether it was tried."""
        trouble = self.trouble()
        if not trouble:
            return False
        log.warning("socket_mode_reconnecting", trouble=trouble)
        try:
            self._handler.client.connect_to_new_endpoint(force=True)
        except (SlackApiError, SlackClientError, OSError, HTTPException) as error:
            log.warning("socket_mode_unreachable", error=type(error).__name__)
        else:
            self._since = self._seconds()
        return True

    def _run(self) -> None:
        while not self._stopping.wait(PROBE_EVERY):
            self.probe()
