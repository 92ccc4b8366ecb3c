"""``python -m bot.playground.aws --port 0``: a local AWS of its own; prints its URL and serves."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from bot.playground.aws.world import World


def main() -> int:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m bot.playground.aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=20.0, help="virtual seconds per real one")
    chosen = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    world = World(chosen.seed, chosen.speed)
    sys.stdout.write(world.serve(chosen.port) + "\n")
    sys.stdout.flush()
    stop.wait()
    world.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
