"""What the inner rooms need from the outer ones, each as small as its user allows.

Intake and workflows speak only to these. Adapters live in ``store``, ``providers`` and ``slack``;
hand-written fakes in ``tests/fakes``. Every verb says what it raises; all of it is from
``bot.model.errors``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from bot.model.canary_ports import CanaryTable
from bot.model.catalog import Ecr, TargetSpec
from bot.model.deployment import (
    AuditEntry,
    AuditRow,
    Deployment,
    Freeze,
    Image,
    Kind,
    Lock,
    Pause,
    Release,
    Status,
    Target,
    Vote,
)
from bot.model.rollout import Finding, Live, Looks, Order, Plan, ReadBack, Watched


class Clock(Protocol):
    """Tells the time; a fake one makes expiry and freezes testable."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...


class Registry(Protocol):
    """Where images are looked up. Reads only; safe to repeat."""

    def resolve(self, ecr: Ecr, ref: str) -> Image:
        """Pin a tag, a commit sha (full, or a prefix of 7 or more) or a digest to an image.

        Raises ``UserError`` (``IMAGE_NOT_FOUND``, with near matches as hint), ``AccessDenied``,
        ``Throttled`` or ``Unreachable``. Answers within 2 s or raises.
        """
        ...

    def exists(self, ecr: Ecr, digest: str) -> bool:
        """Whether that digest can still be pulled. Raises as ``resolve`` does."""
        ...


class Rollouts(Protocol):
    """A provider that rolls services from one revision to another.

    Retries and waiting belong to the workflow engine: a call is made once. A lost answer to a
    call that writes is ``Unknown``; every other fault tells that nothing was changed.
    """

    def live(self, spec: TargetSpec) -> Live:
        """What runs there now. Reads only."""
        ...

    def plan(self, spec: TargetSpec, image: Image) -> Plan:
        """What ``prepare`` would change, as a diff. Reads only."""
        ...

    def prepare(self, spec: TargetSpec, order: Order) -> str:
        """Make the order's revision and return its name; one tagged for it already is reused."""
        ...

    def start(self, spec: TargetSpec, order: Order, revision: str) -> str | None:
        """Tell the provider to roll to ``revision``; returns its handle of it if it gave one.

        Raises ``Terminal`` (STALE_FROM), having told nothing, where a new revision was made from
        ``order.base`` and something else runs by now.
        """
        ...

    def read_back(self, spec: TargetSpec, order: Order, revision: str, since: datetime) -> ReadBack:
        """Whether a ``start`` of this revision made since then took effect. Reads only."""
        ...

    def observe(self, watched: Sequence[tuple[TargetSpec, Watched]]) -> Looks:
        """One look at many rollouts, in as few calls as the provider's API allows.

        A rollout that could not be read is left out, and its fault handed back beside the others.
        """
        ...

    def usable(self, spec: TargetSpec, revision: str) -> str | None:
        """Why ``revision`` cannot run again (deregistered, missing), or ``None`` if it can."""
        ...

    def examine(self, spec: TargetSpec) -> Sequence[Finding]:
        """What ``doctor`` says about a target. Reads only; faults become findings."""
        ...


class Deployments(Protocol):
    """The deployments table."""

    def next_id(self, target: Target) -> str:
        """The next free id of this target, ``backend-staging-142``."""
        ...

    def add(self, deployment: Deployment) -> None:
        """Insert. Raises ``UserError`` (``DUPLICATE``) where the same request id, or the same image
        for the same target, is active already."""
        ...

    def get(self, deployment_id: str) -> Deployment | None: ...

    def get_for_update(self, deployment_id: str) -> Deployment | None:
        """As ``get``; until this transaction ends, no other one changes it or gets it like this."""
        ...

    def by_request(self, request_id: str) -> Sequence[Deployment]:
        """What one request made before, oldest first: how a repeated delivery is recognised."""
        ...

    def move(self, deployment: Deployment, to: Status, /, **changes: Any) -> Deployment | None:
        """Compare-and-set on ``version``: to a state that ``NEXT`` allows, with other columns.

        Returns the new row, or ``None`` where somebody was faster; nothing is changed then.
        """
        ...

    def note(self, deployment_id: str, owner: str | None, /, **changes: Any) -> bool:
        """Change columns that are not state (progress, handle, attempts, owner) of a running one.

        With ``owner`` given, only while that replica owns it: this is the fence. Returns whether
        a row was changed.
        """
        ...

    def active(
        self, target: Target | None = None, kind: Kind | None = None
    ) -> Sequence[Deployment]:
        """Awaiting, queued and running ones, in the order in which they will get their turn."""
        ...

    def running(self, owner: str) -> Sequence[Deployment]: ...

    def history(
        self,
        target: Target | None,
        limit: int,
        service: str | None = None,
        environment: str | None = None,
    ) -> Sequence[Deployment]:
        """Newest first; of everything that ``service`` and ``environment`` do not exclude."""
        ...

    def counts(self) -> Mapping[tuple[str, Kind, Status], int]:
        """How many there are, ever, by environment, kind and state."""
        ...


class Votes(Protocol):
    """Ballots; one per person and deployment, a later one does not replace an earlier one."""

    def cast(self, vote: Vote) -> bool:
        """Returns False where this person has voted on this deployment already."""
        ...

    def on(self, deployment_id: str) -> Sequence[Vote]: ...


class Holds(Protocol):
    """Locks, declared freezes and the pause: what a person can put in the way."""

    def lock(self, lock: Lock) -> bool:
        """Returns False where a lock in force stands there already."""
        ...

    def unlock(self, service: str, environment: str) -> Lock | None:
        """Remove whatever lock stands there, and return it."""
        ...

    def release(self, lock: Lock) -> bool:
        """Remove this very lock; False where it is gone, or another one stands in its place."""
        ...

    def locks(self, now: datetime) -> Sequence[Lock]: ...
    def freeze(self, freeze: Freeze) -> bool: ...
    def unfreeze(self, environment: str) -> Freeze | None: ...
    def freezes(self, now: datetime) -> Sequence[Freeze]: ...
    def pause(self, pause: Pause) -> bool: ...
    def resume(self) -> Pause | None: ...
    def paused(self) -> Pause | None: ...


class Releases(Protocol):
    """Versions that ran well: the only things a rollback is ever offered."""

    def add(self, release: Release) -> None:
        """Record; the same target and revision again only moves it to the front."""
        ...

    def disown(self, target: Target, digest: str) -> None:
        """That image was rolled back from: it is not known to be good any more."""
        ...

    def known_good(self, target: Target, limit: int = 6) -> Sequence[Release]:
        """Newest first, one per image digest."""
        ...


class AuditTrail(Protocol):
    """Append-only, hash-chained."""

    def append(self, entry: AuditEntry) -> None:
        """Numbered and chained when the transaction commits, timed now.

        Last of all, so that the chain is locked only for a moment, and never in another order
        than the rows a transaction changes. Without it the transaction does not commit.
        """
        ...

    def search(self, limit: int = 20, **filters: str) -> Sequence[AuditRow]:
        """Newest first, by ``target``, ``deployment_id``, ``actor`` (id), ``action`` prefix."""
        ...

    def of_request(self, request_id: str, actor: str, among: int) -> Sequence[AuditRow]:
        """What a request has left among that many of its actor's rows; newest first."""
        ...

    def rows(self) -> Iterator[AuditRow]:
        """All of it, oldest first, streamed."""
        ...


class Outbox(Protocol):
    """What is to be shown in Slack; delivered later, at least once, each key one message."""

    def card(self, deployment_id: str) -> None:
        """Ask for the deployment's card to show its newest state; many asks become one update."""
        ...

    def thread(self, deployment_id: str, key: str, text: str, *, broadcast: bool = False) -> None:
        """Put a message in the card's thread, once per ``key``. ``text`` is plain, not mrkdwn."""
        ...

    def chart(self, deployment_id: str, key: str, text: str, *, broadcast: bool = False) -> None:
        """Put a message in the card's thread, once per ``key``, with its canary's chart.

        The words go first, as ``thread``'s do; the chart is drawn from the ticks of that later
        moment and added to them. Where Slack takes no picture the words stand alone.
        """
        ...

    def owed(self) -> int:
        """How many messages Slack has not been given yet."""
        ...

    def said(self, deployment_id: str) -> Sequence[str]:
        """The texts that were put in its thread, oldest first."""
        ...


class Engine(Protocol):
    """Durable work, asked for inside the same transaction that records why."""

    def enqueue_rollout(self, deployment: Deployment) -> None:
        """Give the deployment its place in its target's queue; rollbacks go first."""
        ...

    def expire_at(self, deployment_id: str, when: datetime) -> None:
        """Run the expiry of an approval at that time."""
        ...

    def tell(self, deployment_id: str, topic: str, message: Mapping[str, Any], key: str) -> None:
        """Wake the deployment's workflow with a message, once per ``key``."""
        ...


class Transaction(Protocol):
    """Everything that is written together or not at all."""

    @property
    def deployments(self) -> Deployments: ...
    @property
    def canaries(self) -> CanaryTable: ...
    @property
    def votes(self) -> Votes: ...
    @property
    def holds(self) -> Holds: ...
    @property
    def releases(self) -> Releases: ...
    @property
    def audit(self) -> AuditTrail: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def engine(self) -> Engine: ...


class Store(Protocol):
    """The database. Raises ``Unreachable`` where it cannot be used; nothing was written then."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """Commits when the block ends, rolls back when it raises."""
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """A consistent read; writing in it is a mistake of the caller."""
        ...


class Groups(Protocol):
    """Membership of Slack user groups."""

    def of(self, person_id: str, *, fresh: bool = False) -> frozenset[str]:
        """The ids of the groups that person is in; ``fresh`` bypasses the cache.

        Raises ``Unreachable`` or ``AccessDenied``: ambiguous membership is no membership.
        """
        ...

    def barred(self, person_id: str) -> bool:
        """Whether that person may do nothing any more: deactivated, a guest, of another workspace.

        Read now, not from a cache. Raises as ``of`` does.
        """
        ...


#: How the keys of messages begin that get a chart: their words are wanted first (1), then it (2).
CHART = "chart:"
#: How the key of a message begins that calls the people whom a policy names.
CALL = "call:"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message the outbox owes to Slack.

    A card (``key == "card"``) is drawn from the deployment's state at the moment of delivery;
    ``wanted`` is the newest state asked for. ``ts`` is set once it exists. ``attempted_at``
    is set while it is not known whether an earlier attempt to post it succeeded: look before
    posting again. ``thread_ts`` is the card's ``ts`` for a message in its thread.
    """

    id: int
    deployment_id: str
    key: str
    channel: str
    text: str
    broadcast: bool
    wanted: int
    ts: str | None
    thread_ts: str | None
    attempted_at: datetime | None
    attempts: int

    @property
    def lacks_chart(self) -> bool:
        """Whether its words are posted, and only its chart is missing."""
        return self.key.startswith(CHART) and self.ts is not None

    @property
    def calls(self) -> bool:
        """Whether people are to be called by it."""
        return self.key.partition(":")[2].startswith(CALL)

    @property
    def words(self) -> Delivery:
        """The same, done once its words are posted."""
        return replace(self, wanted=1) if self.key.startswith(CHART) else self


class Deliveries(Protocol):
    """What the deliverer works through. Each call is a transaction of its own."""

    def claim(self, claimant: str, limit: int, now: datetime) -> Sequence[Delivery]:
        """Due deliveries that nobody else is delivering, claimed for 30 s; cards of settled
        deployments first, charts last. A thread message is due only when its card exists."""
        ...

    def attempting(self, delivery: Delivery, now: datetime) -> None:
        """Written before a message is first posted, so that a crash is noticed."""
        ...

    def delivered(self, delivery: Delivery, channel: str, ts: str) -> None:
        """The message shows ``delivery.wanted``; it stays due where more was asked for since."""
        ...

    def postpone(self, delivery: Delivery, until: datetime, why: str, *, untried: bool) -> None:
        """Try again later; ``untried`` clears ``attempted_at``: Slack surely posted nothing.

        ``why`` is what went wrong. Where it is empty nothing did, it only waits for its turn: then
        it is due at once when more is asked for.
        """
        ...

    def move(self, delivery: Delivery, channel: str) -> None:
        """Post it anew in another channel: the old message or its channel is gone."""
        ...


class Replicas(Protocol):
    """Who is alive: a lease for each process that may own rollouts. An id lives as one process.

    PostgreSQL's own clock decides there, so that a replica with a wrong one harms nobody. Each
    call is its own transaction.
    """

    def beat(self, replica_id: str, lease: timedelta, host: str = "") -> bool:
        """Join, or extend the lease. False: another replica has taken over, so stop acting."""
        ...

    def release(self, replica_id: str) -> None:
        """Give the lease up at a shutdown, so that nobody needs to wait for its end."""
        ...

    def dead(self, now: datetime) -> Sequence[str]:
        """Those whose lease ran out or was given up, and that no living replica has taken over.

        ``now`` counts on SQLite only.
        """
        ...

    def claim_dead(self, replica_id: str, by: str) -> bool:
        """Take over from a dead replica: one winner, who must be alive, and the dead cannot return.
        The audit row of it is written in the same transaction.

        Should ``by`` die as well, ``dead`` lists the claimed one again: taking over must be
        idempotent.
        """
        ...
