"""Where a service runs, in each provider's own terms: the parts of a target that name the place."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from bot.model.moments import Duration
from bot.model.part import (
    Branch,
    InsidePath,
    KeyPath,
    ObjectName,
    Part,
    Region,
    Remote,
    RoleArn,
    filled,
)


class EcsService(Part):
    """The ECS service and the container in it whose image is ours to change."""

    region: Region
    cluster: str = Field(min_length=1, max_length=255, description="the ECS cluster's name")
    service: str = Field(min_length=1, max_length=255, description="the ECS service's name")
    container: str = Field(
        min_length=1, max_length=255, description="the container in the task definition"
    )
    role: RoleArn | None = Field(
        default=None, description="the IAM role assumed here, by its ARN; without it our own"
    )


class KustomizeImage(Part):
    """The entry in a kustomization's ``images`` whose ``newTag`` or ``digest`` is changed."""

    file: InsidePath = Field(
        default="kustomization.yaml", description="the kustomization, below the path"
    )
    image: str = Field(
        min_length=1, max_length=255, description='the "name" of the entry in its "images"'
    )


class HelmValue(Part):
    """The value in a Helm values file that is ours to change."""

    file: InsidePath = Field(default="values.yaml", description="the values file, below the path")
    key: KeyPath = Field(description="where the value stands, such as image.tag")
    holds: Literal["tag", "digest", "image"] = Field(
        default="tag", description="what the chart takes it for: a tag, a digest or a whole image"
    )


class ManifestImage(Part):
    """The container in a plain manifest whose ``image`` is ours to change."""

    file: InsidePath = Field(description="the manifest, below the path; it may hold many documents")
    kind: Literal["Deployment", "StatefulSet", "DaemonSet", "Rollout"] = Field(
        default="Deployment", description="the kind of the workload"
    )
    name: ObjectName = Field(description="the workload's name")
    container: ObjectName = Field(description="the container in its pod template")


class Manifests(Part):
    """Where in git the desired state stands: a repository, a place in it, and how it is written."""

    repository: Remote = Field(description="the git remote; credentials come from the environment")
    branch: Branch = Field(default="main", description="the branch that Argo CD follows")
    path: InsidePath = Field(default=".", description="the folder of this target")
    kustomize: Annotated[KustomizeImage | None, BeforeValidator(filled)] = Field(
        default=None, description='the image is written in the "images" of a kustomization'
    )
    helm: Annotated[HelmValue | None, BeforeValidator(filled)] = Field(
        default=None, description="the image is written in a Helm values file"
    )
    manifest: Annotated[ManifestImage | None, BeforeValidator(filled)] = Field(
        default=None, description="the image is written in a plain manifest"
    )
    delivery: Literal["direct", "pull_request"] = Field(
        default="direct",
        description="a commit on the branch, or a pull request for people to merge",
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = {"kustomize": self.kustomize, "helm": self.helm, "manifest": self.manifest}
        given = [f'"{name}"' for name, form in forms.items() if form is not None]
        if len(given) != 1:
            said = f"{' and '.join(given)} are given" if given else "none is given"
            wrong = (
                f'one of "kustomize", "helm" and "manifest" says how the image is written: {said}'
            )
            raise PydanticCustomError("one_form", "{text}", {"text": wrong})
        return self

    @property
    def form(self) -> KustomizeImage | HelmValue | ManifestImage:
        """How the image is written: the one of the three that is given."""
        form = self.kustomize or self.helm or self.manifest
        assert form is not None  # noqa: S101 - the validator above lets nothing else through
        return form

    @property
    def name(self) -> str:
        """What people call the repository: ``acme/manifests``."""
        path = self.repository.removesuffix("/").removesuffix(".git").replace(":", "/")
        return "/".join(path.rsplit("/", 2)[-2:])

    @property
    def file(self) -> str:
        """The file that is changed, from the root of the repository."""
        return self.inside(self.form.file)

    def inside(self, file: str) -> str:
        """A file below the path, from the root of the repository."""
        folder = self.path.strip("/").removeprefix("./")
        return file if folder in {"", "."} else f"{folder}/{file}"


class InCluster(Part):
    """What both Kubernetes providers share: which cluster, and what is accepted there."""

    cluster: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="the kubeconfig's context; without it the current one, or the own cluster",
    )
    downtime_accepted: str = Field(
        default="",
        max_length=200,
        description="why this workload may be rolled without what zero downtime needs",
    )


class ArgoCdApplication(InCluster):
    """The Argo CD Application that brings to a cluster what stands in git."""

    namespace: ObjectName = Field(default="argocd", description="the Application's namespace")
    application: ObjectName = Field(description="the Application's name")
    manifests: Manifests
    rollback: Literal["git", "history"] = Field(
        default="git",
        description="how to go back: by a commit, or to a revision of the Application's history, "
        "which needs auto-sync to be off",
    )
    settle: Duration = Field(
        default=timedelta(seconds=10),
        description="how long it has to stay Healthy before the rollout counts as succeeded; "
        "three times as long a bad health may last before it counts as failed",
    )


class KubernetesDeployment(InCluster):
    """A Deployment that is changed in the cluster itself, where no Argo CD follows git."""

    namespace: ObjectName = Field(description="the Deployment's namespace")
    deployment: ObjectName = Field(description="the Deployment's name")
    container: ObjectName = Field(description="the container whose image is ours to change")
