"""``python -m bot.playground.slack --port 0``: a stand-in Slack as a process of its own."""

from __future__ import annotations

import sys
import threading
from typing import Annotated

import typer

from bot.playground.slack.crew import muster
from bot.playground.slack.workspace import Workspace


def serve(
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 0,
    app_url: Annotated[str, typer.Option(help="The app's request URL.")] = "",
) -> None:
    """Serve until interrupted; the first line printed is the base URL."""
    with Workspace(app_url=app_url) as workspace:
        muster(workspace)
        try:
            typer.echo(workspace.serve(port))
        except OSError as taken:
            typer.echo(f"Port {port} cannot be used: {taken.strerror}. Choose another.", err=True)
            sys.exit(2)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            typer.echo("Stopped.", err=True)


if __name__ == "__main__":
    typer.run(serve)
