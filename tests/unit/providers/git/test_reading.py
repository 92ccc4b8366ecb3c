"""What stands in git, how commits stand to each other, and who wrote what."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from bot.model.errors import AccessDenied, Misconfigured, QuarterdeckError, Throttled, Unreachable
from bot.model.places import Manifests
from bot.playground.git.program import git
from bot.providers.argocd.desired import Landed, Relation
from bot.providers.git.access import Environment
from bot.providers.git.fetches import SharedFetch
from bot.providers.git.program import Call, run
from tests.fakes.git_place import FILE, FOLDER, NAME, TEXT, GitPlace, order
from tests.fakes.manifests import IMAGE, TAGGED, kustomize

UNRELATED = "0123456789" * 4


def test_what_stands_there(place: GitPlace) -> None:
    bot = place.bot()
    first = bot.head(place.target)
    assert (first.commit, first.value, first.line) == (place.host.head(NAME), "v1.4.0", 4)
    assert first.image is None
    pinned = place.host.commit(NAME, "Dana", {FILE: TEXT.replace("v1.4.0", TAGGED)}, "Pin.")
    second = bot.head(place.target)
    assert (second.commit, second.value) == (pinned, TAGGED)
    assert second.image is not None
    assert (second.image.digest, second.image.ref) == (IMAGE.digest, "v1.5.0")


def test_content_comes_only_where_it_is_needed(place: GitPlace) -> None:
    place.host.commit(NAME, "Dana", {"big": "x" * 2_000_000}, "Big.")
    place.bot().head(place.target)
    clone = next((place.folder / "cache").glob("*.git"))
    assert sum(file.stat().st_size for file in clone.rglob("*.pack")) < 100_000


@pytest.mark.parametrize("filters", [True, False])
def test_history_before_the_clone_is_fetched_where_it_is_asked_for(
    place: GitPlace, *, filters: bool
) -> None:
    place.host.allow_filter(NAME, allowed=filters)
    old = place.bot("old").send(place.target, order(), TAGGED)
    since = place.host.log(NAME)[-1].at
    for number in range(5):
        place.host.commit(NAME, "Dana", {"n": f"{number}\n"}, f"{number}.")
    bot = place.bot("new")
    tip = bot.head(place.target)
    assert bot.sent(place.target, order(), since) == old
    again = place.bot("newest")
    assert again.relation(place.target, old, tip.commit, TAGGED) is Relation.CARRIES
    author = place.bot("yet another").changed_by(place.target, tip.commit)
    assert author is not None
    assert (author.name, author.commit) == ("alice", old)


def test_history_that_cannot_be_fetched_hides_no_commit(place: GitPlace) -> None:
    """A git that was killed leaves its lock; what is said not to have been sent is sent again."""
    since = place.host.log(NAME)[-1].at
    old = place.bot("old").send(place.target, order(), TAGGED)
    for number in range(3):
        place.host.commit(NAME, "Dana", {"n": f"{number}\n"}, f"{number}.")
    bot = place.bot("new")
    bot.head(place.target)
    next((place.folder / "new").glob("*.git")).joinpath("shallow.lock").touch()
    assert bot.sent(place.target, order(), since) == old


def test_how_a_commit_stands_to_ours(place: GitPlace) -> None:
    bot, first = place.bot(), place.host.head(NAME)
    ours = bot.send(place.target, order(), TAGGED)
    carries = place.host.commit(NAME, "Dana", {"other": "x\n"}, "Other.")
    changed = place.host.commit(NAME, "Dana", {FILE: TEXT.replace("v1.4.0", "v6")}, "Mine.")
    gone = place.host.commit(NAME, "Dana", {FILE: ""}, "Away.")
    beside = place.host.commit(NAME, "Erin", {FILE: TEXT}, "Beside.", branch="beside")
    relations = {
        ours: Relation.OURS,
        carries: Relation.CARRIES,
        changed: Relation.CHANGED,
        gone: Relation.CHANGED,
        first: Relation.WITHOUT,
        beside: Relation.WITHOUT,
        UNRELATED: Relation.UNKNOWN,
        "1.2.3": Relation.UNKNOWN,
        "--help": Relation.UNKNOWN,
    }
    for fresh in (bot, place.bot("another")):
        told = {each: fresh.relation(place.target, ours, each, TAGGED) for each in relations}
        assert told == relations
    before = len(place.host.requests())
    assert bot.relation(place.target, ours, carries, TAGGED) is Relation.CARRIES
    assert len(place.host.requests()) == before
    # What was merged under our name without our value is not ours.
    assert bot.relation(place.target, changed, changed, TAGGED) is Relation.CHANGED


def test_a_commit_far_above_ours_and_one_that_merged_it(place: GitPlace) -> None:
    bot, first = place.bot(), place.host.head(NAME)
    ours = bot.send(place.target, order(), TAGGED)
    repository = place.host.repository(NAME)
    tree, tip = repository.merged_tree(ours, ours), ours
    merge = repository.commit_tree(tree, [first, ours], "Dana", "Merge.")
    repository.move("merged", merge, "")
    stream = "".join(
        f"commit refs/heads/main\ncommitter x <x> {1_700_000_000 + n} +0000\ndata 1\n.\n"
        f"{f'from {tip}' if not n else ''}\n"
        for n in range(600)
    )
    git(place.host.folder(NAME), "fast-import", "--quiet", given=stream.encode())
    for fresh in (bot, place.bot("another")):
        far = fresh.head(place.target).commit
        assert fresh.relation(place.target, ours, far, TAGGED) is Relation.CARRIES
        assert fresh.relation(place.target, far, ours, TAGGED) is Relation.WITHOUT
        assert fresh.relation(place.target, ours, merge, TAGGED) is Relation.CARRIES


def test_a_clone_that_git_tidied_up_still_fetches_what_it_needs(place: GitPlace) -> None:
    """git does so by itself, started by a fetch: it is told that content is at the remote."""
    access = place.access()
    bot = place.bot()
    bot.head(place.target)
    clone = next((place.folder / "cache").glob("*.git"))
    environment = Environment(access, lambda _: access.token).remote(place.remote)
    text = TEXT.replace("v9", "v10")
    place.host.commit(NAME, "Dana", {FILE: text}, "Another database.")
    place.host.commit(NAME, "Dana", {FILE: f"{text}# new\n"}, "Say more.")
    bot.sent(place.target, order(), place.host.log(NAME)[0].at)
    run(Call((f"--git-dir={clone}", "gc", "--quiet", "--prune=now"), environment))
    commit = bot.send(place.target, order(), TAGGED)
    assert place.host.read(NAME, FILE, commit) == f"{text}# new\n".replace("v1.4.0", TAGGED)
    assert bot.head(place.target).commit == commit


def test_who_wrote_the_value(place: GitPlace) -> None:
    bot = place.bot()
    bot.head(place.target)
    wrote = place.host.commit(
        NAME, "Dana", {FILE: f"# new\n{TEXT.replace('v1.4.0', 'v2')}"}, "Two."
    )
    later = place.host.commit(NAME, "Erin", {FILE: f"# newer\n{TEXT.replace('v1.4.0', 'v2')}"}, "x")
    author = bot.changed_by(place.target, later)
    assert author is not None
    assert (author.name, author.commit, author.subject) == ("Dana", wrote, "Two.")
    assert bot.changed_by(place.target, UNRELATED) is None


def test_a_commit_has_landed_without_a_call(place: GitPlace) -> None:
    assert place.bot().landed(place.target, UNRELATED) == Landed(commit=UNRELATED)
    assert place.host.requests() == []


def wrong(place: GitPlace, **change: str) -> Manifests:
    return place.target.model_copy(update=change)


def test_what_is_not_there_is_said(place: GitPlace) -> None:
    bot = place.bot()
    for target, said in (
        (wrong(place, branch="release"), "no such branch"),
        (wrong(place, repository=place.remote.replace("acme", "nobody")), "is not there"),
        (wrong(place, path="apps/nothing"), "no file apps/nothing/kustomization.yaml"),
        (kustomize("nothing", place.remote, FOLDER), "line 3: .* there are web, db"),
    ):
        with pytest.raises(Misconfigured, match=said):
            bot.head(target)


def test_a_folder_and_a_link_are_no_files(place: GitPlace) -> None:
    place.host.commit(NAME, "Dana", {"odd/kustomization.yaml/x": "x\n"}, "A folder.")
    with pytest.raises(Misconfigured, match="is a folder and no file"):
        place.bot().head(wrong(place, path="odd"))


def test_a_file_that_is_too_large_is_refused(place: GitPlace) -> None:
    place.host.commit(NAME, "Dana", {FILE: TEXT + "#" * 1024 * 1024}, "Big.")
    with pytest.raises(Misconfigured, match="larger than 1 MiB"):
        place.bot().head(place.target)


def test_who_may_not_or_cannot_reach_it(place: GitPlace) -> None:
    faults = place.host.faults
    kinds: list[tuple[type[QuarterdeckError], object]] = [
        (AccessDenied, faults.deny),
        (AccessDenied, lambda: faults.answer(403, None)),
        (Throttled, lambda: faults.answer(429, None)),
        (Unreachable, lambda: faults.answer(503, None)),
        (Unreachable, faults.unreachable),
        (Misconfigured, lambda: faults.answer(301, None)),
    ]
    for cache in ("cold", "warm"):
        bot = place.bot(cache)
        if cache == "warm":
            bot.head(place.target)
        for kind, break_it in kinds:
            assert callable(break_it)
            break_it()
            with pytest.raises(QuarterdeckError) as fault:
                bot.head(place.target)
            assert type(fault.value) is kind
            assert place.host.token not in str(fault.value)
            faults.clear()
        assert bot.head(place.target).value == "v1.4.0"
    place.host.close()
    with pytest.raises(Unreachable):
        bot.head(place.target)


def test_no_token_and_a_wrong_one(place: GitPlace) -> None:
    for number, token in enumerate((None, "wrong-token")):
        with pytest.raises(AccessDenied, match="does not accept the credentials") as denied:
            place.bot(f"cache{number}", token=token).head(place.target)
        assert "GIT_TOKEN" in denied.value.hint
        assert "wrong-token" not in str(denied.value)


def destroy(clone: Path) -> None:
    shutil.rmtree(clone)


def empty_objects(clone: Path) -> None:
    shutil.rmtree(clone / "objects")
    (clone / "objects").mkdir()


def garble_packs(clone: Path) -> None:
    for pack in clone.rglob("*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(b"PACK nonsense")


def leave_locks(clone: Path) -> None:
    (clone / "shallow.lock").touch()
    (clone / "refs/remotes/origin").mkdir(parents=True, exist_ok=True)
    (clone / "refs/remotes/origin/main.lock").touch()


def forget_config(clone: Path) -> None:
    (clone / "config").write_text('[core]\n\tbare = true\n[remote "origin"]\n\turl = /etc\n')


def become_a_file(clone: Path) -> None:
    shutil.rmtree(clone)
    clone.write_text("not a clone")


def wrong_tip(clone: Path) -> None:
    (clone / "refs/remotes/origin/main").write_text(UNRELATED + "\n")


@pytest.mark.parametrize(
    "damage",
    [
        destroy,
        empty_objects,
        garble_packs,
        leave_locks,
        forget_config,
        become_a_file,
        wrong_tip,
    ],
)
@pytest.mark.parametrize("same_process", [True, False])
def test_a_broken_cache_is_made_anew(
    place: GitPlace, damage: object, *, same_process: bool
) -> None:
    bot = place.bot()
    bot.head(place.target)
    place.host.commit(NAME, "Dana", {"other": "x\n"}, "Other.")
    assert callable(damage)
    damage(next((place.folder / "cache").glob("*.git")))
    bot = bot if same_process else place.bot()
    bot.send(place.target, order(), TAGGED)
    assert place.subjects() == ["Deploy v1.5.0 to apps/web", "Other.", "Begin."]
    assert bot.head(place.target).value == TAGGED
    assert [each.name for each in (place.folder / "cache").iterdir() if each.name[0] == "."] == []


def test_a_clone_that_another_process_made_anew(place: GitPlace) -> None:
    """What was read from the old one is not in the new one, which begins with the newest commit."""
    bot = place.bot()
    first = bot.head(place.target)
    place.host.commit(NAME, "Dana", {"other": "x\n"}, "Other.")
    destroy(next((place.folder / "cache").glob("*.git")))
    place.bot().head(place.target)
    beside = place.host.commit(NAME, "Erin", {FILE: TEXT}, "Beside.", branch="beside")
    related = bot.relation(place.target, first.commit, beside, "v1.4.0")
    assert related is Relation.WITHOUT


def test_a_clone_with_a_setting_of_somebody_elses_is_made_anew(place: GitPlace) -> None:
    """git would push somewhere else, with our credentials."""
    other = place.host.create("acme/other", {FILE: TEXT})
    bot = place.bot()
    bot.head(place.target)
    with (next((place.folder / "cache").glob("*.git")) / "config").open("a") as config:
        config.write(f'[url "{other}"]\n\tinsteadOf = {place.remote}\n')
    bot.head(place.target)
    assert bot.send(place.target, order(), TAGGED) == place.host.head(NAME)


def test_a_cache_that_cannot_be_written_is_said(place: GitPlace) -> None:
    (place.folder / "file").write_text("no folder")
    with pytest.raises(QuarterdeckError, match="cannot be written") as fault:
        place.bot("file").head(place.target)
    assert "QUARTERDECK_CACHE" in fault.value.hint


def test_a_clone_is_nobody_elses_to_read(place: GitPlace) -> None:
    place.bot().head(place.target)
    assert (place.folder / "cache").stat().st_mode & 0o077 == 0
    for file in (place.folder / "cache").rglob("*"):
        if file.is_file():
            assert place.host.token.encode() not in file.read_bytes()


def test_many_callers_share_one_fetch(place: GitPlace) -> None:
    bot = place.bot()
    bot.head(place.target)
    before = len(place.host.requests("list_fetch"))
    place.host.faults.slow(0.3, 1, "list_fetch")
    with ThreadPoolExecutor(20) as threads:
        heads = list(threads.map(lambda _: bot.head(place.target), range(20)))
    assert len({head.commit for head in heads}) == 1
    assert len(place.host.requests("list_fetch")) - before <= 3


def test_an_answer_never_began_before_its_question() -> None:
    begun, go, answers = Event(), Event(), iter("abc")

    def fetch() -> str:
        answer = next(answers)
        begun.set()
        assert go.wait(20)
        return answer

    shared = SharedFetch(fetch)
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(shared)
        assert begun.wait(20)
        later = [threads.submit(shared) for _ in range(3)]
        go.set()
        assert first.result() == "a"
        assert {each.result() for each in later} <= {"b", "c"}


def test_a_fault_is_everybodys_and_the_next_fetch_is_made() -> None:
    outcomes: list[str | QuarterdeckError] = [Unreachable("No."), "a"]

    def fetch() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, QuarterdeckError):
            raise outcome
        return outcome

    shared = SharedFetch(fetch)
    with pytest.raises(Unreachable, match="No"):
        shared()
    assert shared() == "a"
