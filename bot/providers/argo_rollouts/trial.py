"""Bringing a canary on: from one step of its Rollout to the next, and to the whole of it.

The Rollout pauses at each step until somebody promotes it. Where it is at another one than was
aimed at, somebody else did; that is told, and never counted as ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bot.model.canary import Stand
from bot.model.canary_plan import in_percent
from bot.model.rollout import End, Observation
from bot.providers.argo_rollouts.commits import Commits
from bot.providers.argo_rollouts.controls import Controls
from bot.providers.argo_rollouts.errands import Errand, Move
from bot.providers.argo_rollouts.fitness import IMPOSSIBLE, misplaced
from bot.providers.argo_rollouts.scene import Scene, percent, rolls, stands
from bot.providers.argo_rollouts.views import INCONCLUSIVE

#: Why the canary's pods do not run, one line each; nothing where they do.
Reasons = Callable[[Errand, Scene], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Trial:
    """Steps toward a share, and toward everything."""

    controls: Controls
    commits: Commits
    reasons: Reasons

    def share(self, scene: Scene, errand: Errand) -> Move:
        """Toward ``Goal.SHARE``."""
        if self.commits.brought(errand) is None:
            return self._unbegun(scene, errand)
        if scene.taken_over:
            said = (
                f"Somebody promoted the Rollout {scene.name} fully: all of it is the new version."
            )
            return Move(stands(scene, foreign=said))
        if not scene.on_trial:
            return self._awaited(scene, errand)
        if (ended := self._ended(scene, errand)) is not None:
            return Move(ended)
        foreign, blocked = next(_foreign(scene, errand), ""), _held(scene, errand)
        if foreign or blocked:
            return Move(stands(scene, foreign=foreign, blocked=blocked))
        return self._onward(scene, errand)

    def everything(self, scene: Scene, errand: Errand) -> Move:
        """Toward ``Goal.EVERYTHING``."""
        if self.commits.brought(errand) is None:
            return self._unbegun(scene, errand)
        if scene.taken_over:
            return self._over(scene, errand)
        if not scene.on_trial:
            return self._awaited(scene, errand)
        if (ended := self._ended(scene, errand)) is not None:
            return Move(ended)
        if blocked := _held(scene, errand):
            return Move(stands(scene, blocked=blocked))
        return self._to_the_end(scene, errand)

    # --- before it began, and after it ended ---------------------------------------------------

    def _unbegun(self, scene: Scene, errand: Errand) -> Move:
        """Nothing is in git yet: it is written there, where a canary can come of that."""
        version = errand.order.image.name
        if scene.stable in scene.ours:
            said = f"The Rollout {scene.name} runs {version} already: there is nothing to try."
            return Move(stands(scene, end=End.FAILED, said=said, code=IMPOSSIBLE))
        if scene.view.rewinds and scene.ours:
            said = (
                f"The Rollout {scene.name} ran {version} before, and its rollbackWindow lets an "
                "earlier version leave out all steps: it would take over unjudged."
            )
            return Move(stands(scene, end=End.FAILED, said=said, code=IMPOSSIBLE))
        if not scene.view.promoted:
            said = f"Somebody else rolls the Rollout {scene.name} to {rolls(scene)} now."
            return Move(stands(scene, foreign=said))
        doing, arms = "its version is written into git", scene.arms_with("")
        return Move(stands(scene, doing=doing, arms=arms), lambda: self.commits.bring(errand))

    def _awaited(self, scene: Scene, errand: Errand) -> Move:
        """It is in git, and the Rollout is not told to run it: not yet, or not any more."""
        seen = self.commits.follow(errand)
        if seen is not None and seen.end not in {None, End.SUCCEEDED}:
            return Move(_as_argo_cd_says(scene, seen))
        if errand.aim.before > 0 and scene.view.seen:
            said = (
                f"Git says {errand.order.image.name}, but somebody changed the Rollout "
                f"{scene.name} by hand: it is to run {rolls(scene)}."
            )
            return Move(stands(scene, foreign=said))
        waits = "Argo CD brings its version to the cluster"
        return Move(stands(scene, doing=waits, said=seen.explanation if seen else ""))

    def _over(self, scene: Scene, errand: Errand) -> Move:
        """All steps are behind it. What counts is that it stays so, and that Argo CD agrees."""
        seen = self.commits.follow(errand)
        progress = scene.view.progress
        if seen is not None and seen.end is End.SUCCEEDED:
            if progress.phase == "Healthy" and scene.view.seen:
                return Move(stands(scene, reached=True, share=0.0))
            return Move(stands(scene, doing=_rollout_says(scene)))
        if seen is not None and seen.end is not None:
            return Move(_as_argo_cd_says(scene, seen))
        said = seen.explanation if seen is not None else ""
        doing = f"the new version settles: {_rollout_says(scene)}"
        return Move(stands(scene, doing=doing, said=said))

    def _ended(self, scene: Scene, errand: Errand) -> Stand | None:
        """How the trial ended by itself, or by somebody's hand."""
        progress = scene.view.progress
        if progress.aborted:
            said = (
                f"The Rollout {scene.name} was aborted, and not by Quarterdeck. {progress.message}"
            )
            return stands(scene, end=End.ROLLED_BACK, said=said.strip())
        if progress.phase == "Degraded" and scene.view.seen and not scene.view.unpausing:
            reasons = self.reasons(errand, scene)
            said = "; ".join(
                (f"The Rollout {scene.name} is Degraded: {progress.message}", *reasons)
            )
            return stands(scene, end=End.FAILED, said=said, code="DEGRADED", events=reasons)
        seen = self.commits.follow(errand)
        if seen is not None and seen.end is End.SUPERSEDED:
            return _as_argo_cd_says(scene, seen)
        return None

    # --- one step on -----------------------------------------------------------------------------

    def _onward(self, scene: Scene, errand: Errand) -> Move:
        view, share = scene.view, errand.aim.share
        if not view.seen or view.unpausing:
            return Move(stands(scene, doing="Argo Rollouts has not seen the change yet"))
        if not view.progress.pauses:
            reasons = self.reasons(errand, scene)
            doing = f"the Rollout goes to {percent(scene)}: {_rollout_says(scene)}"
            return Move(stands(scene, doing=doing, said="; ".join(reasons), events=reasons))
        if not scene.is_at(share):
            doing = f"the Rollout is promoted, on to {in_percent(share)}"
            return Move(
                stands(scene, doing=doing), lambda: self.controls.promote(errand.spec, scene)
            )
        return Move(self._arrived(scene, errand))

    def _arrived(self, scene: Scene, errand: Errand) -> Stand:
        """It waits at the step that was aimed at. Whether its pods serve, and get their share?"""
        pods = scene.current
        if pods is not None and pods.available < pods.desired:
            reasons = self.reasons(errand, scene)
            doing = f"{pods.available} of {pods.desired} pods are available"
            return stands(scene, doing=doing, said="; ".join(reasons), events=reasons)
        if scene.view.routed and not (scene.verified and _routed(scene, errand.aim.share)):
            return stands(scene, doing="the traffic router sets its weights")
        return stands(scene, reached=True)

    def _to_the_end(self, scene: Scene, errand: Errand) -> Move:
        view = scene.view
        if not view.seen or (view.unpausing and not view.pauses_ahead):
            return Move(stands(scene, doing="Argo Rollouts has not seen the change yet"))
        if not view.pauses_ahead or (view.progress.promoting and not view.progress.pauses):
            reasons = self.reasons(errand, scene)
            doing = f"the new version takes over: {_rollout_says(scene)}"
            return Move(stands(scene, doing=doing, said="; ".join(reasons), events=reasons))
        # The last pause is ended as any other. So is one that outlived a full promotion, which the
        # controller does not always heed (argo-rollouts#2648).
        if view.progress.pauses and (view.pauses_ahead == 1 or view.progress.promoting):
            doing = "the Rollout is promoted, past its last step"
            return Move(
                stands(scene, doing=doing), lambda: self.controls.promote(errand.spec, scene)
            )
        doing = "the Rollout is promoted fully, past all its steps"
        return Move(
            stands(scene, doing=doing), lambda: self.controls.promote_fully(errand.spec, scene)
        )


def _foreign(scene: Scene, errand: Errand) -> Iterator[str]:
    """What somebody else did to the Rollout in the middle of a trial, each a sentence."""
    view, share = scene.view, errand.aim.share
    if wrong := misplaced(view, scene.plan):
        yield f"Somebody changed the steps of the Rollout {scene.name}. {wrong}"
    if view.progress.promoting:
        yield f"Somebody promoted the Rollout {scene.name} fully: it goes to 100%."
    if view.weight / view.full > share and not scene.is_at(share):
        said = f"Somebody promoted the Rollout {scene.name}: it is at {percent(scene)}"
        yield f"{said}, and not at {in_percent(share)}."


def _held(scene: Scene, errand: Errand) -> str:
    """Why it may not be promoted without a person, a sentence; nothing where it may."""
    view = scene.view
    if view.paused:
        return (
            f"Somebody paused the Rollout {scene.name} (spec.paused): it goes nowhere before that "
            "is taken back."
        )
    for pause in view.progress.pauses:
        if pause.reason != INCONCLUSIVE:
            continue
        # Whoever aimed higher after it was there has decided in spite of it.
        decided = pause.since is not None and pause.since < errand.aim.since
        if not decided or scene.is_at(errand.aim.share):
            return (
                f"An analysis of the Rollout {scene.name} was inconclusive: it waits for somebody "
                "to decide."
            )
    return ""


def _routed(scene: Scene, share: float) -> bool:
    weights, current = scene.view.weights, scene.view.progress.current
    return weights is not None and weights.by_hash.get(current, 0) == round(share * scene.view.full)


def _as_argo_cd_says(scene: Scene, seen: Observation) -> Stand:
    return stands(
        scene, end=seen.end, said=seen.explanation, code=seen.reason_code, events=seen.events
    )


def _rollout_says(scene: Scene) -> str:
    progress = scene.view.progress
    return progress.message or f"it is {progress.phase or 'not looked at by Argo Rollouts yet'}"
