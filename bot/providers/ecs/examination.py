"""What is wrong, or unwise, with a target: the findings of ``doctor`` and a dry run's warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.model.catalog import TargetSpec
from bot.model.errors import AccessDenied, Misconfigured, QuarterdeckError
from bot.model.places import EcsService
from bot.model.rollout import Finding, Grade
from bot.providers.ecs.reads import EcsReads, Found, account_of
from bot.providers.ecs.task_definition import TaskDefinition, short

_FULL = 100


def examine(reads: EcsReads, spec: TargetSpec) -> Sequence[Finding]:
    """Everything about one target; a fault becomes a finding."""
    name = str(spec.key)
    try:
        found = reads.service(spec.ecs)
        definition = reads.task_definition(spec.ecs, found.answer["taskDefinition"])
    except QuarterdeckError as fault:
        return [_fault(name, fault)]
    if definition is None:
        missing = f"task definition {short(found.answer['taskDefinition'])} no longer exists"
        return [Finding(name, Grade.ERROR, missing, "Deploy the service by hand once.")]
    findings = [
        *_service(name, found),
        *_container(name, spec.ecs, definition),
        *_cautions(name, spec.ecs, found, definition),
        *_history(name, reads, spec.ecs),
    ]
    return findings or [Finding(name, Grade.OK, f"{short(definition.arn)}, ready to be rolled")]


def warnings(ecs: EcsService, found: Found, definition: TaskDefinition) -> tuple[str, ...]:
    """What a person should know before a rollout, as whole sentences."""
    return tuple(
        f"{finding.found[:1].upper()}{finding.found[1:]}. {finding.advice}".strip()
        for finding in _cautions(ecs.service, ecs, found, definition)
    )


def _service(name: str, found: Found) -> Iterator[Finding]:
    view = found.view
    if view.status != "ACTIVE":
        yield Finding(name, Grade.ERROR, f"the service is {view.status}", "Create it again.")
    if view.controller != "ECS":
        yield Finding(
            name,
            Grade.ERROR,
            f"deployments are controlled by {view.controller}",
            "Quarterdeck rolls services whose deployment controller is ECS.",
        )
    if view.scheduling == "DAEMON":
        yield Finding(
            name, Grade.ERROR, "the service is a DAEMON", "Quarterdeck rolls REPLICA services only."
        )


def _container(name: str, ecs: EcsService, definition: TaskDefinition) -> Iterator[Finding]:
    if ecs.container not in definition.containers:
        yield Finding(
            name,
            Grade.ERROR,
            f"{short(definition.arn)} has no container {ecs.container!r}, "
            f"only {', '.join(definition.containers)}",
            "Correct `container` in the catalog.",
        )


def _cautions(
    name: str, ecs: EcsService, found: Found, definition: TaskDefinition
) -> Iterator[Finding]:
    """Each leaves the target usable, but a rollout less safe."""
    for wrong, what, advice in _table(ecs, found, definition):
        if wrong:
            yield Finding(name, Grade.WARNING, what, advice)


def _table(
    ecs: EcsService, found: Found, definition: TaskDefinition
) -> Sequence[tuple[bool, str, str]]:
    config = found.configuration
    breaker = config.get("deploymentCircuitBreaker") or {}
    minimum = config.get("minimumHealthyPercent", _FULL)
    known = ecs.container in definition.containers
    checked = _checked(ecs, found, definition)
    pinned = not known or definition.image(ecs.container) is not None
    return (
        (
            not checked,
            "no health check: neither the container nor a load balancer tells whether it works",
            "Add a container health check or a target group.",
        ),
        (
            minimum < _FULL,
            f"old tasks may stop before new ones are healthy (minimumHealthyPercent is {minimum})",
            "Each rollout sets it to 100.",
        ),
        (
            not (breaker.get("enable") and breaker.get("rollback")),
            "the deployment circuit breaker does not roll back",
            "Each rollout turns it on.",
        ),
        (
            found.view.desired < 2,  # noqa: PLR2004  one task, or none, is the point
            f"the desired count is {found.view.desired}",
            "With two tasks or more the service survives the loss of one.",
        ),
        (
            not pinned,
            "the running image is not pinned by digest",
            "The first deployment by Quarterdeck pins it.",
        ),
    )


def _checked(ecs: EcsService, found: Found, definition: TaskDefinition) -> bool:
    balanced = any(each.get("targetGroupArn") for each in found.answer.get("loadBalancers", ()))
    if balanced or ecs.container not in definition.containers:
        return balanced
    return bool(definition.container(ecs.container).get("healthCheck"))


def _history(name: str, reads: EcsReads, ecs: EcsService) -> Iterator[Finding]:
    """Whether rollouts can be followed by ECS's own account of them."""
    try:
        reads.tasks(ecs, "STOPPED", 1)
        for brief in reads.deployments_since(ecs, None)[:1]:
            reads.deployments(account_of(ecs), [brief["serviceDeploymentArn"]])
            reads.task_definitions_of(account_of(ecs), [brief["targetServiceRevisionArn"]])
    except QuarterdeckError as fault:
        finding = _fault(name, fault)
        yield Finding(name, Grade.WARNING, finding.found, finding.advice)


def _fault(name: str, fault: QuarterdeckError) -> Finding:
    advice = fault.hint
    if not advice and not isinstance(fault, AccessDenied | Misconfigured):
        advice = "Run doctor again; if it stays, look at the AWS status page."
    return Finding(name, Grade.ERROR, fault.message, advice)
