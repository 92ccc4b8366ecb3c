"""``quarterdeck doctor`` against the stand-ins: all of it in one table, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bot.doctor import examine
from bot.settings.start import load_settings
from bot.store.migrate import head
from tests.fakes.harbour import Outside, catalog_text, outside
from tests.fakes.shore import CLUSTER


@pytest.fixture
def place(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    with outside(tmp_path, sqlite_url, speed=0) as place:
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield place


def doctor() -> tuple[int, str]:
    """The exit code, and what was printed with every run of spaces as one."""
    stream = StringIO()
    code = examine(load_settings(env_file=None), Console(file=stream, width=400))
    return code, re.sub(r" +", " ", stream.getvalue())


def test_everything_that_is_well_is_listed(place: Outside) -> None:
    code, told = doctor()
    assert code == 0
    assert "Slack │ ok │ workspace" in told
    assert re.search(r"Slack scopes │ ok │ all \d+ are granted", told)
    assert f"database │ ok │ sqlite, revision {head()}" in told
    assert "AWS eu-west-1 │ ok │ acting as arn:aws:iam::123456789012:user/quarterdeck" in told
    for service in ("backend", "analytics"):
        for environment in ("staging", "production"):
            assert f"{service}/{environment} │ ok │" in told
    assert re.search(r"\d+ checks: 0 errors, 0 warnings\.", told)
    assert place.world.count("UpdateService") == 0


def test_each_weakness_of_a_target_says_what_to_do(place: Outside) -> None:
    place.world.create_service(
        CLUSTER,
        "weak",
        container="backend",
        repository="backend",
        image="v1",
        desired=1,
        breaker=False,
        rollback=False,
        health_check=False,
        minimum_healthy=50,
    )
    place.write_catalog(catalog_text().replace("service: backend-staging,", "service: weak,"))
    code, told = doctor()
    assert code == 0
    rows = [line for line in told.splitlines() if "backend/staging" in line]
    assert all("│ warning │" in row for row in rows)
    for found, advice in (
        ("no health check", "Add a container health check or a target group."),
        ("minimumHealthyPercent is 50", "Each rollout sets it to 100."),
        ("circuit breaker does not roll back", "Each rollout turns it on."),
        ("the desired count is 1", "With two tasks or more"),
        ("is not pinned by digest", "The first deployment by Quarterdeck pins it."),
    ):
        assert [row for row in rows if found in row and advice in row], found
    assert "0 errors, 5 warnings." in told


def test_a_service_that_is_missing_is_an_error_and_hides_no_other(place: Outside) -> None:
    place.write_catalog(catalog_text().replace("service: backend-staging,", "service: gone,"))
    code, told = doctor()
    assert code == 1
    (row,) = [line for line in told.splitlines() if "backend/staging" in line]
    assert "│ error │" in row
    assert "gone" in row
    assert "backend/production │ ok │" in told
    assert "1 errors, 0 warnings." in told


def test_a_container_that_is_not_there_names_those_that_are(place: Outside) -> None:
    wrong = catalog_text().replace(
        "service: backend-staging, container: backend", "service: backend-staging, container: web"
    )
    place.write_catalog(wrong)
    code, told = doctor()
    assert code == 1
    assert "has no container 'web', only backend" in told
    assert "Correct `container` in the catalog." in told


def test_a_permission_that_is_missing_is_named_at_every_target(place: Outside) -> None:
    place.world.faults.deny("DescribeServices")
    code, told = doctor()
    assert code == 1
    rows = [line for line in told.splitlines() if "ecs:DescribeServices" in line]
    assert len(rows) == 4
    assert "4 errors" in told


def test_aws_that_does_not_know_us_is_an_error_for_each_region(place: Outside) -> None:
    place.write_catalog(
        catalog_text().replace(
            "{region: eu-west-1, cluster: main, service: backend-production",
            "{region: us-east-1, cluster: main, service: backend-production",
        )
    )
    place.world.faults.deny("GetCallerIdentity", 1)
    code, told = doctor()
    assert code == 1
    (refused, known) = [line for line in told.splitlines() if line.startswith("│ AWS ")]
    assert "AWS eu-west-1 │ error │" in refused
    assert "AWS us-east-1 │ ok │" in known


def test_scopes_that_are_missing_are_named_with_what_they_are_for(place: Outside) -> None:
    place.workspace.scopes -= {"usergroups:read", "chat:write"}
    code, told = doctor()
    assert code == 1
    assert "missing usergroups:read: who is in the groups that the catalog names" in told
    assert "Add chat:write from app-manifest.yml and reinstall the app." in told
    assert "2 errors" in told


def test_a_scope_that_the_bot_can_do_without_is_a_warning(place: Outside) -> None:
    place.workspace.scopes -= {"files:write"}
    code, told = doctor()
    assert code == 0
    assert "missing files:write: charts of canaries" in told
    assert "0 errors" in told


def test_a_slack_that_cannot_be_reached_hides_nothing_else(
    place: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:1/api/")
    code, told = doctor()
    assert code == 1
    assert "Slack │ error │" in told
    assert "backend/staging │ ok │" in told
    assert place.workspace.secrets.bot_token not in told


def test_a_token_that_slack_does_not_know_is_an_error(
    place: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1111-2222-somebodyelse")
    code, told = doctor()
    assert code == 1
    assert "Slack │ error │" in told
    assert "somebodyelse" not in told
    assert place.world.calls()


def test_a_database_that_is_behind_is_a_warning(
    place: Outside, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    code, told = doctor()
    assert code == 0
    assert f"database │ warning │ sqlite, revision none; newest is {head()}" in told
    assert "`quarterdeck migrate`, or just start the bot." in told
    assert place.world.calls()


def test_a_database_that_cannot_be_reached_is_an_error(
    place: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://deck:hunter2@127.0.0.1:1/deck")
    code, told = doctor()
    assert code == 1
    said = "The PostgreSQL database deck at 127.0.0.1:1 cannot be used: the connection was refused."
    assert f"database │ error │ {said} │ Check that the server runs" in told
    assert "hunter2" not in told
    assert place.world.calls()


def judged(place: Outside, canary: str) -> None:
    """Give one of the targets canaries."""
    target = f"container: backend}}, canary: {canary}}}"
    text = catalog_text()
    at = text.index("container: backend}}")
    place.write_catalog(text[:at] + target + text[at + len("container: backend}}") :])


def weighted(place: Outside, per_second: float) -> str:
    front = place.world.balancers.create_service(
        CLUSTER,
        "shop",
        container="backend",
        repository="backend",
        image="v1",
        per_second=per_second,
        history=60,
    )
    groups = f"stable: '{front.stable}', canary: '{front.canary}'"
    return f"{{weighted: {{rule: '{front.rule}', {groups}}}}}"


def test_what_canaries_are_judged_by_is_looked_at(place: Outside) -> None:
    judged(place, weighted(place, per_second=20))
    code, told = doctor()
    assert code == 0
    said = r"backend/staging │ ok │ canaries are judged by CloudWatch: [\d,]+ requests in the last"
    assert re.search(said, told)
    assert place.world.count("GetMetricData") == 1


def test_metrics_that_may_not_be_read_are_an_error(place: Outside) -> None:
    judged(place, weighted(place, per_second=20))
    place.world.faults.deny("GetMetricData")
    code, told = doctor()
    assert code == 1
    (row,) = [line for line in told.splitlines() if "cloudwatch:GetMetricData" in line]
    assert "backend/staging │ error │" in row


def test_a_prometheus_that_is_not_there_is_an_error(place: Outside) -> None:
    source = "{url: 'http://127.0.0.1:1', labels: 'app=\"{{version}}\"'}"
    judged(place, f"{{native: {{}}, prometheus: {source}}}")
    code, told = doctor()
    assert code == 1
    (row,) = [line for line in told.splitlines() if "Prometheus at http://127.0.0.1:1" in line]
    assert "backend/staging │ error │" in row
