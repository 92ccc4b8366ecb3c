"""The HTTP side: tokens are checked here, everything else is ``git http-backend``."""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import subprocess
import tempfile
from collections.abc import Iterator
from http import HTTPStatus
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from bot.playground.git.faults import Fault, Service
from bot.playground.git.program import clean_environment, git_program
from bot.playground.loopback import LoopbackHandler, LoopbackServer

if TYPE_CHECKING:
    from bot.playground.git.host import GitHost

_PIECE = 64 * 1024
_SPOOLED = 4 * 1024 * 1024
_TIMEOUT = 300
_ENDINGS: dict[str, Service] = {
    "/info/refs?service=git-upload-pack": "list_fetch",
    "/info/refs?service=git-receive-pack": "list_push",
    "/git-upload-pack": "fetch",
    "/git-receive-pack": "push",
}


class Refused(Exception):
    """An answer that is no success; status 0 means none at all."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.status = status


class Server(LoopbackServer):
    """Serves one host until it is stopped."""

    def __init__(self, host: GitHost, port: int = 0) -> None:
        self.host = host
        super().__init__(_Handler, "local-git", port)


class _Handler(LoopbackHandler):
    server: Server

    def do_GET(self) -> None:
        """Show the branches."""
        self._answer()

    def do_POST(self) -> None:
        """Fetch or push."""
        self._answer()

    def _answer(self) -> None:
        name, service = _asked(self.path)
        try:
            with tempfile.SpooledTemporaryFile(_SPOOLED) as body:
                for piece in self._pieces():
                    body.write(piece)
                body.seek(0)
                self._serve(name, service, body)
        except Refused as refusal:
            self.server.host.record(name, service or "", refusal.status)
            self._refuse(refusal)

    def _serve(self, name: str, service: Service | None, body: IO[bytes]) -> None:
        if service is None:
            raise Refused(404, "Not Found")
        faults = self.server.host.faults.take(service)
        for fault in faults:
            self._suffer(fault)
        user = self._user(name, writes=service in {"list_push", "push"})
        with self._backend(name, user, body) as answer:
            lost = next((fault for fault in faults if fault.kind == "lose_answer"), None)
            content = io.BytesIO(answer.read()) if lost is not None else answer
            status = self._head(content)
            if lost is not None:
                lost.deed()
                # Headers went out: a request without any answer is sent again by the client itself.
                self.wfile.flush()
                raise Refused(0)
            self.server.host.record(name, service, status)
            self._stream(content)

    def _suffer(self, fault: Fault) -> None:
        if fault.kind == "drop":
            raise Refused(0)
        if fault.kind == "status":
            raise Refused(fault.status, fault.text)
        self.server.closing.wait(fault.seconds)
        if fault.kind == "before":
            fault.deed()

    def _user(self, name: str, *, writes: bool) -> str:
        """Whom the token belongs to. GitHub hides what a token may not see."""
        host = self.server.host
        token = _token(self.headers.get("Authorization", ""))
        access = host.access(token)
        if access is None:
            raise Refused(401, "Invalid username or token.")
        if not host.has(name):
            raise Refused(404, "Repository not found.")
        if writes and not access.writes:
            raise Refused(403, f"Permission to {name}.git denied to {access.user}.")
        return access.user

    def _pieces(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        elif length := int(self.headers.get("Content-Length", "0")):
            yield self.rfile.read(length)

    @contextlib.contextmanager
    def _backend(self, name: str, user: str, body: IO[bytes]) -> Iterator[IO[bytes]]:
        parts = urlsplit(self.path)
        ending = parts.path.rpartition("/info/refs")[1] or f"/{parts.path.rpartition('/')[2]}"
        environment = clean_environment() | {
            "GIT_PROJECT_ROOT": str(self.server.host.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{name}.git{ending}",
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "REMOTE_USER": user,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        body.seek(0, 2)
        environment["CONTENT_LENGTH"] = str(body.tell())
        body.seek(0)
        # The file has to be a real one by now: git inherits it.
        process = subprocess.Popen(  # noqa: S603 - git itself, and no shell
            [git_program(), "http-backend"],
            stdin=body.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        assert process.stdout is not None  # noqa: S101 - it was asked for
        try:
            yield process.stdout
        finally:
            process.stdout.close()
            process.wait(_TIMEOUT)

    def _head(self, answer: IO[bytes]) -> int:
        status, headers = 200, []
        while line := answer.readline().strip():
            key, _, value = line.decode("latin-1").partition(":")
            if key.lower() == "status":
                status = int(value.split()[0])
            else:
                headers.append((key, value.strip()))
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        return status

    def _stream(self, answer: IO[bytes]) -> None:
        while piece := answer.read(_PIECE):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _refuse(self, refusal: Refused) -> None:
        if not refusal.status:
            self.drop()
            return
        asks = refusal.status == HTTPStatus.UNAUTHORIZED
        headers = [("WWW-Authenticate", 'Basic realm="GitHub"')] if asks else []
        self.send(refusal.status, "text/plain; charset=UTF-8", str(refusal).encode(), headers)


def _asked(path: str) -> tuple[str, Service | None]:
    """The repository's name, and what is wanted of it."""
    for ending, service in _ENDINGS.items():
        if path.endswith(ending):
            name = unquote(path.removesuffix(ending)).strip("/").removesuffix(".git")
            return name, service
    return path, None


def _token(header: str) -> str:
    """The token of ``Basic x-access-token:TOKEN`` or ``Bearer TOKEN``."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() in {"bearer", "token"}:
        return value.strip()
    with contextlib.suppress(binascii.Error, UnicodeDecodeError):
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    return ""
