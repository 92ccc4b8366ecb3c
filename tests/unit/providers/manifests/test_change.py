"""A value is changed in place: every other byte of the file stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from bot.model.errors import Misconfigured
from bot.model.places import Manifests
from bot.providers.manifests import change, decoded, diff, find
from bot.providers.manifests.parsed import parse
from tests.fakes.manifests import DIGEST, OTHER, TAGGED, helm, kustomize, plain

NEW = f"v1.5.0@{DIGEST}"


def test_nothing_but_our_scalar_changes() -> None:
    before = (
        "\ufeff# head\r\nx: &x {a: 1}   # kept\r\ny: *x\r\nimages:\r\n"
        "  -   name:  'web'\r\n      newTag:   'v1'     # ours\r\n  - {name: b, newTag: v1}"
    )
    after = change(kustomize(), before, NEW)
    assert after == before.replace("'v1'     #", f"'{NEW}'     #")
    assert change(kustomize(), after, "v1") == before
    assert change(kustomize(), before, "v1") == before


@pytest.mark.parametrize("value", ["1.20", "20240101", "1e5", "on", "null", "1_000", "0x1f"])
def test_a_value_that_a_reader_could_take_for_a_number_gets_quotes(value: str) -> None:
    after = change(helm(), "image: {tag: v1}\n", value)
    assert after == f'image: {{tag: "{value}"}}\n'
    assert YAML(typ="safe", pure=True).load(after) == {"image": {"tag": value}}


@pytest.mark.parametrize(
    ("manifests", "text", "value"),
    [
        (helm(holds="digest"), f"image: {{tag: {DIGEST}}}", TAGGED),
        (helm(), "image: {tag: v1}", "v1 # and a comment"),
        (helm(), "image: {tag: v1}", "v1\nevil: true"),
        (helm(), "image: {tag: v1}", "v1, evil: true"),
        (helm(), "image: {tag: v1}", ""),
        (helm("i", "image"), "i: a", "a b"),
    ],
)
def test_a_value_that_cannot_stand_there_is_refused(
    manifests: Manifests, text: str, value: str
) -> None:
    with pytest.raises(Misconfigured, match=r"values\.yaml, line 1: .* cannot stand there") as no:
        change(manifests, text, value)
    assert no.value.reason_code == "MANIFEST_UNSUITABLE"


def test_a_file_that_is_no_text_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"web\.yaml, line 2: it is no text in UTF-8"):
        decoded("web.yaml", "a: 1\nb: ü\n".encode("latin-1"))
    assert decoded("web.yaml", b"\xef\xbb\xbfa: 1\r\n") == "\ufeffa: 1\r\n"


def test_the_diff_is_for_people() -> None:
    before = "\ufeffimage:\r\n  # ours\r\n  tag: v1\r\nother: 1\r\n"
    shown = diff("values.yaml", before, change(helm(), before, "v2"))
    assert shown.splitlines() == [
        "--- a/values.yaml",
        "+++ b/values.yaml",
        "@@ -1,4 +1,4 @@",
        " image:",
        "   # ours",
        "-  tag: v1",
        "+  tag: v2",
        " other: ***",
    ]
    assert diff("f", before, before) == ""


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  password: s3cr3t # x", "  password: ***"),
        ("  - s3cr3t", "  - ***"),
        ('  "password": "s3cr3t"', "  ***"),
        ("  -----BEGIN s3cr3t", "  ***"),
        ("  - {name: a, value: s3cr3t}", "  - ***"),
        ("  name: {a: s3cr3t}", "  name: ***"),
        ("  - name: db # theirs", None),
        ("  repository: r.example:5000/acme/web", None),
        ("  key: # of what follows", None),
        ("  # a comment", None),
        ("", None),
        ("---", None),
    ],
)
def test_what_stands_around_a_change_may_be_secret(line: str, shown: str | None) -> None:
    told = diff("f", f"{line}\ntag: v1\n", f"{line}\ntag: v2\n").splitlines()[3:]
    assert told == [f" {line if shown is None else shown}", "-tag: v1", "+tag: v2"]


words = st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True)
comments = st.sampled_from(["", "   # note: 'quoted' \"too\"", " # {a: b, [c]}", " # ünïcode ✓"])
quotes = st.sampled_from(["", "'", '"'])
endings = st.sampled_from(["\n", "\r\n"])
values = st.sampled_from(["v1", "v1.4.0-rc.1", f"main@{OTHER}", "_x", "sha-1a2b3c4"])
noise = st.sampled_from(
    [
        "uses: *n",
        "text: |-\n    a: b\n\n    'c'",
        "flow: {a: [b, {c: 'd'}], e: \"f\"}",
        "folded: >\n    some {{ text }}\n    more",
        "? complex\n: key",
        "empty:",
        "long: a plain\n    scalar",
        "'q u o': \"\\x41\"",
    ]
)


@st.composite
def kustomizations(draw: st.DrawFn) -> tuple[str, str]:
    """A kustomization with surroundings of all sorts, and the same with a mark for our scalar."""
    names = draw(st.lists(words.filter(lambda word: word != "web"), max_size=3, unique=True))
    ours = draw(st.integers(0, len(names)))
    names.insert(ours, "web")
    lines = ["anchored: &n [x]", *draw(st.lists(noise, max_size=3, unique=True)), "images:"]
    indent = " " * draw(st.integers(0, 4))
    for name in names:
        quote, mark = draw(quotes), "@@" if name == "web" else draw(values)
        lines += [
            f"{indent}- name: {name}{draw(comments)}",
            f"{indent}  newTag: {quote}{mark}{quote}{draw(comments)}",
        ]
        lines += draw(st.lists(st.sampled_from(["", "# a comment", "  # another"]), max_size=2))
    text = "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n"]))
    return text, draw(endings)


@settings(max_examples=60, deadline=None)
@given(kustomizations(), values, values, st.sampled_from(["", "\ufeff"]))
def test_round_trips(made: tuple[str, str], old: str, new: str, bom: str) -> None:
    text, ending = made
    marked = bom + text.replace("\n", ending)
    before = marked.replace("@@", old)
    after = change(kustomize(), before, new)
    assert after == marked.replace("@@", new)
    assert find(kustomize(), parse("kustomization.yaml", after)).value == new
    assert change(kustomize(), after, old) == before


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_whatever_stands_in_a_file_it_is_read_or_refused(text: str) -> None:
    for manifests in (kustomize(), helm(), plain()):
        with pytest.raises(Misconfigured) as refused:
            change(manifests, text, NEW)
        assert refused.value.reason_code == "MANIFEST_UNSUITABLE"
