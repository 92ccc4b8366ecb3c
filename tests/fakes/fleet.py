"""A harbour with many services: each test of a module takes a fresh one, and they share the bot.

ECS's time stands still until a test moves it, so a rollout runs for as long as a test needs it.
"""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from math import inf
from pathlib import Path
from threading import Barrier
from typing import TypeVar
from urllib.parse import urlsplit

from bot.model.deployment import AuditEntry, AuditRow, Deployment, Status
from bot.playground.slack import payloads
from bot.playground.slack.delivery import Posting, Request, headers
from bot.playground.slack.forms import action, control
from bot.playground.slack.person import Did
from bot.playground.slack.records import Message, View
from tests.fakes.harbour import CHANNEL, PATIENCE, Deck, Outside, outside, told
from tests.fakes.shore import CLUSTER, ShoreMaker, ecs_shore

T = TypeVar("T")

#: How many services the catalog has; each test takes one, or a few.
SERVICES = 24
ENVIRONMENTS = ("staging", "production", "vault")
WAITING = "Still working"
#: Slack gives up after three seconds, which a machine that is out of breath can take to wake a
#: process. That the bot keeps them is S8's to show; nothing else is asserted about speed.
UNHURRIED = Posting(patience=PATIENCE)

POLICIES = """\
environments:
  staging: {policy: relaxed}
  production: {policy: guarded}
  vault: {policy: double}
policies:
  relaxed:
    deployers: {everyone: true, users: [U0ROBOT01]}
    approvers: {groups: [S0CAPTAIN]}
    incident_responders: {users: [U0IRIS001]}
  guarded:
    deployers: {everyone: true}
    approvers: {groups: [S0CAPTAIN]}
    approvals: 1
    approval_expires_after: EXPIRY
    incident_responders: {users: [U0IRIS001]}
FREEZES
  double:
    deployers: {everyone: true}
    approvers: {groups: [S0CAPTAIN]}
    approvals: 2
    incident_responders: {users: [U0IRIS001]}
"""


def fleet_catalog(*, freezes: str = "", expiry: str = "4h", top: str = "") -> str:
    """Staging needs no approval, production one, the vault two."""
    lines = ["version: 1", *top.splitlines(), "services:"]
    lines += [
        f"  svc{n}: {{repository: acme/svc{n}, ecr: "
        f'{{registry: "123456789012", region: eu-west-1, repository: svc{n}}}}}'
        for n in range(SERVICES)
    ]
    lines += POLICIES.replace("EXPIRY", expiry).replace("FREEZES\n", freezes).splitlines()
    lines.append("targets:")
    lines += [
        f"  - {{service: svc{n}, environment: {environment}, PLACE(svc{n}/{environment})}}"
        for n in range(SERVICES)
        for environment in ENVIRONMENTS
    ]
    return "\n".join(lines) + "\n"


class Fleet(Deck):
    """The deck of a bot that has many services to look after."""

    def __init__(self, place: Outside) -> None:
        super().__init__(place)
        self._numbers = count()
        self.workspace.limits.factor = inf
        captains = self.workspace.groups["S0CAPTAIN"]
        for name in ("dave", "erin"):
            member = self.workspace.add_member(name, id=f"U0{name.upper():0<6}")
            captains.members.append(member.id)
            self.workspace.channel(CHANNEL).members.add(member.id)

    def service(self) -> str:
        """The name of a service that nothing has happened to yet: v1 runs, v2 is pushed."""
        name = f"svc{next(self._numbers)}"
        self.shore.furnish(name, ENVIRONMENTS, self.place.push(name, "v1"))
        self.place.push(name, "v2")
        return name

    def queued(self, tag: str = "v3", approver: str = "bob") -> tuple[str, str, str]:
        """A fresh service, a rollout of its production that runs, and an approved one behind it."""
        service = self.service()
        self.place.push(service, tag)
        first, second = f"{service}-production-1", f"{service}-production-2"
        self.asks("alice", f"{service} production v2")
        self.asks("bob", f"approve {first}")
        self.until_told(f"{service}-production")
        self.asks("alice", f"{service} production {tag}")
        self.asks(approver, f"approve {second}")
        self.until_status(second, Status.QUEUED)
        return service, first, second

    # What people do, and what they are told in private ------------------------------------

    def privately(self, name: str, act: Callable[[], Did]) -> str:
        """Do something, and wait for what only that person is told about it."""
        before = len(self.person(name).told())
        did = act()
        assert did.error == "", did.error

        def answers() -> list[Message]:
            heard = self.person(name).told()[before:]
            return [message for message in heard if WAITING not in message.text]

        self.until(answers, f"an answer to {name}")
        return told(answers())

    def asks(self, name: str, text: str, slash: str = "/deploy") -> str:
        """Type a slash command; the answer, however late."""
        person = self.person(name)
        return self.privately(
            name, lambda: person.command(slash, text, channel=CHANNEL, posting=UNHURRIED)
        )

    def mentions(self, name: str, text: str, thread_ts: str | None = None) -> str:
        """Write ``@quarterdeck text``; the answer."""
        person = self.person(name)
        return self.privately(
            name, lambda: person.mention(CHANNEL, text, thread_ts, posting=UNHURRIED)
        )

    def clicks(self, name: str, source: Message, button: str, *, as_seen: bool = False) -> str:
        """Press a button of a message; the answer."""
        person = self.person(name)
        return self.privately(
            name, lambda: person.click(source, button, as_seen=as_seen, posting=UNHURRIED)
        )

    def modal(self, name: str, field: str = "") -> View:
        """The topmost modal that person sees, once it has that input."""

        def found() -> list[View]:
            views = self.person(name).views()[-1:]
            return [view for view in views if field in {b.get("block_id", "") for b in view.blocks}]

        self.until(found if field else self.person(name).views, f"a modal before {name}")
        return self.person(name).views()[-1]

    def close_modals(self, name: str) -> None:
        for view in self.person(name).views():
            self.workspace.close_view(view)

    def typed(self, name: str, text: str, slash: str = "/deploy") -> Request:
        """A slash command that Slack is about to deliver."""
        member = self.workspace.member(name)
        return payloads.command(
            self.workspace, member, self.workspace.channel(CHANNEL), (slash, text)
        )

    def click(self, name: str, card: Message, button: str) -> Request:
        """A press of a button that Slack is about to deliver."""
        pressed = action(control(card, button), None)
        return payloads.block_action(self.workspace, self.workspace.member(name), card, pressed)

    def changed(self, name: str) -> None:
        """Slack tells the app that a user was changed."""
        member = self.workspace.member(name)
        content = {"type": "user_change", "user": member.json()}
        self.send(payloads.event(self.workspace, member, content))

    def send(
        self, request: Request, *, url: str = "", posting: Posting | None = None, status: int = 200
    ) -> str:
        """Deliver a request, to one replica where ``url`` names it; the acknowledgement's body."""
        sent, body = headers(self.workspace, request, posting or Posting())
        to = urlsplit(url or self.ship.url)
        connection = http.client.HTTPConnection(to.hostname or "", to.port, timeout=30)
        try:
            connection.request("POST", "/slack/events", body, sent)
            answer = connection.getresponse()
            text = answer.read().decode()
            assert answer.status == status, (answer.status, text)
            return text
        finally:
            connection.close()

    def again(self, request: Request, retry: int = 1) -> str:
        """Deliver a request once more, as after an answer that was lost."""
        return self.send(request, posting=Posting(retry=retry))

    # What the outside saw -----------------------------------------------------------------

    def rows(self, **filters: str) -> list[AuditRow]:
        """The audit rows, oldest first."""
        with self.database.read() as tx:
            return list(reversed(tx.audit.search(limit=500, **filters)))

    def actions(self, deployment_id: str) -> list[str]:
        """``action decision reason_code`` of each row about a deployment, oldest first."""
        entries = (row.entry for row in self.rows(deployment_id=deployment_id))
        return [f"{e.action} {e.decision} {e.reason_code}".strip() for e in entries]

    def of(self, service: str, environment: str = "staging") -> list[Deployment]:
        """Every deployment of one target, oldest first."""
        return [
            d
            for d in self.all()
            if (d.target.service, d.target.environment) == (service, environment)
        ]

    def denied(self, service: str, environment: str = "staging") -> list[AuditEntry]:
        """What was refused on one target, oldest first."""
        rows = (row.entry for row in self.rows(target=f"{service}/{environment}"))
        return [entry for entry in rows if entry.decision == "denied"]

    def posted_twice(self) -> list[tuple[str, str]]:
        """Channel and key of what the bot posted more than once. Nobody deletes anything here."""
        posts = Counter(
            (message.channel, message.key)
            for channel in list(self.workspace.channels)
            for message in self._said_in(channel)
            if message.key
        )
        return [place for place, times in posts.items() if times > 1]

    def _said_in(self, channel: str) -> list[Message]:
        shown = self.workspace.messages(channel)
        replies = (self.workspace.thread(channel, message.ts) for message in shown)
        whole = {m.ts: m for m in (*shown, *(reply for thread in replies for reply in thread))}
        return list(whole.values())

    def finish(self, deployment_id: str, *wanted: Status) -> Deployment:
        """Let the provider's time pass until the deployment has ended."""

        def ended() -> bool:
            if self.get(deployment_id).status is Status.RUNNING:
                self.shore.advance(60)
            return self.get(deployment_id).settled

        self.until(ended, f"the end of {deployment_id}")
        found = self.get(deployment_id)
        assert found.status in (wanted or (Status.SUCCEEDED,)), found
        return found

    def until_told(self, service: str, times: int = 1) -> None:
        """Wait until the provider was told to roll a service that often."""
        self.until(lambda: self.updates(service) >= times, f"somebody to be told about {service}")

    def until_row(self, deployment_id: str, row: str) -> None:
        """Wait for an audit row about a deployment, as ``actions`` shows it."""
        self.until(lambda: row in self.actions(deployment_id), f"{row!r} of {deployment_id}")


def at_once(*acts: Callable[[], T]) -> list[T]:
    """Do things in the same instant, each in a thread; their results in order."""
    line = Barrier(len(acts))

    def run(act: Callable[[], T]) -> T:
        line.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@contextmanager
def fleet(
    folder: Path, *, catalog: str = "", database_url: str = "", shore: ShoreMaker = ecs_shore
) -> Iterator[Fleet]:
    """Stand-ins, a bot that is ready, and its fleet."""
    url = database_url or f"sqlite:///{folder / 'quarterdeck.db'}"
    with outside(folder, url, speed=0.0, shore=shore) as place:
        place.write_catalog(catalog or fleet_catalog())
        deck = Fleet(place)
        try:
            deck.ship.start()
            yield deck
        finally:
            deck.ship.kill()
            deck.engine.dispose()


__all__ = ["CHANNEL", "CLUSTER", "Fleet", "at_once", "fleet", "fleet_catalog"]
