"""Whether Argo CD begins a sync by itself. Follows ``autoSync`` and ``alreadyAttemptedSync``."""

from __future__ import annotations

from dataclasses import dataclass

from bot.playground.kube.argocd.comparing import Comparison
from bot.playground.kube.argocd.projects import sources_of
from bot.playground.kube.resources import Json

RETRIES = 5  # of a sync that Argo CD began by itself, unless the Application says otherwise


@dataclass(frozen=True, slots=True)
class Decision:
    """An operation to begin, a SyncError to show, or seconds to wait before looking again."""

    operation: Json | None = None
    error: str = ""
    wait: float | None = None


def turned_on(before: Json, after: Json) -> bool:
    """Whether auto-sync or self-heal is on now and was not."""

    def modes(app: Json) -> tuple[bool, bool]:
        policy = (app["spec"].get("syncPolicy") or {}).get("automated")
        on = policy is not None and policy.get("enabled") is not False
        return on, on and bool((policy or {}).get("selfHeal"))

    return any(new and not old for old, new in zip(modes(before), modes(after), strict=True))


def decide(app: Json, found: Comparison, self_heal_in: float | None) -> Decision:
    """What follows from a comparison; ``self_heal_in`` is how long self-heal has to wait still.

    The same commit and sources are synced once: not again where that failed, and where it did not,
    only by self-heal.
    """
    policy = (app["spec"].get("syncPolicy") or {}).get("automated")
    if policy is None or policy.get("enabled") is False or "operation" in app:
        return Decision()
    if found.status != "OutOfSync" or _only_prune_is_left(policy, found):
        return Decision()
    attempted, phase = _attempted(app, found)
    if attempted and phase != "Succeeded":
        message = app["status"]["operationState"].get("message", "")
        return Decision(error=f"Failed sync attempt to {', '.join(found.commits)}: {message}")
    if attempted and not policy.get("selfHeal", False):
        return Decision()
    return _begun(app, policy, found, (self_heal_in or 0.0) if attempted else None)


def _begun(app: Json, policy: Json, found: Comparison, heals_in: float | None) -> Decision:
    if heals_in is not None and heals_in > 0:
        return Decision(wait=heals_in)
    if policy.get("prune") and not policy.get("allowEmpty") and _would_wipe_out(found):
        target = ", ".join(found.commits)
        text = f"Skipping sync attempt to {target}: auto-sync will wipe out all resources"
        return Decision(error=text)
    return Decision(_operation(app, policy, found, healing=heals_in is not None))


def _operation(app: Json, policy: Json, found: Comparison, *, healing: bool) -> Json:
    sync: Json = {}
    if "sources" in app["spec"]:
        sync["revisions"] = found.commits
    else:
        sync["revision"] = found.commits[0]
    if policy.get("prune"):
        sync["prune"] = True
    options = app["spec"]["syncPolicy"].get("syncOptions")
    if options:
        sync["syncOptions"] = options
    if healing:
        before = app["status"]["operationState"]["operation"].get("sync", {})
        sync["autoHealAttemptsCount"] = before.get("autoHealAttemptsCount", 0) + 1
        sync["resources"] = [
            {key: each[key] for key in ("group", "kind", "name") if key in each}
            for each in found.resources
            if each["status"] != "Synced"
        ]
    retry = app["spec"]["syncPolicy"].get("retry") or {"limit": RETRIES}
    return {"sync": sync, "initiatedBy": {"automated": True}, "retry": retry}


def _attempted(app: Json, found: Comparison) -> tuple[bool, str]:
    state = app.get("status", {}).get("operationState")
    if not state or "sync" not in state["operation"] or "syncResult" not in state:
        return False, ""
    result = state["syncResult"]
    commits = result.get("revisions") or [result.get("revision")]
    same = commits == found.commits and sources_of(result) == sources_of(app["spec"])
    return same, state["phase"] if same else ""


def _only_prune_is_left(policy: Json, found: Comparison) -> bool:
    if policy.get("prune"):
        return False
    return all(r["status"] == "Synced" or r.get("requiresPruning") for r in found.resources)


def _would_wipe_out(found: Comparison) -> bool:
    return all(each.get("requiresPruning") for each in found.resources)
