"""The grammar: one table from which the parser, the help, the manifest and the README are made.

What is not in this table cannot be typed, and what is in it is built. Tests hold every reader of
the table to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DEPLOY = "/deploy"
CANARY = "/canary"
ROLLBACK = "/rollback"


class Takes(StrEnum):
    """What follows an option. ``TEXT`` without quotes reaches to the next option or the end."""

    NOTHING = "nothing"
    WORD = "word"
    DURATION = "duration"
    TIME = "time"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Option:
    """One option; ``name`` has its dashes, ``metavar`` is what the help shows for its value."""

    name: str
    summary: str
    takes: Takes = Takes.NOTHING
    metavar: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """``[--for 2h]``."""
        return f"[{self.name}{' ' + self.metavar if self.metavar else ''}]"


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command. ``verb`` is empty for the one that its slash command is named after.

    ``arguments`` is the usage of the positional words, as the help shows it. ``examples`` are
    whole commands, and a test parses each of them.
    """

    slash: str
    verb: str
    arguments: str
    summary: str
    details: str
    examples: tuple[str, ...]
    options: tuple[Option, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What ``help`` calls it: the verb, or ``deploy``, ``canary``, ``rollback``."""
        return self.verb or self.slash.removeprefix("/")

    @property
    def usage(self) -> str:
        """``/deploy lock <service|*> <environment> [--for <duration>] [--reason <text>]``."""
        options = [option.usage for option in self.options]
        return " ".join(filter(None, [self.slash, self.verb, self.arguments, *options]))


_REASON = Option(
    "--reason", "why; shown on the card and kept in the audit trail", Takes.TEXT, "<text>",
    aliases=("--because", "--message"),
)  # fmt: skip
_FOR = Option(
    "--for", "how long: 30m, 2h, 1d; at most 30 days", Takes.DURATION, "<duration>",
)  # fmt: skip

COMMANDS: tuple[CommandSpec, ...] = (
    CommandSpec(
        DEPLOY,
        "",
        "<service>[,<service>] <environment> [version]",
        "Deploy a version; alone it opens a form.",
        "The version is a tag, a commit sha, a digest or `latest`, which is the default. It is"
        " pinned to an image digest at once: what is approved is what runs. The environment is"
        " never guessed. Up to 20 services, each a deployment of its own.",
        (
            "/deploy backend staging",
            "/deploy backend,analytics production v1.4.2 --reason checkout fix",
            "/deploy v1.4.2 of backend to staging --dry-run",
            "/deploy backend production --canary",
        ),
        (
            Option("--dry-run", "show what would change; change nothing", aliases=("--dryrun",)),
            _REASON,
            Option(
                "--canary",
                "take over by steps, each judged against what runs; needs a plan in the catalog",
            ),
            Option("--rolling", "replace everything at once, though the catalog says otherwise"),
            Option(
                "--override-freeze",
                "deploy in a freeze; incident responders only, with a reason",
                aliases=("--ignore-freeze",),
            ),
        ),
    ),
    CommandSpec(
        CANARY,
        "",
        "<service> <environment> promote|hold|abort|status",
        "Bring a running canary on, hold it, take it back, or see how it stands.",
        "`promote` goes to the next step without waiting for the verdict, and with `--full`"
        " straight to the whole traffic. `hold` keeps it where it is, and once more by the same"
        " person lets it go on; all the while it is judged, and taken back if it is worse. `abort`"
        " sends all traffic to the stable version. `/deploy ... --canary` starts a canary.",
        (
            "/canary backend production status",
            "/canary backend production promote",
            "/canary backend production abort --reason complaints from customers",
        ),
        (
            Option("--full", "promote to the whole traffic at once", aliases=("--fully",)),
            _REASON,
        ),
    ),
    CommandSpec(
        ROLLBACK,
        "",
        "<service> <environment> [<id>|<version>|previous]",
        "Go back to a version that ran well; alone it opens a form with the last five.",
        "Without a version it is the previous known-good one. A rollback waits for no approval,"
        " lock, freeze or pause, and is in the audit trail like everything else. Afterwards the"
        " target is locked, so that nothing ships the bad version again.",
        (
            "/rollback backend production",
            "/rollback backend production v1.4.1 --reason errors since the release",
            "/rollback backend production backend-production-142",
        ),
        (_REASON,),
    ),
    CommandSpec(
        DEPLOY, "status", "[service] [environment]", "What runs where, and what holds it.",
        "Version, age, drift, running deployments, locks and freezes.",
        ("/deploy status", "/deploy status backend", "/deploy status production"),
    ),
    CommandSpec(
        DEPLOY, "queue", "", "What waits for an approval or its turn, and what runs.",
        "In the order in which they get their turn.", ("/deploy queue",),
    ),
    CommandSpec(
        DEPLOY, "history", "[service] [environment]", "Past deployments, newest first.",
        "With who asked, when, and how it ended.",
        ("/deploy history backend production",), aliases=("log",),
    ),
    CommandSpec(
        DEPLOY, "show", "<id>", "One deployment in full, with its audit trail.",
        "An id is on every card.", ("/deploy show backend-staging-142",),
    ),
    CommandSpec(
        DEPLOY, "why", "<id>|<service> <environment>",
        "Why a deployment was refused or waits, or what one would meet now.",
        "Each rule that spoke, with its reason code, what it means and what to do.",
        ("/deploy why backend-staging-142", "/deploy why backend production"),
    ),
    CommandSpec(
        DEPLOY, "cancel", "<id>", "Cancel a deployment.",
        "One that has not started is simply ended. One that runs is only cancelled together with"
        " a rollback, so that the target is left with one version.",
        (
            "/deploy cancel backend-staging-142",
            "/deploy cancel backend-staging-142 --roll-back --reason wrong version",
        ),
        (
            Option(
                "--roll-back", "stop a running one and go back to what ran before",
                aliases=("--rollback",),
            ),
            _REASON,
        ),
    ),
    CommandSpec(
        DEPLOY, "retry", "<id>", "Ask again for the same image.",
        "A new deployment with an id of its own; every rule and approval applies to it anew.",
        ("/deploy retry backend-staging-142",), (_REASON,),
    ),
    CommandSpec(
        DEPLOY, "approve", "<id>", "Approve a deployment that waits for it.",
        "The approval is bound to the image digest. Nobody approves their own request unless the"
        " policy says so.",
        ("/deploy approve backend-production-143",),
    ),
    CommandSpec(
        DEPLOY, "reject", "<id>", "Reject a deployment that waits for approval.",
        "One rejection ends the request.",
        ("/deploy reject backend-production-143 --reason wait for the migration",), (_REASON,),
    ),
    CommandSpec(
        DEPLOY, "lock", "<service|*> <environment>", "Let nobody else deploy there.",
        "You may still deploy through your own lock, and rollbacks pass every lock. `*` locks"
        " the whole environment. Without `--for` it holds until it is released.",
        (
            "/deploy lock backend production --for 2h --reason load test",
            "/deploy lock * staging --reason database upgrade",
        ),
        (_FOR, _REASON),
    ),
    CommandSpec(
        DEPLOY, "unlock", "<service|*> <environment>", "Release a lock.",
        "Your own, or, as approver or incident responder, anybody's.",
        ("/deploy unlock backend production",), (_REASON,),
    ),
    CommandSpec(
        DEPLOY, "locks", "", "Every lock, freeze and pause in force.",
        "With owner, reason and end.", ("/deploy locks",),
    ),
    CommandSpec(
        DEPLOY, "freeze", "<environment>", "Let nobody deploy to an environment for a while.",
        "For approvers and incident responders. Times are ISO (`2026-12-24T18:00+01:00`) or a"
        " clock time (`14:00`, `tomorrow 14:00`), in UTC where no offset is given; a clock time"
        " alone is its next occurrence. Without `--from` it begins now; without an end it lasts"
        " until `unfreeze`.",
        (
            "/deploy freeze production --for 4h --reason release party",
            "/deploy freeze production --from 18:00 --until tomorrow 08:00 --reason sale",
        ),
        (
            Option("--from", "when it begins", Takes.TIME, "<time>", ("--since", "--start")),
            Option("--until", "when it ends", Takes.TIME, "<time>", ("--to", "--end")),
            _FOR,
            _REASON,
        ),
    ),
    CommandSpec(
        DEPLOY, "unfreeze", "<environment>", "End a freeze that was declared from chat.",
        "Freeze windows of the catalog end by themselves.",
        ("/deploy unfreeze production",), (_REASON,),
    ),
    CommandSpec(
        DEPLOY, "pause-all", "", "Start nothing any more, anywhere, but rollbacks.",
        "For approvers and incident responders. What runs already goes on.",
        ("/deploy pause-all --reason incident 42",), (_REASON,), ("pause", "pauseall"),
    ),
    CommandSpec(
        DEPLOY, "resume-all", "", "End the pause.",
        "What was queued starts in its order, after the rules were asked again.",
        ("/deploy resume-all",), (_REASON,), ("resume", "resumeall"),
    ),
    CommandSpec(
        DEPLOY, "whoami", "", "What Quarterdeck knows about you, and what you may do where.",
        "Your groups as Slack names them now.", ("/deploy whoami",),
    ),
    CommandSpec(
        DEPLOY, "audit", "[service] [environment]", "Search the audit trail, newest first.",
        "Filters are combined. `--action` is the beginning of an action's name.",
        (
            "/deploy audit backend production --limit 20",
            "/deploy audit --id backend-production-143",
            "/deploy audit --action vote",
        ),
        (
            Option("--by", "whose actions", Takes.WORD, "<@user>", ("--who", "--user")),
            Option("--id", "one deployment's", Takes.WORD, "<id>", ("--deployment",)),
            Option("--action", "such as deploy, vote or target.lock", Takes.WORD, "<prefix>"),
            Option("--limit", "how many rows: 1 to 50, 10 unless told", Takes.WORD, "<n>"),
        ),
    ),
    CommandSpec(
        DEPLOY, "help", "[command]", "This list, or one command in full.",
        "Every command works after a mention too: `@quarterdeck deploy backend staging`.",
        ("/deploy help", "/deploy help freeze"), aliases=("?",),
    ),
)  # fmt: skip

SLASHES: tuple[str, ...] = tuple(dict.fromkeys(spec.slash for spec in COMMANDS))

#: Small words of a sentence. They tell the parser which word is which.
FILLERS = frozenset({"to", "of", "on", "in"})

#: Words the grammar gives a meaning to. A catalog must not use one as a name or an alias.
RESERVED: frozenset[str] = (
    frozenset(word for spec in COMMANDS for word in (spec.name, *spec.aliases))
    | FILLERS
    | {"promote", "hold", "abort"}
    | {"latest", "previous", "all", "today", "tomorrow"}
)


def by_verb(word: str) -> CommandSpec | None:
    """The command of that verb or alias, whatever its case; ``deploy`` and ``rollback`` too."""
    wanted = word.casefold()
    return next((spec for spec in COMMANDS if wanted in (spec.name, *spec.aliases)), None)


def by_slash(slash: str) -> CommandSpec:
    """The command a slash command is named after. ``KeyError`` for one that does not exist."""
    return {spec.slash: spec for spec in COMMANDS if not spec.verb}[slash]


def verbs(slash: str) -> tuple[str, ...]:
    """The verbs of one slash command, in the table's order."""
    return tuple(spec.verb for spec in COMMANDS if spec.slash == slash and spec.verb)


def usage_hint(slash: str) -> str:
    """What Slack shows while somebody types the slash command."""
    return " | ".join(filter(None, [by_slash(slash).arguments, *verbs(slash)]))
