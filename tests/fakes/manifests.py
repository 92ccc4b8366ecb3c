"""Targets in git for tests, and the image they are brought to."""

from __future__ import annotations

from bot.model.deployment import Image
from bot.model.places import HelmValue, KustomizeImage, ManifestImage, Manifests

REMOTE = "https://git.example/acme/manifests.git"
REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web"
DIGEST = "sha256:" + "a1" * 32
OTHER = "sha256:" + "b2" * 32
IMAGE = Image(REPOSITORY, DIGEST, "v1.5.0")
TAGGED = f"v1.5.0@{DIGEST}"


def kustomize(image: str = "web", remote: str = REMOTE, path: str = ".") -> Manifests:
    return Manifests(repository=remote, path=path, kustomize=KustomizeImage(image=image))


def helm(key: str = "image.tag", holds: str = "tag", remote: str = REMOTE) -> Manifests:
    value = HelmValue.model_validate({"key": key, "holds": holds})
    return Manifests(repository=remote, helm=value)


def plain(container: str = "app", kind: str = "Deployment", remote: str = REMOTE) -> Manifests:
    form = {"file": "web.yaml", "kind": kind, "name": "web", "container": container}
    return Manifests(repository=remote, manifest=ManifestImage.model_validate(form))
