"""Our one scalar is found where it stands, or refused, by file and line."""

from __future__ import annotations

import pytest

from bot.model.deployment import Image
from bot.model.errors import Misconfigured
from bot.model.places import Manifests
from bot.providers.manifests import Site, find, image_in, value_for
from bot.providers.manifests.parsed import parse
from tests.fakes.manifests import DIGEST, IMAGE, REPOSITORY, TAGGED, helm, kustomize, plain

KUSTOMIZATION = """\
# what runs
resources: [web.yaml]
images:
  - name: proxy
    newTag: v9
  - name: web   # ours
    newName: registry.example/web
    newTag: "v1.4.0"
"""
MANIFEST = """\
apiVersion: v1
kind: Service
metadata: {name: web}
---
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      initContainers:
        - name: migrate
          image: acme/migrate:v1
      containers:
        - {name: proxy, image: acme/proxy:v2}
        - name: app
          image: 'acme/web:v1.4.0'
---
kind: Deployment
metadata: {name: worker}
spec: {template: {spec: {containers: [{name: app, image: acme/worker:v1}]}}}
"""


def located(manifests: Manifests, text: str) -> Site:
    return find(manifests, parse(manifests.file, text))


@pytest.mark.parametrize(
    ("manifests", "text", "value", "line"),
    [
        (kustomize(), KUSTOMIZATION, "v1.4.0", 8),
        (kustomize(), f"images: [{{name: web, digest: {DIGEST}}}]\n", DIGEST, 1),
        (helm(), "image:\n  repository: acme/web\n  tag: v1\n", "v1", 3),
        (helm("web.image", "image"), "web: {image: acme/web:v1}", "acme/web:v1", 1),
        (plain(), MANIFEST, "acme/web:v1.4.0", 17),
        (plain("proxy"), MANIFEST, "acme/proxy:v2", 15),
    ],
)
def test_it_is_found(manifests: Manifests, text: str, value: str, line: int) -> None:
    site = located(manifests, text)
    assert (site.value, site.line) == (value, line)
    assert text[site.start : site.end].strip("\"'") == value


ENTRY = "images:\n- name: web\n  newTag: "
ABOVE = "base: &b\n  image: {tag: v1}\n"


@pytest.mark.parametrize(
    ("manifests", "text", "said"),
    [
        (
            kustomize(),
            "images:\n- name: proxy\n  newTag: v1\n",
            "line 2: .* there is only proxy",
        ),
        (kustomize(), "images: []\n", "line 1: .* there are none"),
        (kustomize(), "resources: []\n", "line 1: .* there is no 'images'"),
        (kustomize(), f"{ENTRY}v1\n- name: web\n  newTag: v2\n", "line 4: .* twice, .* line 2"),
        (kustomize(), "images:\n- name: web\n", "line 2: .* neither newTag nor digest"),
        (kustomize(), f"{ENTRY}v1\n  digest: {DIGEST}\n", "line 2: .* both newTag and digest"),
        (kustomize(), f"{ENTRY}1.20\n", r"line 3: .* is no text \(1\.20\)"),
        (kustomize(), f"{ENTRY}20240101\n", "line 3: .* is no text"),
        (kustomize(), f"{ENTRY}1234e56\n", "line 3: .* is no text"),
        (kustomize(), f"{ENTRY}on\n", "line 3: .* is no text"),
        (kustomize(), f"{ENTRY}\n", r"is no text \(empty\)"),
        (kustomize(), f"{ENTRY}&a v1\n", "line 3: .* anchor &a"),
        (kustomize(), f"x: &a v1\n{ENTRY}*a\n", r"line 4: .* alias \*a"),
        (kustomize(), f"{ENTRY}!!str v1\n", r"line 3: .* a tag"),
        (kustomize(), f"{ENTRY}|\n    v1\n", "line 3: .* block scalar"),
        (kustomize(), f'{ENTRY}"{{{{ tag }}}}"\n', "line 3: .* template"),
        (kustomize(), f"{ENTRY}{{{{ .tag }}}}\n", "line 3: .* "),
        (kustomize(), f'{ENTRY}"v1\\x2e5"\n', "line 3: .* escapes"),
        (kustomize(), f"{ENTRY}v1\n    v2\n", "line 3: .* escapes or over lines"),
        (kustomize(), f"{ENTRY}[v1]\n", "line 3: .* no scalar"),
        (kustomize(), f"{ENTRY}v1\n  newTag: v2\n", "line 4: .*newTag.* twice, first in line 3"),
        (kustomize(), f"{ENTRY}v1\n---\na: b\n", "line 4: .* more than one document"),
        (kustomize(), "", "line 1: .* holds nothing"),
        (kustomize(), "images: [\n", "line 2: it is no YAML"),
        (kustomize(), "{{- if .x }}\nimages: []\n{{- end }}\n", "is a template and no YAML"),
        (kustomize(), "a: *nobody\n", r"line 1: .* \*nobody refers to nothing"),
        (kustomize(), "a: \x00\n", r"line 1: .* U\+0000 is not allowed"),
        (kustomize(), "images: {web: v1}\n", "line 1: images is no list"),
        (helm(), "image: v1\n", "line 1: what stands above 'tag' is no mapping"),
        (helm("b.image.tag"), f"{ABOVE}b:\n  <<: *b\n", r"line 4: .* merge \(<<\)"),
        (helm("base.image.tag"), f"{ABOVE}b: *b\n", "line 1: .* &b, which is used elsewhere"),
        (helm("b.image.tag"), f"{ABOVE}b: *b\n", r"line 3: .* alias \*b"),
        (plain("migrate"), MANIFEST, "it is an init container"),
        (plain("nobody"), MANIFEST, "line 15: .* there are proxy, app"),
        (plain(kind="StatefulSet"), MANIFEST, "there is no StatefulSet 'web'"),
        (plain(), f"{MANIFEST}---\n{MANIFEST}", "Deployment 'web' stands there twice, .* line 5"),
        (plain(), "[" * 200, "nested deeper|no YAML"),
    ],
)
def test_it_is_refused_with_file_and_line(manifests: Manifests, text: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=rf"(?s){manifests.file}, line \d+: .*") as refused:
        located(manifests, text)
    assert refused.value.reason_code == "MANIFEST_UNSUITABLE"
    refused.match(said)


def test_an_anchor_that_nobody_uses_is_in_nobodys_way() -> None:
    assert located(helm("base.image.tag"), ABOVE).value == "v1"


@pytest.mark.parametrize("ends", ["\r", "\x85", "\u2028", "\u2029"])
def test_lines_are_counted_as_git_counts_them(ends: str) -> None:
    """YAML breaks lines at more characters; git is asked who wrote that line."""
    assert located(kustomize(), f"# a{ends}# b{ends}# c\n{KUSTOMIZATION}").line == 9
    with pytest.raises(Misconfigured, match="line 9: "):
        located(kustomize(), f"# a{ends}\n{KUSTOMIZATION.replace('v1.4.0', '{{ .x }}')}")


@pytest.mark.parametrize(
    ("ref", "tag"),
    [("v1.5.0", "v1.5.0"), ("latest", "latest"), (DIGEST, "a1" * 6), ("feature/x", "a1" * 6)],
)
def test_what_is_written_is_pinned(ref: str, tag: str) -> None:
    image = Image(REPOSITORY, DIGEST, ref)
    assert value_for("tag", image) == f"{tag}@{DIGEST}"
    assert value_for("image", image) == f"{REPOSITORY}:{tag}@{DIGEST}"
    assert value_for("digest", image) == DIGEST


@pytest.mark.parametrize(
    ("manifests", "text", "image"),
    [
        (kustomize(REPOSITORY), f"images: [{{name: {REPOSITORY}, newTag: '{TAGGED}'}}]", IMAGE),
        (kustomize(), f"images: [{{name: web, newName: a/w, digest: '{DIGEST}'}}]",
         Image("a/w", DIGEST, DIGEST)),
        (helm(), f"image: {{registry: r.example, repository: acme/web, tag: '{TAGGED}'}}",
         Image("r.example/acme/web", DIGEST, "v1.5.0")),
        (helm(), f"image: {{tag: '{TAGGED}'}}", None),
        (helm("i", "image"), f"i: '{REPOSITORY}:{TAGGED}'", IMAGE),
        (helm("i", "image"), f"i: 'host:5000/web@{DIGEST}'",
         Image("host:5000/web", DIGEST, DIGEST)),
        (helm("i", "image"), f"i: '{REPOSITORY}:v1'", None),
        (helm("i", "image"), "i: '{nonsense}'", None),
    ],
)  # fmt: skip
def test_what_a_value_names(manifests: Manifests, text: str, image: Image | None) -> None:
    assert image_in(located(manifests, text)) == image
