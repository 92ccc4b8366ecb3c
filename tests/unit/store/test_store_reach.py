"""A database that cannot be used: which one it is, and why, and never with what password."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import psycopg
import pytest
import sqlalchemy as sa

from bot.model.errors import Unreachable
from bot.store.migrate import current
from bot.store.reach import place, reaching
from bot.store.session import make_engine
from tests.conftest import in_database

PASSWORD = "hunter2"


def told(url: str) -> str:
    """What is said where ``url`` is used, once it is clear that it holds no secret."""
    engine = make_engine(url)
    with pytest.raises(Unreachable) as fault:
        current(engine)
    engine.dispose()
    said = f"{fault.value.message} {fault.value.hint}"
    assert PASSWORD not in said
    assert "skipper" not in said
    return said


@contextmanager
def server(refusal: str) -> Iterator[int]:
    """A port behind which each connection is refused with PostgreSQL's own words."""
    body = b"SFATAL\0VFATAL\0C28P01\0M" + refusal.encode() + b"\0\0"
    answer = b"E" + (len(body) + 4).to_bytes(4, "big") + body

    def serve() -> None:
        with listening:
            try:
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        if connection.recv(8)[4:] == (80877103).to_bytes(4, "big"):
                            connection.sendall(b"N")  # no SSL
                            connection.recv(4096)
                        connection.sendall(answer)
            except OSError:
                return  # closed: the test is over

    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    thread = Thread(target=serve)
    thread.start()
    try:
        yield port
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(30)


def test_nobody_listens() -> None:
    said = told(f"postgresql://skipper:{PASSWORD}@127.0.0.1:1/deck")
    assert said.startswith(
        "The PostgreSQL database deck at 127.0.0.1:1 cannot be used: the connection was refused."
    )


def test_the_host_has_no_address() -> None:
    said = told(f"postgresql://skipper:{PASSWORD}@nowhere.invalid/deck")
    assert "deck at nowhere.invalid:5432 cannot be used: the host's name cannot be" in said


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        ('password authentication failed for user "skipper"', "the user or the password was ref"),
        ('role "skipper" does not exist', "there is no such user"),
        ('database "deck" does not exist', "there is no such database"),
        (
            'no pg_hba.conf entry for host "1.2.3.4", user "skipper"',
            "the server does not admit this user from here",
        ),
        ("sorry, too many clients already", "it has no connection left"),
        ("the database system is starting up", "the server closed the connection"),
        ("etwas ganz anderes: skipper", "the reason is not known"),
    ],
)
def test_what_the_server_says(refusal: str, expected: str) -> None:
    with server(refusal) as port:
        said = told(f"postgresql://skipper:{PASSWORD}@127.0.0.1:{port}/deck")
    assert f"deck at 127.0.0.1:{port} cannot be used: {expected}" in said


def test_a_database_that_a_real_server_does_not_have(postgres_server: str) -> None:
    engine = make_engine(in_database(postgres_server, "nowhere"))
    with pytest.raises(Unreachable, match=r"database nowhere at .*: there is no such database\."):
        current(engine)
    engine.dispose()


def test_no_answer_in_time() -> None:
    engine = make_engine(f"postgresql://skipper:{PASSWORD}@db:6432/deck")
    late = psycopg.errors.ConnectionTimeout("connection timeout expired")
    expected = r"deck at db:6432 cannot be used: it did not answer within 5 s\."
    with pytest.raises(Unreachable, match=expected) as fault, reaching(engine):
        raise sa.exc.OperationalError(None, None, late)
    assert PASSWORD not in f"{fault.value} {fault.value.hint}"
    engine.dispose()


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    said = told(f"sqlite:///{tmp_path}")
    assert said.startswith(f"The SQLite file {tmp_path} cannot be used: it cannot be opened.")


def test_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear all, " * 500)
    assert f"{path} cannot be used: it is not a sound SQLite database." in told(f"sqlite:///{path}")
    assert path.read_text().startswith("Dear all, Dear all")


def test_a_mistake_of_ours_is_not_the_databases(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'q.db'}")
    with pytest.raises(sa.exc.IntegrityError), reaching(engine):
        raise sa.exc.IntegrityError(None, None, ValueError("not unique"))
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@db/deck", "The PostgreSQL database deck at db:5432"),
        ("postgresql://u:p@[::1]:6432/deck", "The PostgreSQL database deck at [::1]:6432"),
        ("postgresql:///deck?host=/run/pg", "The PostgreSQL database deck at /run/pg"),
        ("postgresql:///deck?host=a:1&host=b:2", "The PostgreSQL database deck at a:1, b:2"),
        ("postgresql:///deck?host=a&port=7", "The PostgreSQL database deck at a:7"),
        ("postgresql://u:p@db/deck?password=hunter2", "The PostgreSQL database deck at db:5432"),
        ("postgresql://", "The PostgreSQL database"),
        ("sqlite:////var/lib/q.db", "The SQLite file /var/lib/q.db"),
        # A password in which an @ was not escaped spills over into what follows.
        ("postgresql://u:p@hunter2@db/deck", "The PostgreSQL database"),
        ("postgresql://u:p@h/hunter2@db/deck", "The PostgreSQL database"),
        ("postgresql://u:p@h?hunter2=@db/deck", "The PostgreSQL database"),
    ],
)
def test_a_place_is_kind_address_and_name(url: str, expected: str) -> None:
    assert place(sa.make_url(url)) == expected


def test_a_password_that_spilled_over_is_not_repeated() -> None:
    said = told(f"postgresql://skipper:p@{PASSWORD}@nowhere.invalid/deck")
    assert "Write an @ in a password as %40." in said
