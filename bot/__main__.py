"""The command line: ``quarterdeck run``, ``worker``, ``demo``, ``check``, ``doctor`` and so on.

Exit codes: 0 fine, 1 the work was done and found something wrong, 2 nothing could be done.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console

from bot.model.errors import Misconfigured, QuarterdeckError

app = typer.Typer(
    help="Quarterdeck ships services and takes them back, from Slack.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
audit = typer.Typer(help="Prove and hand out the audit trail.", no_args_is_help=True)
app.add_typer(audit, name="audit")

CatalogPath = Annotated[
    Path | None,
    typer.Argument(help="The catalog; by default what QUARTERDECK_CATALOG names."),
]


def main() -> None:
    """Run a command; what cannot be done is said in whole sentences, with exit code 2."""
    try:
        app()
    except BrokenPipeError:
        # Whoever read our output has seen enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except QuarterdeckError as fault:
        print(f"quarterdeck: {fault.message}", file=sys.stderr)
        if fault.hint:
            print(fault.hint, file=sys.stderr)
        sys.exit(2)


@app.command()
def run() -> None:
    """Run the bot: Slack, rollouts and all, in one process."""
    from bot.app import run_bot  # noqa: PLC0415 - the engine is not loaded to print a help text
    from bot.settings.start import load_settings  # noqa: PLC0415

    raise typer.Exit(run_bot(load_settings(), front=True))


@app.command()
def worker() -> None:
    """Carry out rollouts only, beside a running bot. Needs PostgreSQL."""
    from bot.app import run_bot  # noqa: PLC0415 - see run
    from bot.settings.start import load_settings  # noqa: PLC0415

    raise typer.Exit(run_bot(load_settings(), front=False))


@app.command()
def demo(
    *,
    tour: Annotated[
        bool, typer.Option("--tour", help="Play the tour by itself, then stop.")
    ] = False,
    terminal: Annotated[
        bool, typer.Option("--terminal", help="Type in this terminal, without a page.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep database and logs afterwards.")
    ] = False,
    port: Annotated[int, typer.Option(help="The page's port; 0 for any free one.")] = 8642,
    browse: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Try everything on this machine: stand-ins for Slack, AWS, git and Kubernetes, no account.

    A page opens that looks like the Slack channel of a team, with the simulated cluster beside it.
    """
    from bot.playground.launch import Way  # noqa: PLC0415 - the bot never loads the playground
    from bot.playground.launch import demo as play  # noqa: PLC0415 - as above

    way = Way.TOUR if tour else Way.TERMINAL if terminal else Way.PAGE
    raise typer.Exit(play(way, keep=keep, port=port, browse=browse))


@app.command()
def check(
    path: CatalogPath = None,
    *,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema instead.")
    ] = False,
) -> None:
    """Check the catalog and print every problem at once, with file, line and path."""
    from bot.settings.catalog_file import check as check_catalog  # noqa: PLC0415 - see run
    from bot.settings.catalog_file import json_schema  # noqa: PLC0415
    from bot.settings.start import catalog_path  # noqa: PLC0415

    if schema:
        Console(width=200).print_json(json.dumps(json_schema()))
        return
    code, text = check_catalog(path or catalog_path())
    print(text, file=sys.stderr if code else sys.stdout)
    raise typer.Exit(code)


@app.command()
def doctor() -> None:
    """Look at everything the bot depends on, and say what to do about what is wrong."""
    from bot.doctor import examine  # noqa: PLC0415 - see run
    from bot.settings.start import load_settings  # noqa: PLC0415

    raise typer.Exit(examine(load_settings(), Console()))


@app.command()
def migrate(
    *,
    down_to: Annotated[str | None, typer.Option(help="Go back to this revision instead.")] = None,
) -> None:
    """Bring the database to the newest revision. ``run`` does so by itself."""
    from bot.settings.start import database_url  # noqa: PLC0415
    from bot.store.maintenance import migrate_database  # noqa: PLC0415 - see run

    print(migrate_database(database_url(), down_to))


@audit.command()
def verify(
    *,
    anchor: Annotated[
        list[str] | None,
        typer.Option(help="NUMBER:DIGEST as an earlier run printed it; may be given again."),
    ] = None,
) -> None:
    """Recompute the whole chain; names the first row that was changed, removed or inserted."""
    from bot.settings.clock import SystemClock  # noqa: PLC0415
    from bot.settings.start import database_url  # noqa: PLC0415
    from bot.store.audit import Head  # noqa: PLC0415
    from bot.store.maintenance import verify_audit  # noqa: PLC0415 - see run

    heads = [Head(number, digest) for number, digest in map(parse_anchor, anchor or [])]
    verdict = verify_audit(database_url(), SystemClock(), heads)
    if verdict.damage is not None:
        found = f"Row {verdict.seq} was {verdict.damage.value}: {verdict.explanation}."
        print(f"{found} The {verdict.checked} rows before it are sound.", file=sys.stderr)
        raise typer.Exit(1)
    print(f"The audit trail is whole: {verdict.checked} rows.")
    print(f"Keep this elsewhere to prove it later: {verdict.head.seq}:{verdict.head.digest}")


def parse_anchor(text: str) -> tuple[int, str]:
    """``NUMBER:DIGEST`` as two values. Raises ``typer.BadParameter``."""
    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(digest) != 64:  # noqa: PLR2004 - SHA-256 in hex
        raise typer.BadParameter(f"{text!r} is not NUMBER:DIGEST as `audit verify` prints it")
    return int(number), digest


@audit.command()
def export(
    *,
    style: Annotated[str, typer.Option("--format", help="jsonl or csv")] = "jsonl",
    output: Annotated[Path | None, typer.Option(help="A file; standard output by default.")] = None,
) -> None:
    """Write the whole trail, oldest first."""
    from bot.settings.clock import SystemClock  # noqa: PLC0415
    from bot.settings.start import database_url  # noqa: PLC0415
    from bot.store.export import Style  # noqa: PLC0415
    from bot.store.maintenance import export_audit  # noqa: PLC0415 - see run

    if style not in set(Style):
        raise typer.BadParameter(f"{style!r} is not a format; choose jsonl or csv")
    if output is None:
        export_audit(database_url(), SystemClock(), Style(style), sys.stdout)
        return
    with written_whole(output) as stream:
        export_audit(database_url(), SystemClock(), Style(style), stream)


@contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """A file that takes the place of ``path`` once it is complete: what was there stays till then.

    Raises ``Misconfigured`` where it cannot be written.
    """
    whole = not path.exists() or path.is_file()  # else a device or a pipe: written as it comes
    part = path.with_name(f".{path.name}.part") if whole else path
    try:
        with part.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        if whole:
            part.replace(path)
    except OSError as error:
        raise Misconfigured(
            f"{path} cannot be written: {error.strerror}.",
            hint="Choose another file with --output.",
        ) from error
    finally:
        if whole:
            with suppress(OSError):
                part.unlink()


if __name__ == "__main__":
    main()
