"""The page over HTTP, on loopback: the page itself, its news, and what is done on it.

Only the page itself may ask: the ``Host`` must be this server (so that no other site's name can be
pointed here), and whatever acts must be JSON from this origin.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from threading import Event, Thread
from typing import Any, Final

from typing_extensions import override
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from bot.playground.page.live import Asking, Pages, Scene
from bot.playground.page.scene import Place
from bot.playground.slack.refusal import CannotDo

#: Seconds for which a question for news waits, and between looks at what moves by itself.
PATIENCE, TICK = 20.0, 0.4
#: Bytes of one request: far more than any form here.
LIMIT = 1 << 20
STATIC: Final = {
    "app.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "blocks.css": "text/css; charset=utf-8",
    "world.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
PNG = b"\x89PNG\r\n\x1a\n"
#: Nothing that a message contains can load, run or send anything.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Content:
    """What the server shows. ``act`` carries out a verb; ``wait`` sleeps until something changed.

    ``wait`` is given what it returned before, and how long to wait at most, in seconds. ``file``
    gives an uploaded PNG by its id.
    """

    page: Callable[[], str]
    scene: Callable[[Place], Scene]
    act: Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
    wait: Callable[[int, float], int]
    file: Callable[[str], bytes | None] = lambda _: None


class PageServer:
    """Listens on loopback from ``start`` until ``close``."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._pages = Pages()
        self._closing = Event()

    def start(self, port: int = 0) -> str:
        """Listen; returns the address. Raises ``OSError`` where the port is taken."""
        self._server = make_server(
            "127.0.0.1", port, self._application, threaded=True, request_handler=_Quiet
        )
        self._server.daemon_threads = True  # type: ignore[attr-defined] # of socketserver's mix-in
        self._thread = Thread(target=self._server.serve_forever, name="page", daemon=True)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Answer who waits, and stop."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _application(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        request.max_content_length = LIMIT
        try:
            response = self._answer(request)
        except HTTPException as refused:
            response = _json({"note": refused.description or refused.name}, refused.code or 400)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.host not in self._names():
            raise Forbidden("This page is served on loopback only.")
        if request.method in {"GET", "HEAD"}:
            return self._shown(request.path)
        if request.method != "POST" or not request.is_json:
            raise BadRequest("Ask with POST and JSON.")
        if request.headers.get("Origin") not in {None, *map("http://{}".format, self._names())}:
            raise Forbidden("Only the page itself may do that.")
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise BadRequest("The body is not a JSON object.")
        if request.path == "/news":
            return self._news(body)
        if request.path.startswith("/act/"):
            return self._act(request.path.removeprefix("/act/"), body)
        raise NotFound

    def _names(self) -> tuple[str, ...]:
        port = self._server.server_port
        return f"127.0.0.1:{port}", f"localhost:{port}"

    def _shown(self, path: str) -> Response:
        if path == "/":
            return Response(self._content.page(), mimetype="text/html")
        if path.startswith("/files/"):
            return self._file(path.removeprefix("/files/"))
        name = path.removeprefix("/static/")
        if path != f"/static/{name}" or name not in STATIC:
            raise NotFound("There is no such page.")
        source = resources.files("bot.playground.page").joinpath("static", name)
        return Response(source.read_bytes(), content_type=STATIC[name])

    def _file(self, identity: str) -> Response:
        """A picture that was uploaded, of the only kind that is: nothing that a browser runs."""
        body = self._content.file(identity)
        if body is None or not body.startswith(PNG):
            raise NotFound("There is no such picture.")
        return Response(body, content_type="image/png")

    def _news(self, body: Mapping[str, Any]) -> Response:
        asking, place = _asking(body), _place(body)
        deadline = time.monotonic() + PATIENCE
        seen = -1
        while True:
            seen = self._content.wait(seen, 0.0 if seen < 0 else TICK)
            try:
                news = self._pages.news(asking, self._content.scene(place))
            except KeyError as missing:
                raise NotFound(f"There is no {missing}.") from None
            over = self._closing.is_set() or time.monotonic() > deadline
            if news is None or news["changes"] or over:
                return _json(news or {"number": asking.known, "changes": {}})

    def _act(self, verb: str, body: Mapping[str, Any]) -> Response:
        try:
            return _json(self._content.act(verb, body))
        except KeyError as missing:
            return _json({"note": f"There is no {missing}."}, 404)
        except (CannotDo, ValueError) as impossible:
            return _json({"note": _sentence(str(impossible))}, 409)


class _Quiet(WSGIRequestHandler):
    """Requests are not logged: the terminal shows the address, and what goes wrong."""

    @override
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def _asking(body: Mapping[str, Any]) -> Asking:
    try:
        return Asking(str(body["page"])[:64], int(body["turn"]), int(body["known"]))
    except (KeyError, TypeError, ValueError):
        raise BadRequest("page, turn and known are needed.") from None


def _place(body: Mapping[str, Any]) -> Place:
    return Place(*(str(body.get(name) or "")[:80] for name in ("person", "channel", "thread")))


def _json(content: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content), status, mimetype="application/json")


def _sentence(words: str) -> str:
    whole = words[:1].upper() + words[1:]
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."
