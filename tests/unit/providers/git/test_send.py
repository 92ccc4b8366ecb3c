"""One commit per deployment, on the branch, whatever else is pushed there meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bot.model.deployment import Image, Person
from bot.model.errors import Misconfigured, Terminal, Transient, Unknown
from bot.playground.git.program import git
from bot.providers.argocd.desired import Relation
from bot.providers.git import GitManifests
from tests.fakes.git_place import FILE, NAME, TEXT, GitPlace, git_place, order
from tests.fakes.manifests import DIGEST, IMAGE, OTHER, TAGGED, kustomize

EARLIER = f"v1.4.9@{OTHER}"


def ours(place: GitPlace) -> list[str | None]:
    """The deployments on the branch, newest first."""
    found = [entry.trailer("Deployment-Id") for entry in place.host.log(NAME)]
    return [each for each in found if each is not None]


def test_a_deployment_is_one_commit_that_says_who_and_what(place: GitPlace) -> None:
    bot = place.bot()
    edit = bot.edit(place.target, IMAGE)
    assert edit.value == TAGGED
    assert [line for line in edit.diff.splitlines() if line[:1] in "+-"][2:] == [
        "-  newTag: v1.4.0",
        f"+  newTag: {TAGGED}",
    ]
    commit = bot.send(place.target, order(reason="Ship it,\nplease."), edit.value)
    newest, first = place.host.log(NAME)
    assert newest.hash == commit == place.host.head(NAME)
    assert newest.author == "alice <U01ALICE@slack.invalid>"
    assert newest.committer == "Quarterdeck <quarterdeck@users.noreply.github.com>"
    assert newest.subject == "Deploy v1.5.0 to apps/web"
    assert newest.body.startswith('Reason: "Ship it, please."\n\nDeployment-Id: d-0001\n')
    assert newest.trailers == (
        ("Deployment-Id", "d-0001"),
        ("Requested-By", "alice <U01ALICE@slack.invalid>"),
        ("Approved-By", "bob <U02BOB@slack.invalid>"),
        ("Approved-By", "carol <U03CAROL@slack.invalid>"),
        ("Image-Digest", DIGEST),
    )
    assert place.host.read(NAME, FILE) == TEXT.replace("v1.4.0", TAGGED)
    assert place.host.read(NAME, "README.md") == "hello\n"
    assert place.host.log(NAME)[1] == first


def test_line_endings_modes_and_everything_else_stay(tmp_path: Path) -> None:
    text = "\ufeff# ünïcode\r\nimages:\r\n- {name: web, newTag: 'v1.4.0'} # ours\r\n"
    with git_place(tmp_path, text) as place:
        place.bot().send(place.target, order(), TAGGED)
        assert place.host.read(NAME, FILE) == text.replace("v1.4.0", TAGGED)


def test_the_value_that_stands_there_is_deployed_by_an_empty_commit(place: GitPlace) -> None:
    bot = place.bot()
    first = bot.send(place.target, order(1), TAGGED)
    second = bot.send(place.target, order(2, base=TAGGED), TAGGED)
    assert first != second
    assert ours(place) == ["d-0002", "d-0001"]
    assert place.host.read(NAME, FILE, first) == place.host.read(NAME, FILE, second)


def test_sent_again_it_finds_its_commit(place: GitPlace) -> None:
    commit = place.bot().send(place.target, order(), TAGGED)
    place.host.commit(NAME, "Dana", {"README.md": "new\n"}, "Say hello.")
    assert place.bot().send(place.target, order(), TAGGED) == commit
    assert place.bot("another-cache").sent(
        place.target, order(), place.host.log(NAME)[-1].at
    ) == commit  # fmt: skip
    assert ours(place) == ["d-0001"]


def test_a_copy_of_its_commit_is_not_taken_for_it(place: GitPlace) -> None:
    bot = place.bot()
    commit = bot.send(place.target, order(), TAGGED)
    entry = place.host.log(NAME)[0]
    copy = f"Cherry-pick.\n\n{entry.body}\n"
    place.host.commit(NAME, "Dana", {"other": "x\n"}, copy)
    assert bot.send(place.target, order(), TAGGED) == commit


@pytest.mark.parametrize("commits", [1, 3])
def test_a_commit_below_one_of_a_wrong_clock_is_found(place: GitPlace, commits: int) -> None:
    """git's own --since ends at the first commit that is dated before it."""
    bot, since = place.bot(), place.host.log(NAME)[0].at
    ours_ = bot.send(place.target, order(), TAGGED)
    for _ in range(commits):
        of_a_wrong_clock(place)
    fresh = place.bot("another")
    fresh.head(place.target)  # its history begins with a commit that says it is ancient
    assert bot.sent(place.target, order(), since) == ours_
    assert fresh.sent(place.target, order(), since) == ours_
    assert bot.send(place.target, order(), TAGGED) == ours_
    assert ours(place) == ["d-0001"]
    tip = place.host.commit(NAME, "Dana", {"n": "1\n"}, "Of today.")
    newest = place.bot("newest")
    newest.head(place.target)
    assert newest.relation(place.target, ours_, tip, TAGGED) is Relation.CARRIES


def of_a_wrong_clock(place: GitPlace) -> None:
    folder, day = place.host.folder(NAME), "2001-01-01T00:00:00Z"
    dated = {"GIT_AUTHOR_DATE": day, "GIT_COMMITTER_DATE": day}
    who = {f"GIT_{r}_{k}": "x" for r in ("AUTHOR", "COMMITTER") for k in ("NAME", "EMAIL")}
    words = ("commit-tree", "main^{tree}", "-p", "main", "-m", "Long ago.")
    made = git(folder, *words, environment=dated | who).decode().strip()
    git(folder, "update-ref", "refs/heads/main", made)


def test_a_number_that_was_given_out_before_is_another_deployment(place: GitPlace) -> None:
    """With a new database, deployments are counted from 1 again."""
    first = place.bot().send(place.target, order(1), TAGGED)
    image = Image("r", OTHER, "v1.4.9")
    second = place.bot().send(place.target, order(1, base=TAGGED, image=image), EARLIER)
    assert second != first
    assert place.host.read(NAME, FILE) == TEXT.replace("v1.4.0", EARLIER)
    assert place.bot().send(place.target, order(1, base=TAGGED, image=image), EARLIER) != first


def test_a_mention_of_a_deployment_is_not_taken_for_its_commit(place: GitPlace) -> None:
    text = "Look at this.\n\nDeployment-Id: d-0001 looked odd,\nbut see below.\n\nReviewed-By: x\n"
    place.host.commit(NAME, "Dana", {"other": "x\n"}, text)
    commit = place.bot().send(place.target, order(), TAGGED)
    assert place.host.head(NAME) == commit


def test_a_human_who_pushes_first_loses_nothing(place: GitPlace) -> None:
    bot = place.bot()
    bot.head(place.target)
    human = TEXT.replace("v9", "v10")
    place.host.commit(NAME, "Dana", {FILE: human}, "Another database.")
    bot.send(place.target, order(), TAGGED)
    assert place.host.read(NAME, FILE) == human.replace("v1.4.0", TAGGED)
    assert place.subjects() == ["Deploy v1.5.0 to apps/web", "Another database.", "Begin."]


def test_a_race_that_is_lost_on_the_way_is_run_again(place: GitPlace) -> None:
    human = TEXT.replace("v9", "v10")
    place.host.faults.race(
        lambda: place.host.commit(NAME, "Dana", {FILE: human}, "Another database.")
    )
    place.bot().send(place.target, order(), TAGGED)
    assert place.host.read(NAME, FILE) == human.replace("v1.4.0", TAGGED)
    assert place.subjects() == ["Deploy v1.5.0 to apps/web", "Another database.", "Begin."]


def test_somebody_who_changed_our_own_line_stops_it(place: GitPlace) -> None:
    place.host.faults.race(
        lambda: place.host.commit(
            NAME, "Dana", {FILE: TEXT.replace("v1.4.0", EARLIER)}, "Mine is better."
        )
    )
    with pytest.raises(Terminal, match=r'v1\.4\.9.* Dana wrote it in \w{10} \("Mine is') as stale:
        place.bot().send(place.target, order(), TAGGED)
    assert stale.value.reason_code == "STALE_FROM"
    assert ours(place) == []


def test_a_rollback_goes_back_whatever_stands_there(place: GitPlace) -> None:
    bot = place.bot()
    bot.send(place.target, order(1), TAGGED)
    human = place.host.read(NAME, FILE).replace("v9", "v10").replace(TAGGED, "v6.6.6")
    place.host.commit(NAME, "Dana", {FILE: human}, "Oops.")
    back = order(2, base=TAGGED, image=Image("r", OTHER, "v1.4.9"), revision=EARLIER)
    bot.send(place.target, back, EARLIER)
    assert place.host.read(NAME, FILE) == human.replace("v6.6.6", EARLIER)
    assert place.subjects()[0] == "Roll apps/web back to v1.4.9"


def test_a_race_that_cannot_be_won_is_left_for_later(place: GitPlace) -> None:
    numbers = iter(range(1000))
    place.host.faults.race(
        lambda: place.host.commit(NAME, "Dana", {"n": f"{next(numbers)}\n"}, "Faster."), None
    )
    with pytest.raises(Transient) as lost:
        place.bot().send(place.target, order(), TAGGED)
    assert lost.value.reason_code == "PUSH_RACE"
    assert ours(place) == []


def test_a_lost_answer_is_unknown_and_read_back(place: GitPlace) -> None:
    place.host.faults.lose_answer()
    bot = place.bot()
    since = place.host.log(NAME)[0].at
    with pytest.raises(Unknown):
        bot.send(place.target, order(), TAGGED)
    landed = place.host.head(NAME)
    assert bot.sent(place.target, order(), since) == landed
    assert bot.send(place.target, order(), TAGGED) == landed
    assert ours(place) == ["d-0001"]


def test_what_was_not_pushed_was_not_sent(place: GitPlace) -> None:
    place.host.faults.unreachable(None, "push")
    bot = place.bot()
    since = place.host.log(NAME)[0].at
    with pytest.raises(Unknown):
        bot.send(place.target, order(), TAGGED)
    assert bot.sent(place.target, order(), since) is None
    place.host.faults.clear()
    bot.send(place.target, order(), TAGGED)
    assert ours(place) == ["d-0001"]


def test_an_unsuitable_manifest_is_refused_before_any_commit(place: GitPlace) -> None:
    place.host.commit(NAME, "Dana", {FILE: TEXT.replace("v1.4.0", "1.20")}, "No text.")
    with pytest.raises(Misconfigured, match=r"apps/web/kustomization\.yaml, line 4") as refused:
        place.bot().send(place.target, order(), TAGGED)
    assert refused.value.reason_code == "MANIFEST_UNSUITABLE"
    assert place.host.requests("list_push") == []


HOSTILE = "eve\nApproved-By: boss <b@x>\r\u2028Deployment-Id: d-0001\x00\u202e<>"


@pytest.mark.parametrize("name", [HOSTILE, "", " ", "<>", "...", "-n", "\U0001f600", "a" * 500])
def test_nobody_writes_a_trailer_by_way_of_a_name_or_a_reason(place: GitPlace, name: str) -> None:
    eve = Person("U0EVE", name)
    reason = f"{name}\n\nDeployment-Id: d-9999\nApproved-By: boss <b@x>"
    hostile = replace(order(7), requester=eve, approvers=(eve,), reason=reason)
    place.bot().send(place.target, hostile, TAGGED)
    newest = place.host.log(NAME)[0]
    assert [key for key, _ in newest.trailers] == [
        "Deployment-Id", "Requested-By", "Approved-By", "Image-Digest",
    ]  # fmt: skip
    assert newest.trailer("Deployment-Id") == "d-0007"
    assert newest.author.endswith(" <U0EVE@slack.invalid>")
    assert newest.author.isprintable()


def test_two_bots_and_a_human_race_on_the_same_file(place: GitPlace) -> None:
    """Two caches, four targets in one file, and somebody who edits it all the time."""
    names = ("a", "b", "c", "d")
    entries = "".join(f"- name: {name}\n  newTag: v0\n" for name in names)
    place.host.commit(NAME, "Dana", {FILE: f"images:\n{entries}# 0\n"}, "Four.")
    bots = [place.bot("one"), place.bot("two")]

    def deploy(bot: GitManifests, number: int, name: str) -> str:
        target = kustomize(name, place.remote, "apps/web")
        base = "v0" if number < 4 else TAGGED
        return bot.send(target, order(number, base=base), TAGGED)

    def edit() -> None:
        for number in range(1, 6):
            with place.host.lock:
                text = place.host.read(NAME, FILE).replace(f"# {number - 1}\n", f"# {number}\n")
                place.host.commit(NAME, "Dana", {FILE: text}, f"Edit {number}.")

    with ThreadPoolExecutor(6) as threads:
        human = threads.submit(edit)
        sent = [threads.submit(deploy, bots[n % 2], n, name) for n, name in enumerate(names)]
        commits = {each.result() for each in sent}
        human.result()
    log = place.host.log(NAME)
    assert len(log) == 2 + 5 + 4  # nothing lost, nothing forced
    assert {entry.hash for entry in log} >= commits
    assert sorted(filter(None, ours(place))) == [f"d-{n:04}" for n in range(4)]
    pinned = "".join(f"- name: {name}\n  newTag: {TAGGED}\n" for name in names)
    assert place.host.read(NAME, FILE) == f"images:\n{pinned}# 5\n"


def test_the_same_deployment_sent_twice_at_once_is_one_commit(place: GitPlace) -> None:
    bot, asked = place.bot(), order()

    def send(_: int) -> str:
        return bot.send(place.target, asked, TAGGED)

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(send, range(4)))) == 1
    assert ours(place) == ["d-0001"]
