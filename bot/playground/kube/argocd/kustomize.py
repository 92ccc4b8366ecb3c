"""As much of kustomize as manifests repositories for images need: resources, images, namespace."""

from __future__ import annotations

import posixpath
from typing import Any

from bot.playground.kube.argocd.git import RepositoryError
from bot.playground.kube.argocd.trees import Release, Tree
from bot.playground.kube.resources import Json, cloned

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def render(tree: Tree, folder: str, source: Json, _release: Release) -> list[Any]:
    """What ``kustomize build`` gives, then the images of the Application's own source."""
    found = _build(tree, folder)
    overrides = source.get("kustomize", {}).get("images", [])
    return [with_images(each, [_override(image) for image in overrides]) for each in found]


def with_images(manifest: Json, images: list[Json]) -> Json:
    """A copy in which every container's image that an entry names is as the entry says."""
    result = cloned(manifest)
    for container in _containers(result):
        for entry in images:
            if _name(container.get("image", "")) == entry["name"]:
                container["image"] = _image(container["image"], entry)
    return result


def _build(tree: Tree, folder: str) -> list[Any]:
    kustomization = _kustomization(tree, folder)
    found: list[Any] = []
    for each in [*kustomization.get("resources", []), *kustomization.get("bases", [])]:
        path = posixpath.normpath(posixpath.join(folder, each))
        if path in tree.files(posixpath.dirname(path) or "."):
            found += tree.documents(path)
        elif tree.files(path):
            found += _build(tree, path)
        else:
            raise _failed(folder, f"accumulating resources from '{each}': no such file: {path}")
    images = kustomization.get("images") or []
    result = [with_images(each, images) for each in found]
    for each in result:
        _place(each, kustomization)
    return result


def _kustomization(tree: Tree, folder: str) -> Json:
    for name in NAMES:
        path = posixpath.normpath(posixpath.join(folder, name))
        if path in tree.files(folder):
            documents = tree.documents(path)
            if len(documents) == 1 and isinstance(documents[0], dict):
                return documents[0]
            raise _failed(folder, "invalid Kustomization")
    raise _failed(folder, "unable to find one of 'kustomization.yaml', 'kustomization.yml'")


def _place(manifest: Json, kustomization: Json) -> None:
    metadata = manifest.setdefault("metadata", {})
    if kustomization.get("namespace"):
        metadata["namespace"] = kustomization["namespace"]
    prefix, suffix = kustomization.get("namePrefix", ""), kustomization.get("nameSuffix", "")
    metadata["name"] = f"{prefix}{metadata.get('name', '')}{suffix}"


def _containers(manifest: Json) -> list[Json]:
    spec = manifest.get("spec")
    pod = spec.get("template", {}).get("spec", {}) if isinstance(spec, dict) else {}
    if manifest.get("kind") == "Pod" and isinstance(spec, dict):
        pod = spec
    return [*pod.get("containers", []), *pod.get("initContainers", [])]


def _name(image: str) -> str:
    head, slash, tail = image.partition("@")[0].rpartition("/")
    return f"{head}{slash}{tail.partition(':')[0]}"


def _image(image: str, entry: Json) -> str:
    name = entry.get("newName") or _name(image)
    if entry.get("digest"):
        # kustomize 5 keeps a tag that is given beside the digest.
        tag = f":{entry['newTag']}" if entry.get("newTag") else ""
        return f"{name}{tag}@{entry['digest']}"
    if entry.get("newTag"):
        return f"{name}:{entry['newTag']}"
    return name + image[len(_name(image)) :]


def _override(text: str) -> Json:
    """An image as an Application's source names it: ``name=new:tag``, ``name:tag``."""
    name, equals, new = text.partition("=")
    new = new if equals else text
    entry: Json = {"name": _name(name), "newName": _name(new)}
    rest = new[len(_name(new)) :]
    if rest.startswith("@"):
        entry["digest"] = rest[1:]
    elif rest:
        entry["newTag"] = rest[1:]
    return entry


def _failed(folder: str, why: str) -> RepositoryError:
    where = f"<path to cached source>/{folder}"
    return RepositoryError(f"`kustomize build {where}` failed exit status 1: Error: {why}")
