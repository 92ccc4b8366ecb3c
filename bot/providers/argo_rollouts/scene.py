"""Everything that one look at a Rollout shows of a canary: whose pods are which. Pure.

A version is told by its image's digest: pods are ours where one of their containers was given the
digest of the deployment. Hashes tell the Rollout's ReplicaSets from each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.model.canary import Arms, Crew, Stand
from bot.model.canary_plan import CanaryPlan, Rollout, in_percent
from bot.model.rollout import End
from bot.providers.argo_rollouts.views import PodsView, RolloutView
from bot.providers.kube.workload import digest_in

#: Shares that differ by less than this are the same.
ALIKE = 1e-6
#: The stable version has to have so much of itself available before traffic goes back to it.
SOUND = 0.5


@dataclass(frozen=True, slots=True)
class Scene:
    """One look. ``rollout`` is the plan's part that names it."""

    plan: CanaryPlan
    rollout: Rollout
    view: RolloutView
    pods: tuple[PodsView, ...]
    digest: str

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.rollout.namespace}/{self.rollout.name}"

    @property
    def current(self) -> PodsView | None:
        """Those of what is to run."""
        return self._of(self.view.progress.current)

    @property
    def stable(self) -> PodsView | None:
        """Those of what got through all steps last."""
        return self._of(self.view.progress.stable)

    @property
    def ours(self) -> tuple[PodsView, ...]:
        """Those that run the canary's image."""
        return tuple(each for each in self.pods if carries(each.images, self.digest))

    @property
    def on_trial(self) -> bool:
        """Whether the canary's version is to run, and has not got through all steps."""
        return self.current in self.ours and not self.view.promoted

    @property
    def taken_over(self) -> bool:
        """Whether the canary's version got through all steps, and is still to run."""
        return self.current in self.ours and self.view.promoted

    @property
    def leaves(self) -> bool:
        """Whether the canary's version got through all steps, and another one is to follow it."""
        return self.stable in self.ours and not self.view.promoted

    @property
    def share(self) -> float | None:
        """The canary's share of the traffic; ``None`` where its router does not say."""
        available = sum(each.available for each in self.pods)
        serving = sum(each.available for each in self.ours)
        if not self.view.routed:
            return serving / available if available else 0.0
        if self.view.weights is None:
            return None if serving else 0.0
        weights = self.view.weights.by_hash
        return sum(weights.get(each.hash, 0) for each in self.ours) / self.view.full

    @property
    def verified(self) -> bool:
        """Whether the router has confirmed its weights, where it does that."""
        return self.view.weights is None or self.view.weights.verified

    @property
    def sound(self) -> bool:
        """Whether the stable version can take all the traffic, or is given no more than it can."""
        stable = self.stable
        if self.view.gradual:
            # Where its pods are fewer the more the canary gets, only an abort brings them back.
            return stable is not None
        return stable is not None and (
            stable.available >= 1 and stable.available >= SOUND * stable.desired
        )

    @property
    def arms(self) -> Arms | None:
        """How both versions are told apart, while both are there."""
        return self.arms_with(self.view.progress.current) if self.on_trial else None

    def arms_with(self, canary: str) -> Arms:
        """How they are told apart where the canary's pods have that hash, or none yet."""
        if self.rollout.told_by == "service":
            return Arms(self.view.stable_service, self.view.canary_service)
        return Arms(self.view.progress.stable, canary)

    def is_at(self, share: float) -> bool:
        """Whether its step sets that share."""
        return abs(self.view.weight / self.view.full - share) < ALIKE

    def _of(self, pods: str) -> PodsView | None:
        return next((each for each in self.pods if each.hash == pods and pods), None)


def carries(images: Iterable[str], value: str) -> bool:
    """Whether one of the images is the one that a digest, or a value in git, names."""
    digest = digest_in(value)
    if digest:
        return any(digest in image for image in images)
    return any(image == value or image.endswith(f":{value}") for image in images)


def stands(  # noqa: PLR0913 - the ways in which a look can differ, each by its name
    scene: Scene,
    *,
    reached: bool = False,
    share: float | None = None,
    doing: str = "",
    blocked: str = "",
    foreign: str = "",
    end: End | None = None,
    said: str = "",
    code: str = "",
    events: tuple[str, ...] = (),
    arms: Arms | None = None,
) -> Stand:
    """How the canary stands; ``share`` is another one than the traffic's alone would be.

    A canary without a share whose version took over is no more: its pods are the stable ones.
    """
    ours = scene.ours
    stable = () if scene.stable is None or scene.stable in ours else (scene.stable,)
    if scene.taken_over and share == 0.0:
        ours, stable = (), ours
    return Stand(
        reached=reached,
        share=scene.share if share is None else share,
        canary=_crew(ours),
        stable=_crew(stable),
        doing=doing,
        blocked=foreign or blocked,
        foreign=bool(foreign),
        end=end,
        explanation=said,
        reason_code=code,
        events=events,
        arms=arms or scene.arms,
    )


def percent(scene: Scene) -> str:
    """The share that the Rollout's step sets, as people write it."""
    return in_percent(scene.view.weight / scene.view.full)


def rolls(scene: Scene) -> str:
    """The images that the Rollout is to run and that are none of the canary's, for people."""
    pods = scene.current
    images = pods.images if pods is not None else scene.view.images
    theirs = [image for image in images if not carries((image,), scene.digest)]
    return ", ".join(theirs) or "another version"


def _crew(pods: Iterable[PodsView]) -> Crew:
    found = list(pods)
    return Crew(
        sum(each.desired for each in found),
        sum(each.running for each in found),
        sum(each.available for each in found),
    )
