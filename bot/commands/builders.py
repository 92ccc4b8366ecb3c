"""From a sorted line to the typed command: one small function each, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.commands import model, values
from bot.commands.grammar import COMMANDS, by_verb
from bot.commands.line import Line, nearest
from bot.commands.mistakes import Mistake, mistake
from bot.commands.names import (
    find_either,
    find_environment,
    find_service,
    find_services,
    find_target,
)
from bot.commands.sentence import environment_of, place, without_fillers
from bot.commands.tokens import Phrase, Token
from bot.model.canary import Act
from bot.model.wording import plain, quoted

MAX_AUDIT_ROWS = 50
#: The last is how our own hints show an asterisk where mrkdwn would take it for bold.
_EVERY_SERVICE = {"*", "all", plain("*")}


def _deploy(line: Line) -> model.Command:
    if not line.positions and not line.options:
        return model.OpenDeployForm()
    places = place(line)
    word = environment_of(line, places)
    if places.service is None:
        raise line.missing("The service")
    services = find_services(line, places.service)
    environment = find_environment(line, word)
    reason = _reason(line)
    if line.has("--override-freeze") and not reason:
        raise mistake(
            Mistake.OVERRIDE_NEEDS_REASON,
            "Overriding a freeze needs a reason.",
            "Add --reason and why it cannot wait; it is kept in the audit trail.",
        )
    version = line.single(places.version).text if places.version is not None else "latest"
    return model.Deploy(
        tuple(find_target(line, service, environment) for service in services),
        _deployable(values.read_version(version)),
        reason,
        dry_run=line.has("--dry-run"),
        override_freeze=line.has("--override-freeze"),
        canary=_strategy(line),
    )


def _strategy(line: Line) -> bool | None:
    if line.has("--canary") and line.has("--rolling"):
        raise mistake(
            Mistake.USAGE,
            "--canary and --rolling exclude each other.",
            "--canary takes over by steps, --rolling replaces everything at once.",
        )
    return line.has("--canary") or (False if line.has("--rolling") else None)


_ACTS = {"promote": Act.PROMOTE, "hold": Act.HOLD, "abort": Act.ABORT}


def _canary(line: Line) -> model.Command:
    words = _plain_words(line).at_most(3)
    acts = [word for word in words if word.text.casefold() in {*_ACTS, "status"}]
    places = [word for word in words if word not in acts]
    if len(acts) > 1:
        raise line.too_many(Phrase((acts[1],)))
    service, environment = _target_words(line, places)
    target = find_target(line, find_service(line, service), find_environment(line, environment))
    asked = acts[0].text.casefold() if acts else ""
    if asked == "status":
        return model.ShowCanary(target)
    if not asked:
        raise line.missing("What to do with it", "promote, hold, abort or status.")
    act = _ACTS[asked]
    if line.has("--full") and act is not Act.PROMOTE:
        raise mistake(
            Mistake.USAGE, f"--full belongs to promote, not to {asked}.", "Leave it away."
        )
    return model.Conduct(
        Act.PROMOTE_FULLY if line.has("--full") else act, target, reason=_reason(line)
    )


def _target_words(line: Line, words: Sequence[Token]) -> tuple[Token, Token]:
    if len(words) < 2:  # noqa: PLR2004 - a service and an environment
        raise line.missing("The environment" if words else "The service", "None is assumed.")
    if len(words) > 2:  # noqa: PLR2004
        guess = nearest(words[2].text, [*_ACTS, "status"])
        raise mistake(
            Mistake.UNKNOWN_COMMAND,
            f"{quoted(words[2].text)} is nothing that can be asked of a canary.",
            f"{f'Did you mean {guess}? ' if guess else ''}promote, hold, abort or status.",
            line.corrected(words[2], guess),
        )
    return words[0], words[1]


def _deployable(version: str) -> str:
    if version != "previous":
        return version
    raise mistake(
        Mistake.BAD_VERSION,
        "“previous” is where a rollback goes, not a version to deploy.",
        "For that there is /rollback; to deploy, name a version.",
    )


def _roll_back(line: Line) -> model.Command:
    if not line.positions and not line.options:
        return model.OpenRollbackForm()
    places = place(line)
    word = environment_of(line, places)
    if places.service is None:
        raise line.missing("The service")
    service = find_service(line, line.single(places.service))
    target = find_target(line, service, find_environment(line, word))
    to = line.single(places.version).text if places.version is not None else "previous"
    to = values.read_id(to) if values.looks_like_id(to) else values.read_version(to)
    return model.Rollback(target, to, _reason(line))


def _status(line: Line) -> model.Command:
    return model.ShowStatus(*_either(line))


def _history(line: Line) -> model.Command:
    return model.ShowHistory(*_either(line))


def _queue(line: Line) -> model.Command:
    line.at_most(0)
    return model.ShowQueue()


def _locks(line: Line) -> model.Command:
    line.at_most(0)
    return model.ShowLocks()


def _whoami(line: Line) -> model.Command:
    line.at_most(0)
    return model.ShowWhoAmI()


def _show(line: Line) -> model.Command:
    return model.ShowDeployment(_id(line))


def _why(line: Line) -> model.Command:
    words = _plain_words(line).at_most(2)
    if len(words) == 1 and values.looks_like_id(words[0].text):
        return model.ExplainDeployment(values.read_id(words[0].text))
    if not words:
        raise line.missing("The id, or a service and an environment,")
    service, environment = find_either(line, words)
    if service is None or environment is None:
        raise line.missing("The environment" if environment is None else "The service")
    return model.ExplainTarget(find_target(line, service, environment))


def _cancel(line: Line) -> model.Command:
    return model.Cancel(_id(line), line.has("--roll-back"), _reason(line))


def _retry(line: Line) -> model.Command:
    return model.Retry(_id(line), _reason(line))


def _approve(line: Line) -> model.Command:
    return model.Approve(_id(line))


def _reject(line: Line) -> model.Command:
    return model.Reject(_id(line), _reason(line))


def _lock(line: Line) -> model.Command:
    service, environment = _scope(line)
    duration = line.options.get("--for")
    return model.LockTarget(
        service,
        environment,
        values.read_duration(duration.text) if duration is not None else None,
        _reason(line),
    )


def _unlock(line: Line) -> model.Command:
    return model.UnlockTarget(*_scope(line), _reason(line))


def _freeze(line: Line) -> model.Command:
    environment = _environment(line)
    since = _since(line)
    return model.DeclareFreeze(environment, since, _until(line, since), _reason(line))


def _unfreeze(line: Line) -> model.Command:
    return model.LiftFreeze(_environment(line), _reason(line))


def _pause(line: Line) -> model.Command:
    line.at_most(0)
    return model.PauseAll(_reason(line))


def _resume(line: Line) -> model.Command:
    line.at_most(0)
    return model.ResumeAll(_reason(line))


def _audit(line: Line) -> model.Command:
    service, environment = _either(line)
    given = {name: word.text for name, word in line.options.items()}
    return model.ShowAudit(
        service,
        environment,
        person_id=values.read_person(given["--by"]) if "--by" in given else None,
        deployment_id=values.read_id(given["--id"]) if "--id" in given else None,
        action=values.read_action(given["--action"]) if "--action" in given else None,
        limit=values.read_limit(given.get("--limit", "10"), MAX_AUDIT_ROWS),
    )


def _help(line: Line) -> model.Command:
    words = line.at_most(1)
    if not words:
        return model.ShowHelp()
    spec = by_verb(words[0].text.removeprefix("/"))
    if spec is not None:
        return model.ShowHelp(spec.name)
    guess = nearest(words[0].text, [each.name for each in COMMANDS])
    raise mistake(
        Mistake.UNKNOWN_COMMAND,
        f"There is no command {quoted(words[0].text)}.",
        f"{f'Did you mean {guess}? ' if guess else ''}/deploy help lists them all.",
        line.corrected(words[0], guess),
    )


#: Every command of the grammar; a test holds the two tables to each other.
BUILDERS: Mapping[str, Callable[[Line], model.Command]] = {
    "deploy": _deploy,
    "rollback": _roll_back,
    "canary": _canary,
    "status": _status,
    "queue": _queue,
    "history": _history,
    "show": _show,
    "why": _why,
    "cancel": _cancel,
    "retry": _retry,
    "approve": _approve,
    "reject": _reject,
    "lock": _lock,
    "unlock": _unlock,
    "locks": _locks,
    "freeze": _freeze,
    "unfreeze": _unfreeze,
    "pause-all": _pause,
    "resume-all": _resume,
    "whoami": _whoami,
    "audit": _audit,
    "help": _help,
}


def _plain_words(line: Line) -> Line:
    return replace(line, positions=without_fillers(line.positions))


def _either(line: Line) -> tuple[str | None, str | None]:
    return find_either(line, _plain_words(line).at_most(2))


def _id(line: Line) -> str:
    words = line.at_most(1)
    if not words:
        raise line.missing("The deployment's id")
    return values.read_id(words[0].text)


def _environment(line: Line) -> str:
    words = _plain_words(line).at_most(1)
    if not words:
        raise line.missing("The environment", "None is assumed.")
    return find_environment(line, words[0])


def _scope(line: Line) -> tuple[str, str]:
    """Service, or ``*`` for all, and environment."""
    words = _plain_words(line).at_most(2)
    if not words[1:]:
        raise line.missing("The environment" if words else "The service", "None is assumed.")
    service, environment = words
    if service.text.casefold() in _EVERY_SERVICE:
        return "*", find_environment(line, environment)
    name = find_service(line, service)
    find_target(line, name, found := find_environment(line, environment))
    return name, found


def _reason(line: Line) -> str:
    given = line.options.get("--reason")
    return values.read_reason(given.text) if given is not None else ""


def _since(line: Line) -> datetime | None:
    given = line.options.get("--from")
    if given is None:
        return None
    return _ahead(line, given, values.read_time(given.text, line.now, line.now), line.now)


def _until(line: Line, since: datetime | None) -> datetime | None:
    until, duration = line.options.get("--until"), line.options.get("--for")
    begins = since or line.now
    if until is not None and duration is not None:
        raise mistake(
            Mistake.USAGE, "--until and --for both say when it ends.", "Give one of the two."
        )
    if duration is not None:
        return begins + values.read_duration(duration.text)
    if until is None:
        return None
    return _ahead(line, until, values.read_time(until.text, line.now, begins), begins)


def _ahead(line: Line, given: Token, found: datetime, after: datetime) -> datetime:
    """``found``, where it is later than ``after`` and within a year of now."""
    if after < found <= line.now + values.MAX_AHEAD:
        return found
    place = "before" if found <= after else "more than a year after"
    raise mistake(
        Mistake.BAD_TIME,
        f"{quoted(given.text)} ({found:%Y-%m-%d %H:%M} UTC) is {place} "
        f"{after if found <= after else line.now:%Y-%m-%d %H:%M} UTC.",
        "A freeze begins now or later and ends after its beginning, within a year.",
    )
