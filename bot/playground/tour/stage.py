"""The demo's stage: a local Slack, AWS, git, cluster and Prometheus, and the bot between them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bot.playground.aws.blueprints import REGION
from bot.playground.aws.world import World
from bot.playground.slack.crew import muster
from bot.playground.slack.workspace import Workspace
from bot.playground.tour.bot_process import BotProcess, free_port
from bot.playground.tour.cluster import Cluster
from bot.playground.tour.fleet import furnish, furnish_cluster, write_catalog
from bot.playground.tour.pod_visitors import PodVisitors
from bot.playground.tour.visitors import Visited, canary_plans

#: Virtual seconds of ECS in a real one: a rollout of a minute takes three seconds.
SPEED = 20.0


@dataclass(slots=True)
class Stage:
    """A context manager: entering it sets everything up, leaving it leaves nothing behind."""

    keep: bool = False
    folder: Path = field(init=False)
    slack: Workspace = field(init=False)
    aws: World = field(init=False)
    visited: Sequence[Visited] = field(init=False)
    cluster: Cluster = field(init=False)
    pods: PodVisitors = field(init=False)
    bot: BotProcess = field(init=False)
    ready_after: float = field(default=0.0, init=False)
    set_up: bool = field(default=False, init=False)

    def __enter__(self) -> Self:
        """Set up. ``BotFailed`` where the bot does not get ready."""
        port = free_port(None)
        self.set_up = True
        self.folder = Path(tempfile.mkdtemp(prefix="quarterdeck-demo-"))
        self.slack = Workspace()
        self.aws = World(speed=SPEED, visitors_by_wall=True)
        self.cluster = Cluster(self.aws, self.folder, SPEED)
        self.pods = PodVisitors(self.aws, self.cluster)
        try:
            self._set_up(port)
        except BaseException:
            self._tear_down()
            raise
        return self

    def _set_up(self, port: int) -> None:
        muster(self.slack)
        # ECS says in seconds what it would say in minutes: Slack's minutes must be as short.
        self.slack.limits.factor = SPEED
        self.visited = furnish(self.aws)
        furnish_cluster(self.aws, self.cluster)
        self.pods.__enter__()
        self.slack.serve()
        self.bot = BotProcess(self.folder, port, self._environment(port))
        self.slack.connect(f"{self.bot.url}/slack/events")
        self.ready_after = self.bot.start()

    @property
    def database_url(self) -> str:
        """The bot's database."""
        return f"sqlite:///{self.folder / 'quarterdeck.db'}"

    def _environment(self, port: int) -> dict[str, str]:
        secrets = self.slack.secrets
        plans = {**canary_plans(self.visited), **self.pods.canary_plans()}
        return {
            "SLACK_BOT_TOKEN": secrets.bot_token,
            "SLACK_SIGNING_SECRET": secrets.signing,
            "SLACK_API_URL": self.slack.api_url,
            "QUARTERDECK_CATALOG": str(write_catalog(self.folder, self.cluster, plans)),
            "DATABASE_URL": self.database_url,
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "AWS_ENDPOINT_URL": self.aws.serve(),
            "AWS_ACCESS_KEY_ID": "AKIADEMO",
            "AWS_SECRET_ACCESS_KEY": "demo",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.cluster.environment(),
        }

    def __exit__(self, *_: object) -> None:
        """Stop everything; the folder goes too, unless it is to be kept."""
        self._tear_down()

    def _tear_down(self) -> None:
        if hasattr(self, "bot"):
            self.bot.stop()
        self.slack.close()
        self.pods.__exit__()
        self.aws.close()
        self.cluster.__exit__()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
