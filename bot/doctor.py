"""``quarterdeck doctor``: everything the bot depends on, looked at once, with what to do.

It only reads. Each part is examined even when another one is broken: one run shows all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing

from rich.console import Console
from rich.table import Table

from bot.app import Outside, connect
from bot.model.catalog import Provider, TargetSpec
from bot.model.errors import QuarterdeckError
from bot.model.ports import Rollouts
from bot.model.rollout import Finding, Grade
from bot.settings.clock import SystemClock
from bot.settings.start import Configuration
from bot.slack.examination import examine_slack
from bot.store.migrate import current, head
from bot.store.session import make_engine

#: Targets that one line of the table names.
NAMED = 3

MARKS = {
    Grade.OK: "[green]ok[/]",
    Grade.WARNING: "[yellow]warning[/]",
    Grade.ERROR: "[red]error[/]",
}


def examine(configuration: Configuration, console: Console) -> int:
    """Print the table; 1 when something is broken, 0 when at most warnings were found."""
    outside = connect(configuration.settings, lambda: None)
    with closing(outside):
        return _table(all_findings(configuration, outside), console)


def _table(all_of_them: Iterator[Finding], console: Console) -> int:
    findings: list[Finding] = []
    table = Table(title="quarterdeck doctor", title_justify="left", show_lines=False)
    for column in ("what", "", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in all_of_them:
        findings.append(finding)
        table.add_row(finding.subject, MARKS[finding.grade], finding.found, finding.advice)
    console.print(table)
    broken = sum(finding.grade is Grade.ERROR for finding in findings)
    doubtful = sum(finding.grade is Grade.WARNING for finding in findings)
    console.print(f"{len(findings)} checks: {broken} errors, {doubtful} warnings.")
    return 1 if broken else 0


def all_findings(configuration: Configuration, outside: Outside) -> Iterator[Finding]:
    """Slack, the database, AWS where something runs there, then every target of the catalog, and
    what its canaries are judged by."""
    yield from guarded("Slack", lambda: examine_slack(outside.slack))
    yield from guarded("database", lambda: [database(configuration)])
    targets = configuration.catalog.current().targets
    on_ecs = [spec.ecs_place for spec in targets if spec.ecs_place is not None]
    places = {(place.region, place.role) for place in on_ecs}
    for region, role in sorted(places, key=str):
        yield from guarded(f"AWS {region}", lambda at=(region, role): [identity(outside, *at)])  # type: ignore[misc]
    yield from of_targets(targets, outside.rollouts)
    now = SystemClock().now()
    for spec in targets:
        yield from outside.fleet.metrics.examine(spec, now)


def of_targets(targets: Sequence[TargetSpec], rollouts: Rollouts) -> Iterator[Finding]:
    """What each provider says of its targets. What is found alike of all targets in one repository
    or cluster (a token without push rights, a verb that is missing) is one line that names them."""
    alike: dict[tuple[Provider, Grade, str, str], list[str]] = {}
    for spec in targets:
        for each in guarded(str(spec.key), lambda spec=spec: rollouts.examine(spec)):  # type: ignore[misc]
            if spec.provider == "ecs":
                yield each
                continue
            key = (spec.provider, each.grade, each.found, each.advice)
            alike.setdefault(key, []).append(each.subject)
    for (_, grade, found, advice), subjects in alike.items():
        yield Finding(listed(list(dict.fromkeys(subjects))), grade, found, advice)


def listed(subjects: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    more = f" and {len(subjects) - NAMED} more" if len(subjects) > NAMED else ""
    return f"{', '.join(subjects[:NAMED])}{more}"


def guarded(subject: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """A part that cannot be examined is a finding too."""
    try:
        yield from look()
    except QuarterdeckError as fault:
        yield Finding(subject, Grade.ERROR, fault.message, fault.hint)


def database(configuration: Configuration) -> Finding:
    """Whether the database can be reached and is at the newest revision."""
    engine = make_engine(configuration.settings.database_url.get_secret_value())
    try:
        revision = current(engine)
    finally:
        engine.dispose()
    if revision == head():
        return Finding("database", Grade.OK, f"{engine.dialect.name}, revision {revision}")
    found = f"{engine.dialect.name}, revision {revision or 'none'}; newest is {head()}"
    return Finding(
        "database", Grade.WARNING, found, "`quarterdeck migrate`, or just start the bot."
    )


def identity(outside: Outside, region: str, role: str | None) -> Finding:
    """Who AWS says we are there, once per role and region."""
    arn = outside.clients.identity(region, role)
    return Finding(f"AWS {region}", Grade.OK, f"acting as {arn}")
