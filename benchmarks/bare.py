"""``python -m benchmarks.bare``: the least that a Bolt app can do, on the bot's own server."""

from __future__ import annotations

import signal
import sys
from threading import Event

from slack_bolt import Ack, App
from slack_bolt.authorization import AuthorizeResult

from benchmarks.commands import SECRET
from bot.app import THREADS
from bot.playground.slack.records import BOT_USER, TEAM
from bot.slack.http import Probes, make_wsgi, serve


def main() -> None:
    app = App(
        signing_secret=SECRET,
        authorize=lambda: AuthorizeResult(
            enterprise_id=None, team_id=TEAM, bot_user_id=BOT_USER, bot_id="B0BARE001"
        ),
    )

    @app.command("/deploy")
    def deploy(ack: Ack) -> None:
        ack("It is queued; its card follows it.")

    probes = Probes(healthz=tuple, readyz=tuple, metrics=lambda: (b"", "text/plain"))
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server = serve(make_wsgi(lambda: app, probes), "127.0.0.1", 0, THREADS)
    sys.stdout.write(f"http://127.0.0.1:{server.port}\n")
    sys.stdout.flush()
    stop.wait()
    server.close()


if __name__ == "__main__":
    main()
