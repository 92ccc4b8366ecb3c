"""Intake and workflows over a real database and fakes of everything outside.

No workflow engine runs: a test plays the steps of a rollout by hand, in the order it likes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import sqlalchemy as sa

from bot.commands.model import Command, Deploy
from bot.intake.front_door import Intake
from bot.model.canary_ports import Canaries
from bot.model.catalog import (
    Catalog,
    Ecr,
    Environment,
    People,
    Policy,
    Service,
    TargetSpec,
)
from bot.model.deployment import AuditRow, Deployment, Image, Person, Release, Requester, Target
from bot.model.places import ArgoCdApplication, EcsService, KustomizeImage, Manifests
from bot.model.reply import Accepted, Reply
from bot.store.database import Database
from bot.store.engine import engine_client
from bot.store.outbox import CARD
from bot.store.session import make_engine
from bot.store.tables import outbox
from bot.workflows.observer import Observer
from bot.workflows.parts import Parts
from bot.workflows.steps import Steps
from tests.fakes.clock import FakeClock
from tests.fakes.groups import FakeGroups
from tests.fakes.registry import FakeRegistry
from tests.fakes.rollouts import FakeRollouts

STAGING = Target("backend", "staging")
PRODUCTION = Target("backend", "production")
ANALYTICS = Target("analytics", "staging")
CHANNEL = "C0DEPLOYS"
CAPTAINS, SECURITY = "S0CAPTAIN", "S0SECURIT"
REGION, ACCOUNT = "eu-west-1", "123456789012"

#: Who is who: captains approve, iris responds to incidents, gus is a guest, robo is a bot.
CREW = {
    "alice": frozenset[str](),
    "bob": frozenset({CAPTAINS}),
    "carol": frozenset({CAPTAINS}),
    "dave": frozenset({CAPTAINS, SECURITY}),
    "iris": frozenset[str](),
    "gus": frozenset[str](),
    "robo": frozenset[str](),
}


def person(name: str) -> Person:
    return Person(f"U0{name.upper():0<7}", name)


def requester(name: str, channel: str = CHANNEL) -> Requester:
    return Requester(person(name), CREW[name], channel, name == "robo", name == "gus")


def policies(**changes: Any) -> dict[str, Policy]:
    """``relaxed`` for staging; ``guarded`` for production, with ``changes`` to it."""
    iris = People(users=(person("iris").id,))
    guarded: dict[str, Any] = {
        "deployers": People(everyone=True),
        "approvers": People(groups=(CAPTAINS,)),
        "approvals": 1,
        "incident_responders": iris,
    }
    return {
        "relaxed": Policy(deployers=People(everyone=True), incident_responders=iris),
        "guarded": Policy(**{**guarded, **changes}),
    }


def a_catalog(relaxed: dict[str, Any] | None = None, **changes: Any) -> Catalog:
    """Backend and analytics in staging and production; ``changes`` are production's policy."""
    rules = policies(**changes)
    rules["relaxed"] = rules["relaxed"].model_copy(update=relaxed or {})
    services, environments = ("backend", "analytics"), ("staging", "production")
    return Catalog(
        version=1,
        services={
            name: Service(
                repository=f"acme/{name}",
                ecr=Ecr(registry=ACCOUNT, region=REGION, repository=name),
            )
            for name in services
        },
        environments={
            "staging": Environment(policy="relaxed"),
            "production": Environment(policy="guarded"),
        },
        policies=rules,
        targets=tuple(
            TargetSpec(
                service=service,
                environment=environment,
                ecs=EcsService(
                    region=REGION,
                    cluster="main",
                    service=f"{service}-{environment}",
                    container=service,
                ),
            )
            for service in services
            for environment in environments
        ),
    )


def without(catalog: Catalog, *gone: Target) -> Catalog:
    """The catalog without these targets, and without environments that nothing is left in."""
    targets = tuple(spec for spec in catalog.targets if spec.key not in gone)
    used = {spec.environment for spec in targets}
    environments = {name: each for name, each in catalog.environments.items() if name in used}
    parts = {name: getattr(catalog, name) for name in Catalog.model_fields}
    return Catalog(**{**parts, "targets": targets, "environments": environments})


def under_argo_cd(catalog: Catalog, target: Target) -> Catalog:
    """The catalog with this target as an Argo CD Application instead."""
    spec = TargetSpec(
        service=target.service,
        environment=target.environment,
        argocd=ArgoCdApplication(
            application=f"{target.service}-{target.environment}",
            manifests=Manifests(
                repository="https://git.example.com/acme/manifests.git",
                path=f"{target.service}/{target.environment}",
                kustomize=KustomizeImage(image=target.service),
            ),
        ),
    )
    targets = tuple(spec if each.key == target else each for each in catalog.targets)
    parts = {name: getattr(catalog, name) for name in Catalog.model_fields}
    return Catalog(**{**parts, "targets": targets})


def image_of(service: str, digest: str, ref: str) -> Image:
    return Image(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{service}", digest, ref)


class Rooms:
    """Everything a test acts on. Each target runs v1 well; v2 and v3 of each service are pushed."""

    def __init__(self, engine: sa.Engine, clock: FakeClock) -> None:
        self.engine, self.clock = engine, clock
        self.database = Database(engine, clock)
        self.rollouts = FakeRollouts(clock.now)
        self.registry = FakeRegistry()
        self.groups = FakeGroups()
        self.groups.members = {person(name).id: groups for name, groups in CREW.items()}
        self.catalog = a_catalog()
        self.digests: dict[str, str] = {}
        self.canaries: Canaries | None = None
        self.use(self.rollouts)
        self._requests = count(1)
        for spec in self.catalog.targets:
            for version in ("v1", "v2", "v3"):
                self.digests[version] = self.push(spec.service, version)
            self.rollouts.place(spec.key, self.image(spec.service, "v1"))

    def use(self, rollouts: FakeRollouts) -> None:
        """Another provider from here on."""
        self.rollouts = rollouts
        self._wire()

    def with_canaries(self, canaries: Canaries) -> None:
        """What shifts traffic, from here on."""
        self.canaries = canaries
        self._wire()

    def _wire(self) -> None:
        self.parts = self.as_replica("replica-1")
        self.intake = Intake(self.parts)
        self.steps = Steps(self.parts)
        self.observer = Observer(self.parts)

    def as_replica(self, name: str) -> Parts:
        """The same ports for another process."""
        return Parts(
            self.database,
            self.registry,
            self.rollouts,
            self.groups,
            self.clock,
            lambda: self.catalog,
            name,
            self.canaries,
        )

    def push(self, service: str, version: str) -> str:
        # A digest by version alone, so that a test can name it without the service.
        digest = f"sha256:{version.encode().hex():0<64}"
        return self.registry.push(service, version, digest=digest)

    def image(self, service: str, version: str) -> Image:
        return image_of(service, self.digests[version], version)

    # --- acting ---

    def says(self, name: str, command: Command, request_id: str = "") -> Reply:
        return self.intake.submit(
            command, requester(name), request_id or f"request-{next(self._requests)}"
        )

    def asked(self, name: str, command: Command, request_id: str = "") -> Deployment:
        """The one deployment that this made."""
        reply = self.says(name, command, request_id)
        assert isinstance(reply, Accepted), reply
        (made,) = reply.deployments
        return made

    def deploy(
        self, version: str = "v2", target: Target = STAGING, by: str = "alice"
    ) -> Deployment:
        return self.asked(by, Deploy((target,), version))

    def started(self, version: str = "v2", target: Target = STAGING) -> Deployment:
        """Asked for, begun and told to the provider; the rollout is under way."""
        return self.start(self.deploy(version, target))

    def start(self, deployment: Deployment) -> Deployment:
        """Its turn has come: every step up to the wait."""
        self.steps.adopt(deployment.id)
        for step in (self.steps.begin, self.steps.prepare, self.steps.start):
            assert step(deployment.id) == 0
        return self.get(deployment.id)

    def finished(self, version: str = "v2", target: Target = STAGING) -> Deployment:
        """Asked for, rolled out, and seen to be the only version running."""
        return self.finish(self.started(version, target))

    def finish(self, deployment: Deployment) -> Deployment:
        self.rollouts.finish(deployment.target)
        self.observer.look()
        self.clock.advance(timedelta(minutes=1))
        return self.get(deployment.id)

    # --- looking ---

    def get(self, deployment_id: str) -> Deployment:
        with self.database.read() as tx:
            found = tx.deployments.get(deployment_id)
        assert found is not None, deployment_id
        return found

    def rows(self, **filters: str) -> list[AuditRow]:
        """Audit rows, oldest first."""
        with self.database.read() as tx:
            return list(reversed(tx.audit.search(limit=500, **filters)))

    def audit(self, **filters: str) -> list[tuple[str, str, str]]:
        """Action, decision and reason code of the audit rows, oldest first."""
        entries = [row.entry for row in self.rows(**filters)]
        return [(entry.action, entry.decision, entry.reason_code) for entry in entries]

    def said(self, deployment_id: str) -> list[str]:
        with self.database.read() as tx:
            return list(tx.outbox.said(deployment_id))

    def keys_of(self, deployment_id: str) -> list[str]:
        """What is owed, or was shown, of a deployment, oldest first."""
        query = sa.select(outbox.c.key).where(outbox.c.deployment_id == deployment_id)
        with self.engine.connect() as connection:
            return list(connection.execute(query.order_by(outbox.c.id)).scalars())

    def cards_asked(self, deployment_id: str) -> int:
        """How often its card was asked for."""
        query = sa.select(outbox.c.wanted).where(
            outbox.c.deployment_id == deployment_id, outbox.c.key == CARD
        )
        with self.engine.connect() as connection:
            asked: int = connection.execute(query).scalar_one()
        return asked

    def known_good(self, target: Target = STAGING) -> list[Release]:
        with self.database.read() as tx:
            return list(tx.releases.known_good(target))

    def workflows(self) -> dict[str, str]:
        """Names of the workflows that were asked for, by id."""
        found = engine_client(self.engine).list_workflows()
        return {workflow.workflow_id: workflow.name for workflow in found}

    def everything(self) -> list[tuple[Any, ...]]:
        """Every row of our tables and the engine's: equal means that nothing was written."""
        tables = sa.inspect(self.engine).get_table_names()
        with self.engine.connect() as connection:
            return [
                (name, *row)
                for name in sorted(tables)
                for row in connection.execute(sa.select(sa.text("*")).select_from(sa.table(name)))
            ]


@contextmanager
def rooms_in(database_url: str, clock: FakeClock) -> Iterator[Rooms]:
    """Over a migrated database."""
    engine = make_engine(database_url)
    try:
        yield Rooms(engine, clock)
    finally:
        engine.dispose()
