"""Which source is ours, and when a project's windows let a sync through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.providers.argocd.sources import our_source, revision_of, same_repository
from bot.providers.argocd.views import application_of
from bot.providers.argocd.windows import closed, windows_of
from tests.fakes.argo_stage import PLACE
from tests.fakes.argo_views import OURS, REMOTE, application

MONDAY_NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://github.com/acme/m.git", "git@github.com:acme/m.git", True),
        ("https://GitHub.com/acme/m", "ssh://git@github.com:22/acme/m.git", True),
        ("https://user@github.com/acme/m/", "https://github.com/acme/m.git", True),
        ("https://github.com/acme/m", "https://github.com/acme/n", False),
        ("https://github.com/acme/m", "https://gitlab.com/acme/m", False),
        ("https://github.com/acme/m", "https://github.com/Acme/m", False),
    ],
)
def test_a_repository_is_itself_however_it_is_reached(one: str, other: str, *, same: bool) -> None:
    assert same_repository(one, other) is same
    assert same_repository(other, one) is same


CHART = {"repoURL": "https://charts.example", "chart": "web", "targetRevision": "1.0.0"}
ELSEWHERE = {"repoURL": REMOTE, "path": "apps/other", "targetRevision": "main"}
MINE = {"repoURL": REMOTE, "path": "./apps/web/", "targetRevision": "main"}
LENT = {"repoURL": REMOTE, "ref": "values", "targetRevision": "main"}


@pytest.mark.parametrize(
    ("sources", "index"),
    [
        ([CHART, MINE], 1),
        ([ELSEWHERE, MINE], 1),
        ([MINE, LENT], 0),
        ([CHART, LENT], 1),
        ([ELSEWHERE, LENT], 1),
        ([CHART, ELSEWHERE], 1),  # the only one of our repository
        ([ELSEWHERE, ELSEWHERE], None),
        ([CHART], None),
        ([MINE, MINE], 0),
    ],
)
def test_our_source_is_found_by_repository_and_path(
    sources: list[dict[str, str]], index: int | None
) -> None:
    revisions = [f"{number}" * 40 for number in range(len(sources))]
    app = application(
        spec={"source": None, "sources": sources},
        status={"sync": {"revision": None, "revisions": revisions}},
    )
    view = application_of(app)
    found = our_source(view, PLACE.manifests)
    assert (found.index if found else None) == index
    if found is not None:
        assert revision_of(view.revisions, found) == str(index) * 40


def test_an_application_that_was_never_compared_has_no_revision() -> None:
    view = application_of(application(status={"sync": {"revision": None}}))
    found = our_source(view, PLACE.manifests)
    assert found is not None
    assert revision_of(view.revisions, found) == ""
    assert OURS not in view.revisions


def window(kind: str = "deny", schedule: str = "0 10 * * *", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "schedule": schedule, "duration": "4h", "applications": ["*"]} | more


@pytest.mark.parametrize(
    ("windows", "manual", "shut"),
    [
        ([], False, False),
        ([window()], False, True),
        ([window()], True, True),
        ([window(manualSync=True)], True, False),
        ([window(manualSync=True), window()], True, True),
        ([window(schedule="0 7 * * *")], False, False),
        ([window(schedule="0 8 * * *")], False, False),  # it ended at this very moment
        ([window(schedule="1 8 * * *")], False, True),
        ([window(schedule="0 12 * * *")], False, True),  # it begins at this very moment
        ([window(schedule="0 10 * * 2")], False, False),
        ([window(timeZone="America/New_York", schedule="0 6 * * *")], False, True),
        ([window(timeZone="America/New_York")], False, False),
        ([window(duration="1h30m", schedule="40 10 * * *")], False, True),
        ([window("allow")], False, False),
        ([window("allow", "0 20 * * *")], False, True),
        ([window("allow", "0 20 * * *", manualSync=True)], True, False),
        ([window("allow", "0 20 * * *"), window("allow")], False, False),
        ([window("allow"), window()], False, True),
        # whom it is meant for
        ([window(applications=["other-*"])], False, False),
        ([window(applications=[], namespaces=["sh?p"])], False, True),
        ([window(applications=[], clusters=["https://kubernetes.*"])], False, True),
        ([window(applications=[], clusters=["in-cluster"])], False, False),
        ([window(namespaces=["other"])], False, True),
        ([window(namespaces=["other"], andOperator=True)], False, False),
        # what cannot be read closes nothing
        ([window(schedule="whenever")], False, False),
        ([window("allow", "CRON_TZ=UTC 0 20 * * *")], True, False),
        ([window("allow", "0 20 ? * *"), window("allow", "0 20 * * *")], True, False),
        ([window(timeZone="Mars/Olympus")], False, False),
    ],
)
def test_windows(windows: list[dict[str, Any]], *, manual: bool, shut: bool) -> None:
    project = {"metadata": {"name": "default"}, "spec": {"syncWindows": windows}}
    view = application_of(application())
    said = closed(windows_of(project), view, MONDAY_NOON, manual=manual)
    assert bool(said) is shut


def test_a_closed_window_is_named() -> None:
    view = application_of(application())
    project = {"spec": {"syncWindows": [window()]}}
    said = closed(windows_of(project), view, MONDAY_NOON, manual=False)
    assert "(0 10 * * * for 4 h UTC)" in said


@pytest.mark.parametrize("second", [0.0, 0.5, 1.0, 59.5])
def test_a_window_that_begins_anew_each_minute_never_ends(second: float) -> None:
    project = {"spec": {"syncWindows": [window(schedule="* * * * *", duration="1h")]}}
    assert windows_of(project)[0].active(MONDAY_NOON + timedelta(seconds=second))


@pytest.mark.parametrize(
    ("seconds", "active"), [(-0.5, False), (0, True), (0.5, True), (3599.5, True), (3600, False)]
)
def test_a_window_lasts_from_its_very_beginning(seconds: float, *, active: bool) -> None:
    project = {"spec": {"syncWindows": [window(schedule="0 12 * * *", duration="1h")]}}
    assert windows_of(project)[0].active(MONDAY_NOON + timedelta(seconds=seconds)) is active
