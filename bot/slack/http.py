"""HTTP: Slack's requests, the probes and the metrics, as one WSGI application and its server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import structlog
from slack_bolt import App, BoltRequest, BoltResponse
from waitress import wasyncore
from waitress.server import create_server

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)

EVENTS = "/slack/events"
#: Slack's largest payloads (a modal's state) are far below it.
LIMIT = 1 << 20
#: Seconds an idle connection is kept.
IDLE = 60
#: Seconds since 1970; with many more digits it would overflow where it is compared.
_EPOCH = re.compile(r"[0-9]{1,12}")
#: Tenths of a second in which a closing server sends the rest of its answers.
FLUSHES = 20


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    status: HTTPStatus
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Probes:
    """``healthz`` and ``readyz`` give what is wrong, each a sentence, and nothing when all is well.

    ``metrics`` gives the body and its content type.
    """

    healthz: Callable[[], tuple[str, ...]]
    readyz: Callable[[], tuple[str, ...]]
    metrics: Callable[[], tuple[bytes, str]]


def make_wsgi(find_app: Callable[[], App | None], probes: Probes) -> WSGIApplication:
    """The application: four paths, and nothing else is answered.

    While there is no app yet, Slack is told so: it shows that to people, and tries events again.
    """
    paths: Mapping[str, tuple[str, Callable[[WSGIEnvironment], Page]]] = {
        EVENTS: ("POST", lambda environ: _slack(find_app(), environ)),
        "/healthz": ("GET", lambda _environ: _probe(probes.healthz())),
        "/readyz": ("GET", lambda _environ: _probe(probes.readyz())),
        "/metrics": ("GET", lambda _environ: _metrics(*probes.metrics())),
    }

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        page = _answer(paths, environ)
        headers = [
            ("Content-Type", page.content_type),
            ("Content-Length", str(len(page.body))),
            ("X-Content-Type-Options", "nosniff"),
            *page.headers,
        ]
        start_response(f"{page.status.value} {page.status.phrase}", headers)
        return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else page.body]

    return application


def _answer(
    paths: Mapping[str, tuple[str, Callable[[WSGIEnvironment], Page]]], environ: WSGIEnvironment
) -> Page:
    path, method = environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD", "GET")
    if path not in paths:
        return _plain(HTTPStatus.NOT_FOUND, "Not found.")
    allowed, handle = paths[path]
    if method == allowed or (method == "HEAD" and allowed == "GET"):
        return handle(environ)
    if path == EVENTS and method == "GET" and _is_ssl_check(environ):
        return _plain(HTTPStatus.OK, "")
    refused = _plain(HTTPStatus.METHOD_NOT_ALLOWED, f"Use {allowed}.")
    return Page(refused.status, refused.body, headers=(("Allow", allowed),))


def _is_ssl_check(environ: WSGIEnvironment) -> bool:
    """Slack now and then checks the certificate with ``GET ?ssl_check=1``."""
    return parse_qs(environ.get("QUERY_STRING", "")).get("ssl_check") == ["1"]


def _slack(app: App | None, environ: WSGIEnvironment) -> Page:
    if app is None:
        return _plain(HTTPStatus.SERVICE_UNAVAILABLE, "The bot is starting.")
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdigit():
        return _plain(HTTPStatus.BAD_REQUEST, "Content-Length is not a number.")
    if int(length) > LIMIT:
        return _plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {LIMIT} bytes.")
    timestamp = environ.get("HTTP_X_SLACK_REQUEST_TIMESTAMP", "")
    if timestamp and not _EPOCH.fullmatch(timestamp):
        return _plain(HTTPStatus.UNAUTHORIZED, "The timestamp is not a number.")
    try:
        body = environ["wsgi.input"].read(int(length)).decode("utf-8")
        request = BoltRequest(body=body, headers=_headers(environ))
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        # Bolt reads a body before it verifies it, so anybody's nonsense arrives there.
        return _plain(HTTPStatus.BAD_REQUEST, "The body cannot be read.")
    return _page(app.dispatch(request))


def _headers(environ: WSGIEnvironment) -> dict[str, str | Sequence[str]]:
    headers: dict[str, str | Sequence[str]] = {
        key.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
    headers["content-type"] = str(environ.get("CONTENT_TYPE", ""))
    return headers


def _page(answer: BoltResponse) -> Page:
    if answer.status >= HTTPStatus.BAD_REQUEST:
        log.warning("slack_request_refused", status=answer.status)
    content_type = answer.first_headers().get("content-type", "text/plain; charset=utf-8")
    return Page(HTTPStatus(answer.status), answer.body.encode(), content_type)


def _probe(wrong: tuple[str, ...]) -> Page:
    status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
    body = json.dumps({"ok": not wrong, "wrong": list(wrong)}).encode()
    return Page(status, body, "application/json")


def _metrics(body: bytes, content_type: str) -> Page:
    return Page(HTTPStatus.OK, body, content_type)


def _plain(status: HTTPStatus, text: str) -> Page:
    return Page(status, text.encode())


class Server:
    """A listening server; ``close`` finishes the requests that were begun."""

    def __init__(self, server: Any, sockets: dict[int, Any]) -> None:
        self._server = server
        self._sockets = sockets
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="http", daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """The address it listens on."""
        return str(self._server.effective_host)

    @property
    def port(self) -> int:
        """The port it listens on; the one that was free where 0 was asked for."""
        return int(self._server.effective_port)

    def close(self, timeout: float = 5.0) -> None:
        """Accept nothing more, finish what was begun within ``timeout`` seconds, and stop."""
        self._server.accepting = False
        self._server.task_dispatcher.shutdown(timeout=timeout)
        self._stopping.set()
        self._server.pull_trigger()
        self._thread.join(timeout)

    def _run(self) -> None:
        # Sockets are closed by the thread that selects on them, else it would see them vanish.
        while not self._stopping.is_set():
            wasyncore.loop(timeout=1.0, map=self._sockets, count=1)
        for _ in range(FLUSHES):
            if not self._unsent():
                break
            wasyncore.loop(timeout=0.1, map=self._sockets, count=1)
        wasyncore.close_all(self._sockets)

    def _unsent(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.total_outbufs_len for channel in channels)


def serve(app: WSGIApplication, host: str, port: int, threads: int) -> Server:
    """Listen with waitress; raises ``OSError`` where the port is taken."""
    sockets: dict[int, Any] = {}
    server = create_server(
        app,
        map=sockets,
        host=host,
        port=port,
        threads=threads,
        max_request_body_size=LIMIT,
        channel_timeout=IDLE,
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
    return Server(server, sockets)
