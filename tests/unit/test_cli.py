"""The command line as somebody types it: what it prints, and the code that it ends with."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.playground.slack.workspace import Workspace
from bot.settings.catalog_file import json_schema
from bot.store.database import Database
from bot.store.migrate import head
from bot.store.session import make_engine
from bot.store.single import only_process
from tests.contracts.store_examples import an_entry
from tests.fakes.clock import FakeClock
from tests.fakes.harbour import catalog_text

ROOT = Path(__file__).parents[2]
TOKEN, SECRET = "xoxb-1111-2222-abcdef", "0123456789abcdef0123456789abcdef"
PASSWORD = "hunter2"


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Type a command in an empty folder, with no variable of ours set but those given."""
    monkeypatch.chdir(tmp_path)
    for name in ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def type_it(*words: str, **variables: str) -> Ended:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["quarterdeck", *words])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return type_it


def test_help_lists_every_command(run: Run) -> None:
    ended = run("--help")
    assert ended.code == 0
    for command in ("run", "worker", "demo", "check", "doctor", "migrate", "audit"):
        assert command in ended.out
    assert "Recompute the whole chain" in run("audit", "--help").out


def test_a_command_that_does_not_exist_is_named(run: Run) -> None:
    ended = run("depoly")
    assert ended.code == 2
    assert "depoly" in ended.err


def test_it_is_installed_as_a_module() -> None:
    ended = process("--help")
    assert ended.code == 0
    assert "Quarterdeck ships services" in ended.out


# --- check ---


def test_check_counts_what_a_good_catalog_has(run: Run, tmp_path: Path) -> None:
    (tmp_path / "quarterdeck.yaml").write_text(catalog_text(freezes=""))
    ended = run("check")
    assert (ended.code, ended.err) == (0, "")
    assert "2 services, 2 environments, 4 targets, 2 policies. No problems." in ended.out


def test_check_names_every_problem_with_its_place(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(
        catalog_text()
        .replace("policy: relaxed", "policy: relaxd")
        .replace("approvals: 1", "aprovals: 1")
    )
    ended = run("check", str(path))
    assert (ended.code, ended.out) == (2, "")
    assert 'Did you mean "relaxed"?' in ended.err
    assert f"{path}:" in ended.err
    assert ended.err.strip().endswith("problems.")


def test_check_of_a_file_that_is_not_there(run: Run) -> None:
    ended = run("check", "nowhere.yaml")
    assert ended.code == 2
    assert "nowhere.yaml" in ended.err


def test_check_follows_the_setting(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(catalog_text())
    ended = run("check", QUARTERDECK_CATALOG=str(tmp_path / "mine.yaml"))
    assert ended.code == 0
    assert "mine.yaml" in ended.out


def test_the_schema_is_printed_for_editors(run: Run) -> None:
    ended = run("check", "--schema")
    assert ended.code == 0
    assert json.loads(ended.out) == json_schema()


# --- migrate ---


def test_migrate_goes_up_and_down_and_says_where_it_is(run: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert f"at revision {head()}" in run("migrate", DATABASE_URL=url).out
    assert f"at revision base; the newest is {head()}" in run("migrate", "--down-to", "base").out
    ended = run("migrate", "--down-to", "9999")
    assert (ended.code, ended.out) == (2, "")
    assert "There is no revision 9999." in ended.err
    assert "There are: base" in ended.err


# --- audit ---


@pytest.fixture
def trail(sqlite_url: str, clock: FakeClock) -> str:
    """A database with three audit rows."""
    engine = make_engine(sqlite_url)
    with Database(engine, clock).begin() as tx:
        for reason in ("first", "=HYPERLINK(1)", "third"):
            tx.audit.append(an_entry(reason))
    engine.dispose()
    return sqlite_url


def tamper(url: str, statement: str) -> None:
    engine = make_engine(url)
    with engine.begin() as connection:
        triggers = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type='trigger'")
        for (name,) in triggers.all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql(statement)
    engine.dispose()


def test_verify_of_a_whole_trail_prints_an_anchor_that_holds(run: Run, trail: str) -> None:
    ended = run("audit", "verify", DATABASE_URL=trail)
    assert ended.code == 0
    assert "The audit trail is whole: 3 rows." in ended.out
    anchor = ended.out.split()[-1]
    assert anchor.startswith("3:")
    assert run("audit", "verify", "--anchor", anchor).code == 0


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit SET reason = 'fine' WHERE seq = 2", "Row 2 was changed"),
        ("DELETE FROM audit WHERE seq = 2", "Row 2 was removed"),
    ],
)
def test_verify_names_the_first_row_that_is_not_as_it_was(
    run: Run, trail: str, statement: str, said: str
) -> None:
    tamper(trail, statement)
    ended = run("audit", "verify", DATABASE_URL=trail)
    assert (ended.code, ended.out) == (1, "")
    assert said in ended.err
    assert "The 1 rows before it are sound." in ended.err


def test_verify_holds_the_trail_against_an_anchor(run: Run, trail: str) -> None:
    ended = run("audit", "verify", "--anchor", f"3:{'0' * 64}", DATABASE_URL=trail)
    assert ended.code == 1
    assert "Row 3 was" in ended.err


@pytest.mark.parametrize("anchor", ["", "3", "3:abc", f"x:{'0' * 64}", f":{'0' * 64}"])
def test_a_bad_anchor_is_named(run: Run, trail: str, anchor: str) -> None:
    ended = run("audit", "verify", f"--anchor={anchor}", DATABASE_URL=trail)
    assert ended.code == 2
    assert "NUMBER:DIGEST" in ended.err


def test_an_export_for_programs_is_json_lines(run: Run, trail: str) -> None:
    ended = run("audit", "export", DATABASE_URL=trail)
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [row["seq"] for row in rows] == [1, 2, 3]
    assert [row["reason"] for row in rows] == ["first", "=HYPERLINK(1)", "third"]


def test_an_export_for_spreadsheets_runs_nothing(run: Run, trail: str, tmp_path: Path) -> None:
    path = tmp_path / "trail.csv"
    ended = run("audit", "export", "--format", "csv", "--output", str(path), DATABASE_URL=trail)
    assert (ended.code, ended.out) == (0, "")
    rows = list(csv.DictReader(StringIO(path.read_text())))
    assert [row["reason"] for row in rows] == ["first", "'=HYPERLINK(1)", "third"]


def test_an_export_that_cannot_be_written_says_why(run: Run, trail: str, tmp_path: Path) -> None:
    ended = run("audit", "export", "--format", "xml", DATABASE_URL=trail)
    assert ended.code == 2
    assert "choose jsonl or csv" in ended.err
    ended = run("audit", "export", "--output", str(tmp_path / "no" / "such" / "folder.csv"))
    assert ended.code == 2
    assert "folder.csv" in ended.err
    assert "Traceback" not in ended.err


def test_an_export_that_fails_leaves_the_earlier_one(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    path.write_text("kept\n")
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    ended = run("audit", "export", "--output", str(path), DATABASE_URL=url)
    assert ended.code == 2
    assert "quarterdeck migrate" in ended.err
    assert path.read_text() == "kept\n"
    assert not list(tmp_path.glob("*.part*"))


@pytest.mark.parametrize("words", [("audit", "verify"), ("audit", "export")])
def test_a_database_that_is_not_set_up_says_what_to_do(
    run: Run, tmp_path: Path, words: tuple[str, str]
) -> None:
    ended = run(*words, DATABASE_URL=f"sqlite:///{tmp_path / 'empty.db'}")
    assert (ended.code, ended.out) == (2, "")
    assert "run `quarterdeck migrate`" in ended.err


@pytest.mark.parametrize(
    "words",
    [("migrate",), ("migrate", "--down-to", "base"), ("audit", "verify"), ("audit", "export")],
)
def test_a_database_that_cannot_be_reached_is_named_with_the_cause(
    run: Run, words: tuple[str, ...]
) -> None:
    ended = run(*words, DATABASE_URL=f"postgresql://skipper:{PASSWORD}@127.0.0.1:1/deck")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "quarterdeck: The PostgreSQL database deck at 127.0.0.1:1 cannot be used: "
        "the connection was refused.\nCheck that the server runs and listens there.\n"
    )


# --- run ---


@pytest.mark.parametrize("command", ["run", "worker", "doctor"])
def test_every_missing_setting_is_listed_at_once(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "quarterdeck.yaml").write_text("version: 1\nservices: 3\n")
    ended = run(command, PORT="many")
    assert (ended.code, ended.out) == (2, "")
    for said in ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "PORT", "quarterdeck.yaml:2"):
        assert said in ended.err
    assert ended.err.strip().endswith("problems.")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://deck:hunter2@db/deck",
        "sqlite://",
        "postgresql:deck:hunter2",
        "postgresql://deck:p@ss:hunter2@db/deck",
    ],
)
def test_a_database_url_that_cannot_work_is_not_quoted(run: Run, url: str) -> None:
    ended = run("migrate", DATABASE_URL=url)
    assert ended.code == 2
    assert "DATABASE_URL" in ended.err
    assert PASSWORD not in ended.err


def variables(folder: Path, **changes: str) -> dict[str, str]:
    (folder / "quarterdeck.yaml").write_text(catalog_text())
    return {
        "PATH": os.environ["PATH"],  # noqa: TID251 - the child needs a PATH
        "SLACK_BOT_TOKEN": TOKEN,
        "SLACK_SIGNING_SECRET": SECRET,
        "QUARTERDECK_CATALOG": str(folder / "quarterdeck.yaml"),
        "DATABASE_URL": f"sqlite:///{folder / 'quarterdeck.db'}",
        "HOST": "127.0.0.1",
        "PORT": "0",
        **changes,
    }


def process(*words: str, **environment: str) -> Ended:
    """As its own process: what ends the process is part of what is tested."""
    ended = subprocess.run(
        [sys.executable, "-m", "bot", *words],
        cwd=ROOT,
        env=environment or None,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def test_a_database_that_cannot_be_reached_ends_the_start(tmp_path: Path) -> None:
    url = f"postgresql://deck:{PASSWORD}@127.0.0.1:1/deck"
    ended = process("run", **variables(tmp_path, DATABASE_URL=url))
    assert ended.code == 2
    assert "quarterdeck: The PostgreSQL database deck at 127.0.0.1:1 cannot be used" in ended.err
    assert "the connection was refused." in ended.err
    assert "Traceback" not in ended.err
    assert not any(word in ended.err for word in (PASSWORD, TOKEN, SECRET))


def test_a_second_process_on_one_sqlite_file_is_turned_away(tmp_path: Path) -> None:
    settings = variables(tmp_path)
    engine = make_engine(settings["DATABASE_URL"])
    with only_process(engine):
        ended = process("run", **settings)
    engine.dispose()
    assert ended.code == 2
    assert "Another Quarterdeck runs on" in ended.err
    assert "Traceback" not in ended.err


def test_a_port_that_is_taken_ends_the_start(tmp_path: Path) -> None:
    with Workspace() as workspace, socket.socket() as taken:
        workspace.serve()
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = variables(
            tmp_path,
            PORT=str(port),
            SLACK_API_URL=workspace.api_url,
            SLACK_BOT_TOKEN=workspace.secrets.bot_token,
        )
        ended = process("run", **settings)
    assert ended.code == 2
    assert f"Port {port} cannot be listened on: Address already in use." in ended.err
    assert "set PORT to another one" in ended.err
    assert "Traceback" not in ended.err
