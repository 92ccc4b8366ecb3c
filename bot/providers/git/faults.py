"""What git says on its way out, as typed errors: what a remote refused, and what is not known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.model.errors import (
    AccessDenied,
    Misconfigured,
    QuarterdeckError,
    Terminal,
    Throttled,
    Transient,
    Unknown,
    Unreachable,
)
from bot.providers.git.program import GitFailed

PUSH_REFUSED = "PUSH_REFUSED"
_SHOWN = 300


class Broken(Exception):
    """The clone itself is of no use: it has to be made anew. Nothing was sent."""


class Raced(Exception):
    """Somebody else's push landed first; nothing of ours did."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What was asked of a remote. ``secrets`` are kept out of every message."""

    remote: str
    branch: str
    secrets: tuple[str, ...] = ()


Row = tuple[re.Pattern[str], type[QuarterdeckError], str, str]


def _rows(*rows: tuple[str, type[QuarterdeckError], str, str]) -> tuple[Row, ...]:
    return tuple((re.compile(words), kind, what, hint) for words, kind, what, hint in rows)


_RENEW = "Check GIT_TOKEN, the GitHub App or the deploy key: it may have expired or been revoked."
_GRANT = "The token, App or deploy key needs write access to the contents of that repository."
_FORBIDDEN = (
    r"(returned error:|HTTP) 403|Permission to .* denied|marked as read only"
    r"|[Ww]rite access to .* not granted|not allowed to push|insufficient permission"
)
_UNKNOWN_CALLER = (
    r"Authentication failed|could not read (Username|Password)|terminal prompts disabled"
    r"|(returned error:|HTTP) 401|Permission denied \(|Invalid username or"
)
_NOT_THERE = (
    r"repository .* not found|Repository not found|returned error: 404|HTTP 404"
    r"|does not appear to be a git repository|does not exist"
)
#: The first row that matches decides. ``{}`` is the remote.
_REFUSALS = _rows(
    (
        r"No space left on device|[Dd]isk quota exceeded",
        Transient,
        "The disk has no room left for the clone of {}.",
        "Make room where QUARTERDECK_CACHE is.",
    ),
    (
        r"Host key verification failed|No \S+ host key is known",
        Misconfigured,
        "The host key of {} is not known.",
        "Set GIT_SSH_KNOWN_HOSTS to a file that holds it.",
    ),
    (
        r"UNPROTECTED PRIVATE KEY|Load key .*: |Identity file .* not accessible",
        Misconfigured,
        "The SSH key for {} cannot be used.",
        "GIT_SSH_KEY names a private key without a passphrase that only the bot may read.",
    ),
    (
        r"(returned error:|HTTP) 429|rate limit",
        Throttled,
        "{} asked to be called less often.",
        "",
    ),
    (
        _FORBIDDEN,
        AccessDenied,
        "The credentials for {} may not do that.",
        _GRANT,
    ),
    (
        _UNKNOWN_CALLER,
        AccessDenied,
        "{} does not accept the credentials.",
        _RENEW,
    ),
    (
        r"(returned error:|HTTP) 30\d",
        Misconfigured,
        "{} has moved, and Quarterdeck follows no redirect with its credentials.",
        "Put the address it has now into the catalog; some hosts want .git at its end.",
    ),
    (
        r"couldn't find remote ref|Remote branch .* not found",
        Misconfigured,
        "{} has no such branch.",
        "Correct `branch` in the catalog.",
    ),
    (
        _NOT_THERE,
        Misconfigured,
        "{} is not there, or the credentials may not see it.",
        "Correct `repository` in the catalog, or give the token, App or deploy key access to it.",
    ),
    (
        r"SSL certificate|certificate verify|server certificate",
        Misconfigured,
        "The certificate of {} is not trusted.",
        "Let GIT_SSL_CAINFO name a file with the certificates to trust.",
    ),
)
_NO_ANSWER = re.compile(
    r"Could not resolve|Couldn't connect|Failed to connect|Connection (refused|reset|timed out)"
    r"|Empty reply|Recv failure|[Tt]imed? ?out|Network is unreachable|No route to host"
    r"|early EOF|RPC failed|hung up unexpectedly|unexpected disconnect|returned error: 5\d\d"
    r"|Operation too slow|Could not read from remote repository|Connection closed"
    r"|from promisor remote|unable to access"
)
#: What git says when it never came to send anything.
_NOTHING_SENT = re.compile(
    r"fatal: unable to access|Could not read from remote repository|Could not resolve"
    r"|does not appear to be a git|not a git repository|transport '.*' not allowed"
    r"|Failed to connect|terminal prompts disabled|Authentication failed|^fatal: repository .* not"
)
_FINAL_STATUS = re.compile(r"RPC failed; HTTP 4\d\d")
_STATUS = re.compile(
    r"^!\t[^\t]*\t\[(?P<who>rejected|remote rejected)\](?: \((?P<why>.*)\))?", re.MULTILINE
)
_RACE = re.compile(
    r"fetch first|non-fast-forward|stale info|failed to update ref|cannot lock ref"
    r"|failed to lock|incorrect old value|reference already exists"
)
_REMOTE_LINE = re.compile(r"^remote: ?(?:error: )?(?P<said>.*?)\s*$", re.MULTILINE)
_REPEATED = re.compile(r"^fatal: unable to access '[^']*': *", re.MULTILINE)
_LOCAL_SOURCE = re.compile(r"src refspec .* does not match|bad object|unable to read|corrupt")


def read_fault(failed: GitFailed, deed: Deed) -> QuarterdeckError | Broken:
    """Why a read failed. What is no remote's doing is ``Broken``."""
    if failed.code is None:
        return Unreachable(f"{deed.remote} did not answer in time.")
    refusal = _refusal(failed.said, deed)
    if refusal is not None:
        return refusal
    if _NO_ANSWER.search(failed.said):
        return Unreachable(f"{deed.remote} cannot be reached: {said(failed.said, deed.secrets)}")
    return Broken(said(failed.said, deed.secrets))


def push_fault(failed: GitFailed, deed: Deed) -> QuarterdeckError | Broken | Raced:
    """Why a push failed, and whether anything may have come of it."""
    status = _STATUS.search(failed.out)
    if status is not None:
        return _rejected(status["why"] or "", failed.said, deed)
    sent = not _NOTHING_SENT.search(failed.said) and not _FINAL_STATUS.search(failed.said)
    if failed.code is not None and not sent:
        return read_fault(failed, deed)
    if failed.code is not None and _LOCAL_SOURCE.search(failed.said):
        return Broken(said(failed.said, deed.secrets))
    what = "took too long" if failed.code is None else "got no answer"
    return Unknown(
        f"The push to {deed.branch} of {deed.remote} {what}: it may or may not have landed."
    )


def said(words: str, secrets: Iterable[str] = ()) -> str:
    """The end of what git said as one printable line, without a secret."""
    for secret in secrets:
        words = words.replace(secret, "***")
    words = _REPEATED.sub("", words)  # whoever tells this names the remote
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    lines = [line if line.endswith((".", ":", ";")) else f"{line};" for line in lines[-3:]]
    text = " ".join(lines).rstrip(";") or "it gave no reason"
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= _SHOWN else f"...{text[-_SHOWN:]}"


def _refusal(words: str, deed: Deed) -> QuarterdeckError | None:
    for pattern, kind, what, hint in _REFUSALS:
        if pattern.search(words):
            return kind(what.format(deed.remote), hint=hint)
    return None


def _rejected(why: str, words: str, deed: Deed) -> QuarterdeckError | Raced:
    if _RACE.search(why):
        return Raced(why)
    lines = [each["said"] for each in _REMOTE_LINE.finditer(words) if each["said"]]
    reason = said("\n".join(lines) or why, deed.secrets)
    if "unpacker error" in why or "internal" in why.lower():
        return Transient(f"{deed.remote} could not take the push: {reason}")
    kind = AccessDenied if "hook declined" in why or lines else Terminal
    return kind(
        f"The push to {deed.branch} of {deed.remote} was refused: {reason}",
        reason_code=PUSH_REFUSED,
        hint="Let Quarterdeck push to that branch, or set `delivery: pull_request`.",
    )
