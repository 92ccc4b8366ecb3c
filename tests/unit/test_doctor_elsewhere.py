"""``quarterdeck doctor`` where nothing runs on ECS: git and the cluster, and no question to AWS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bot.doctor import NAMED, examine, listed, of_targets
from bot.model.deployment import Target
from bot.model.errors import AccessDenied
from bot.model.rollout import Finding, Grade
from bot.settings.start import load_settings
from tests.fakes.argo_shore import ArgoShore, argo_shore
from tests.fakes.harbour import Outside, catalog_text, outside
from tests.fakes.inner_rooms import ANALYTICS, PRODUCTION, STAGING, a_catalog, under_argo_cd
from tests.fakes.rollouts import FakeRollouts

#: A place on ECS in the harbour's catalog, and the target it is of.
ON_ECS = re.compile(r"ecs: \{[^}]*service: ([a-z]+)-([a-z]+),[^}]*\}")
SERVICES, ENVIRONMENTS = ("backend", "analytics"), ("staging", "production")


@pytest.fixture
def place(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    with outside(tmp_path, sqlite_url, speed=0, shore=argo_shore) as place:
        for service in SERVICES:
            place.shore.furnish(service, ENVIRONMENTS, place.digests["v1"])
        place.write_catalog(ON_ECS.sub(r"PLACE(\1/\2)", catalog_text()))
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("QUARTERDECK_CACHE", str(tmp_path / "cache"))
        monkeypatch.chdir(tmp_path)
        yield place


def doctor() -> tuple[int, list[str]]:
    """The exit code, and the lines that were printed with every run of spaces as one."""
    stream = StringIO()
    code = examine(load_settings(env_file=None), Console(file=stream, width=600))
    return code, re.sub(r" +", " ", stream.getvalue()).splitlines()


def the_one(lines: list[str], words: str) -> str:
    (line,) = [line for line in lines if words in line]
    return line


def test_all_is_well_and_aws_is_asked_nothing(place: Outside) -> None:
    code, lines = doctor()
    assert code == 0, lines
    for service in SERVICES:
        for environment in ENVIRONMENTS:
            said = f"Application {service}-{environment}, ready to be rolled"
            assert f"{service}/{environment} │ ok │" in the_one(lines, said)
    assert not [line for line in lines if line.startswith("│ AWS ")]
    assert place.world.calls() == []
    assert place.shore.writes() == 0


def test_a_token_that_may_not_push_is_told_once_for_the_repository(place: Outside) -> None:
    assert isinstance(place.shore, ArgoShore)
    place.shore.git.faults.forbid_push()
    code, lines = doctor()
    assert code == 1
    errors = [line for line in lines if "│ error │" in line]
    (error,) = errors
    assert "backend/staging, backend/production, analytics/staging and 1 more" in error
    assert place.shore.git.token not in "\n".join(lines)


def test_an_application_that_is_missing_hides_no_other(place: Outside) -> None:
    text = (place.folder / "quarterdeck.yaml").read_text()
    place.write_catalog(text.replace("application: backend-staging", "application: gone"))
    code, lines = doctor()
    assert code == 1
    assert "backend/staging │ error │" in the_one(lines, "│ error │")
    assert the_one(lines, "Application backend-production, ready to be rolled")


# --- what is found alike ---

MISSING = Finding("", Grade.ERROR, "may not patch Applications", "Add the verb.")


def found_of(target: Target, found: str = MISSING.found) -> Finding:
    return Finding(str(target), MISSING.grade, found, MISSING.advice)


def test_what_is_found_alike_is_one_line_but_for_ecs() -> None:
    catalog = under_argo_cd(under_argo_cd(a_catalog(), STAGING), ANALYTICS)
    rollouts = FakeRollouts()
    for target in (STAGING, ANALYTICS, PRODUCTION):
        rollouts.place(target)
        rollouts.findings[target] = (found_of(target), found_of(target, "something of its own"))
    targets = [spec for spec in catalog.targets if spec.key in rollouts.findings]
    told = [(each.subject, each.found) for each in of_targets(targets, rollouts)]
    assert told == [
        ("backend/production", MISSING.found),
        ("backend/production", "something of its own"),
        ("backend/staging, analytics/staging", MISSING.found),
        ("backend/staging, analytics/staging", "something of its own"),
    ]


def test_what_cannot_be_examined_is_found_too() -> None:
    rollouts = FakeRollouts()
    rollouts.break_next("examine", AccessDenied("The token has expired.", hint="Renew it."))
    catalog = under_argo_cd(a_catalog(), STAGING)
    targets = [spec for spec in catalog.targets if spec.key == STAGING]
    assert list(of_targets(targets, rollouts)) == [
        Finding("backend/staging", Grade.ERROR, "The token has expired.", "Renew it.")
    ]


def test_a_line_names_a_few_and_counts_the_others() -> None:
    names = [f"s{number}/staging" for number in range(NAMED + 2)]
    assert listed(names[:1]) == "s0/staging"
    assert listed(names[:NAMED]) == ", ".join(names[:NAMED])
    assert listed(names) == f"{', '.join(names[:NAMED])} and 2 more"
