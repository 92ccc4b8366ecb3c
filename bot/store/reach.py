"""Which database it is and what keeps it from being used, for whoever runs the bot.

People in chat are told less (``session.faults``): a message there names no host. Neither one ever
holds a user or a password, and the driver's words, which may, are never quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc

from bot.model.errors import Unreachable
from bot.store.session import CONNECT, FAULTS, advice

PORT: Final = 5432


class Cause(NamedTuple):
    """What is wrong, and what to do where that is plain."""

    said: str
    hint: str = ""


#: By what the drivers say: libpq has no code for a connection that did not come about.
CAUSES: Final = {
    r"connection refused": Cause(
        "the connection was refused", "Check that the server runs and listens there."
    ),
    r"resolve host|translate host name": Cause(
        "the host's name cannot be resolved", "Check the host in DATABASE_URL."
    ),
    r"password authentication failed|no password supplied": Cause(
        "the user or the password was refused", "Check both in DATABASE_URL."
    ),
    r"role \"[^\"]*\" does not exist": Cause(
        "there is no such user", "Check the user in DATABASE_URL, or create it."
    ),
    r"database \"[^\"]*\" does not exist": Cause(
        "there is no such database", "Create it, or name another one in DATABASE_URL."
    ),
    r"pg_hba": Cause(
        "the server does not admit this user from here", "Allow it in the server's pg_hba.conf."
    ),
    r"timeout expired|timed out": Cause(
        f"it did not answer within {CONNECT} s", "Check address, network and firewall."
    ),
    r"no route to host|network is unreachable": Cause(
        "there is no way to it", "Check address, network and firewall."
    ),
    r"no such file or directory": Cause(
        "there is no such socket", "Check that the server runs, and its socket's folder."
    ),
    r"too many clients|connection slots": Cause(
        "it has no connection left", "Close some, or raise its max_connections."
    ),
    r"is read-only|is not read-write": Cause(
        "it only reads", "Name the primary in DATABASE_URL, or wait for the failover's end."
    ),
    r"closed the connection|terminating connection|starting up|shutting down": Cause(
        "the server closed the connection", "Try again when it is up."
    ),
    r"ssl": Cause("no agreement on SSL", "Set sslmode in DATABASE_URL as the server wants it."),
    r"unable to open": Cause(
        "it cannot be opened", "Check that it is a file, and who may write to it and its folder."
    ),
    r"not a database|malformed": Cause(
        "it is not a sound SQLite database", "Name another file in DATABASE_URL, or restore it."
    ),
    r"readonly": Cause("it can only be read", "Check who may write to it and its folder."),
    r"locked": Cause("another process keeps it locked", "Stop that one, or wait for it."),
    r"is full|disk i/o": Cause("its disk is full or broken", "Make room, or mend the disk."),
    r"no such table|relation .* does not exist": Cause("it lacks our tables"),
    r"permission denied|must be owner": Cause(
        "its user may not do this", "Let that user own the database, or grant it all there."
    ),
    r"timeout|deadlock": Cause("it is busy", "Try again."),
}
UNKNOWN: Final = Cause("the reason is not known", "Its own log may say more.")


@contextmanager
def reaching(engine: sa.Engine) -> Iterator[None]:
    """As ``session.faults``, with the database's place and the cause in the message."""
    try:
        yield
    except exc.DBAPIError as error:
        # What is no SQLite file at all is just a DatabaseError.
        if not isinstance(error, FAULTS) and type(error) is not exc.DatabaseError:
            raise
        found = cause(error)
        shown = place(engine.url)
        hint = found.hint or advice(error)
        if shown == HIDDEN:
            hint = f"{hint} Write an @ in a password as %40."
        raise Unreachable(f"{shown} cannot be used: {found.said}.", hint=hint) from error


def cause(error: exc.DBAPIError) -> Cause:
    """What a driver's fault means."""
    words = str(error.orig).lower()
    found = (cause for pattern, cause in CAUSES.items() if re.search(pattern, words))
    return next(found, UNKNOWN)


#: Where a password that was not escaped may have spilled into what follows it.
HIDDEN: Final = "The PostgreSQL database"


def place(url: sa.URL) -> str:
    """The database's kind, address and name: nothing else of its URL."""
    if url.get_backend_name() == "sqlite":
        return f"The SQLite file {url.database}"
    rest = url.set(username=None, password=None)
    if "@" in f"{rest.host}{rest.database}{dict(rest.query)}":
        return HIDDEN
    name = f" {url.database}" if url.database else ""
    return f"The PostgreSQL database{name}{_address(url)}"


def _address(url: sa.URL) -> str:
    given = url.host or url.query.get("host") or ()
    hosts = (given,) if isinstance(given, str) else given
    port = url.port or url.query.get("port") or PORT
    named = [host if _whole(host, url) else f"{_bracketed(host)}:{port}" for host in hosts]
    return f" at {', '.join(named)}" if named else ""


def _whole(host: str, url: sa.URL) -> bool:
    """Whether it is a socket's folder, or holds its port already (``?host=a:5433&host=b:5433``)."""
    return host.startswith("/") or (not url.host and ":" in host)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
