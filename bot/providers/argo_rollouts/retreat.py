"""Taking a canary back, in the order that is safe: the traffic first, then what git says.

An abort takes the traffic off within seconds, and needs neither git nor Argo CD. But the bad
version would still be what is wanted: so its commit is undone next, upon which Argo Rollouts finds
itself back at its stable version, and removes what is left of the canary.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from bot.model.errors import QuarterdeckError
from bot.providers.argo_rollouts.commits import Commits
from bot.providers.argo_rollouts.controls import Controls
from bot.providers.argo_rollouts.errands import Errand, Move
from bot.providers.argo_rollouts.scene import Scene, carries, rolls, stands

#: Seconds for which an abort may have no effect before git goes back all the same, and before
#: people are told.
PATIENCE, LONGEST = 60.0, 180.0
_REMEMBERED = 1024

#: The commit that Argo CD applies at this moment, if it applies one.
Applies = Callable[[Errand], str | None]


class Retreat:
    """Steps toward no traffic, and toward no trace. ``ticks`` counts seconds."""

    def __init__(
        self,
        controls: Controls,
        commits: Commits,
        applies: Applies,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._controls = controls
        self._commits = commits
        self._applies = applies
        self._ticks = ticks
        self._lock = Lock()
        self._aborted: OrderedDict[str, float] = OrderedDict()

    def nothing(self, scene: Scene, errand: Errand) -> Move:
        """Toward ``Goal.NOTHING``: no request reaches it, and nothing brings it back."""
        if self._never_began(scene, errand):
            return Move(stands(scene, reached=True, share=0.0))
        if scene.on_trial:
            return self._off(scene, errand)
        if scene.taken_over or scene.leaves:
            return self._replaced(scene, errand)
        return self._out_of_git(scene, errand)

    def gone(self, scene: Scene, errand: Errand) -> Move:
        """Toward ``Goal.GONE``: neither pods nor git know of it, but for what took over."""
        if self._never_began(scene, errand):
            return Move(stands(scene, reached=True, share=0.0))
        back = self._commits.taken_back(errand)
        if scene.taken_over and back is None:
            return Move(stands(scene, reached=True, share=0.0))
        if scene.on_trial or scene.taken_over or scene.leaves:
            return self._lingers(scene, errand, taken_back=back is not None)
        left = max((max(each.desired, each.running) for each in scene.ours), default=0)
        if left:
            pods = f"{left} pod{'s' if left > 1 else ''}"
            return Move(stands(scene, doing=f"Argo Rollouts removes its {pods}"))
        return Move(stands(scene, reached=True))

    # --- off the traffic -------------------------------------------------------------------------

    def _off(self, scene: Scene, errand: Errand) -> Move:
        progress = scene.view.progress
        if not progress.aborted or progress.promoting:
            return self._abort(scene, errand)
        if scene.share == 0.0 and scene.verified:
            return self._out_of_git(scene, errand)
        lasted = self._lasted(errand)
        if lasted > PATIENCE and self._commits.in_git(errand):
            doing = "its Rollout was aborted without effect so far: git goes back too"
            return Move(stands(scene, doing=doing), lambda: self._commits.take_back(errand))
        if lasted > LONGEST:
            runs = "does the controller of Argo Rollouts run?"
            why = "it is paused (spec.paused)." if scene.view.paused else runs
            said = (
                f"The Rollout {scene.name} was aborted {lasted:.0f} seconds ago, and its canary "
                f"still has traffic: {why}"
            )
            return Move(stands(scene, blocked=said))
        return Move(stands(scene, doing="its Rollout was aborted: the traffic leaves it"))

    def _abort(self, scene: Scene, errand: Errand) -> Move:
        if not scene.sound:
            stable = scene.stable
            pods = f"{stable.available} of {stable.desired}" if stable is not None else "none"
            said = (
                f"Of the stable version's pods, {pods} are available, so the traffic stays where "
                "it is."
            )
            return Move(stands(scene, blocked=said))
        doing = "its Rollout is aborted"
        return Move(stands(scene, doing=doing), lambda: self._controls.abort(errand.spec, scene))

    def _replaced(self, scene: Scene, errand: Errand) -> Move:
        """It took over already: only the earlier version, rolled anew, takes its place."""
        if scene.taken_over and self._commits.in_git(errand):
            doing = "git goes back to the earlier version"
            return Move(stands(scene, doing=doing), lambda: self._commits.take_back(errand))
        current, progress = scene.current, scene.view.progress
        known = current is not None and carries(current.images, errand.order.base)
        if scene.leaves and known and not progress.promoting:
            # Nobody judges the way back: it waits at none of the steps.
            doing = "the earlier version takes over again, past all steps"
            return Move(
                stands(scene, doing=doing),
                lambda: self._controls.promote_fully(errand.spec, scene),
            )
        if scene.leaves and known and progress.pauses:
            doing = "the earlier version is promoted"
            return Move(
                stands(scene, doing=doing), lambda: self._controls.promote(errand.spec, scene)
            )
        if scene.leaves and not known:
            said = (
                f"Somebody rolls the Rollout {scene.name} to {rolls(scene)}: until that has taken "
                "over, the canary's version serves."
            )
            return Move(stands(scene, blocked=said))
        seen = self._commits.follow_back(errand)
        doing = "the earlier version takes over again"
        return Move(stands(scene, doing=doing, said=seen.explanation if seen else ""))

    def _out_of_git(self, scene: Scene, errand: Errand) -> Move:
        """It is not to run, or was aborted. Nothing may bring it back either."""
        if scene.share != 0.0:
            return Move(stands(scene, doing="another version takes its place"))
        if self._commits.in_git(errand):
            doing = "git goes back to the earlier version"
            return Move(stands(scene, doing=doing), lambda: self._commits.take_back(errand))
        commit = self._commits.brought(errand)
        if commit is None or scene.on_trial:
            return Move(stands(scene, reached=True))
        if not scene.view.seen or carries(scene.view.images, scene.digest):
            return Move(stands(scene, doing="Argo Rollouts has not seen the change yet"))
        if self._applies(errand) == commit:
            return Move(stands(scene, doing="Argo CD is about to bring it, though git went back"))
        return Move(stands(scene, reached=True))

    # --- without a trace -------------------------------------------------------------------------

    def _lingers(self, scene: Scene, errand: Errand, *, taken_back: bool) -> Move:
        """The Rollout is still to run its version, or does."""
        written = self._commits.written(errand)
        if taken_back and written != errand.order.base:
            # Somebody rolls another version by now, or this one anew: that is theirs.
            return Move(stands(scene, reached=True))
        if scene.on_trial and not scene.view.progress.aborted:
            return self._abort(scene, errand)
        if scene.on_trial and written == errand.revision:
            doing = "git goes back to the earlier version"
            return Move(stands(scene, doing=doing), lambda: self._commits.take_back(errand))
        if not scene.on_trial:
            return self._replaced(scene, errand)
        seen = self._commits.follow_back(errand)
        doing = "Argo CD brings the earlier version back"
        return Move(stands(scene, doing=doing, said=seen.explanation if seen else ""))

    def _never_began(self, scene: Scene, errand: Errand) -> bool:
        """Whether it was not written into git at all: what is seen of its version is another's."""
        if errand.aim.before > 0:
            return False  # it had traffic, as was read back
        try:
            return self._commits.brought(errand) is None
        except QuarterdeckError:
            # Git has to answer before anything else, and keeps no traffic on a bad version.
            if not scene.on_trial:
                raise
            return False

    def _lasted(self, errand: Errand) -> float:
        """Seconds since an abort was first seen to be there."""
        now, name = self._ticks(), errand.order.deployment_id
        with self._lock:
            since = self._aborted.setdefault(name, now)
            while len(self._aborted) > _REMEMBERED:
                self._aborted.popitem(last=False)
        return now - since
