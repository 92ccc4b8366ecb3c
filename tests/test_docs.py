"""The grammar, the manifest, the help and the README say the same, or one of these tests fails."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from ruamel.yaml import YAML

from bot.commands.builders import BUILDERS
from bot.commands.grammar import COMMANDS, SLASHES, by_slash, usage_hint
from bot.commands.help import completions, help_text, readme_table
from bot.policy.reasons import ReasonCode
from bot.settings.environment import Settings
from bot.slack.examination import SCOPES
from bot.slack.http import EVENTS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    loaded = YAML(typ="safe").load(ROOT / "app-manifest.yml")
    assert isinstance(loaded, dict)
    return loaded


def test_manifest_has_exactly_the_slash_commands_of_the_grammar(manifest: dict[str, Any]) -> None:
    assert [each["command"] for each in manifest["features"]["slash_commands"]] == list(SLASHES)


@pytest.mark.parametrize("slash", SLASHES)
def test_manifest_shows_the_grammar_while_somebody_types(
    manifest: dict[str, Any], slash: str
) -> None:
    (entry,) = [e for e in manifest["features"]["slash_commands"] if e["command"] == slash]
    assert entry["usage_hint"] == usage_hint(slash)
    assert entry["description"] == by_slash(slash).summary
    # Without it Slack does not say which user is meant by @ana.
    assert entry["should_escape"] is True
    assert len(entry["usage_hint"]) <= 1000
    assert len(entry["description"]) <= 2000


def test_manifest_asks_for_exactly_the_scopes_that_doctor_checks(manifest: dict[str, Any]) -> None:
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == SCOPES.keys()


def test_manifest_subscribes_to_exactly_the_events_that_are_listened_to(
    manifest: dict[str, Any],
) -> None:
    source = (ROOT / "bot" / "slack" / "app.py").read_text()
    heard = set(re.findall(r'app\.event\("(\w+)"\)', source))
    subscribed = set(manifest["settings"]["event_subscriptions"]["bot_events"])
    assert {event.replace("message.im", "message") for event in subscribed} == heard


def test_manifest_keeps_slacks_limits(manifest: dict[str, Any]) -> None:
    shown = manifest["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 174 <= len(shown["long_description"]) <= 4000
    assert len(manifest["features"]["bot_user"]["display_name"]) <= 80
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
    assert manifest["settings"]["socket_mode_enabled"] is True


def test_manifest_turns_to_http_as_the_readme_says() -> None:
    """Socket Mode off, and the commented lines in force: nothing else has to be known."""
    text = (ROOT / "app-manifest.yml").read_text()
    readme = (ROOT / "README.md").read_text()
    assert "set `socket_mode_enabled: false` and uncomment the five lines" in readme
    text, uncommented = re.subn(r"# (\w+: https://quarterdeck\.example\.com/)", r"\1", text)
    assert uncommented == 5
    over_http = YAML(typ="safe").load(text)
    urls = [each["url"] for each in over_http["features"]["slash_commands"]]
    settings = over_http["settings"]
    urls += [settings[part]["request_url"] for part in ("event_subscriptions", "interactivity")]
    assert set(urls) == {f"https://quarterdeck.example.com{EVENTS}"}


def test_every_scope_and_event_of_the_manifest_is_explained() -> None:
    lines = (ROOT / "app-manifest.yml").read_text().splitlines()
    bare = [
        line
        for before, line in pairwise(lines)
        if re.match(r"\s+- [a-z_.:]+$", line)
        and not before.strip().startswith("#")
        and not re.match(r"\s+- [a-z_.]+$", before)
    ]
    assert not bare


def test_every_command_of_the_grammar_is_built_and_nothing_else() -> None:
    assert set(BUILDERS) == {spec.name for spec in COMMANDS}
    assert len(COMMANDS) == len(BUILDERS)


def test_help_lists_every_command() -> None:
    text = help_text("")
    for spec in COMMANDS:
        assert _escaped(spec.usage) in text
        assert spec.summary in text


@pytest.mark.parametrize("spec", COMMANDS, ids=lambda spec: spec.name)
def test_help_of_one_command_says_all_that_the_grammar_knows(spec: Any) -> None:
    text = help_text(spec.name)
    for option in spec.options:
        assert option.name in text
        assert option.summary in text
    for example in spec.examples:
        assert _escaped(example) in text
    assert _escaped(spec.details) in text


def test_completion_offers_only_what_is_built() -> None:
    assert set(completions("")) == {f"{spec.slash} {spec.verb}".strip() for spec in COMMANDS}
    assert completions("/deploy  Lock") == ("/deploy lock", "/deploy locks")


def test_readme_shows_the_table_of_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    found = re.search(r"<!-- commands -->\n(.*?)\n<!-- /commands -->", readme, re.DOTALL)
    assert found, "README.md needs the output of bot.commands.help.readme_table() between markers"
    assert found[1].strip() == readme_table()


def settings_table() -> str:
    rows = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        value = field.get_default()
        shown = value.get_secret_value() if isinstance(value, SecretStr) else value
        default = "required" if field.is_required() else f"`{shown}`" if shown is not None else ""
        rows.append(f"| `{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def test_readme_shows_the_settings() -> None:
    readme = (ROOT / "README.md").read_text()
    found = re.search(r"<!-- settings -->\n(.*?)\n<!-- /settings -->", readme, re.DOTALL)
    assert found
    assert found[1].strip() == settings_table()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_each_failure_scenario_names_tests_that_exist() -> None:
    told = (ROOT / "docs" / "failure-scenarios.md").read_text()
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", told))
    assert named
    assert named <= defined
    numbers = {"S": (1, 8), "A": (1, 5), "L": (1, 6), "E": (1, 10)}
    for letter, (first, last) in numbers.items():
        for number in range(first, last + 1):
            assert f"| {letter}{number} |" in told
    assert all(f"| E{number} |" in told for number in (15, 16, 17))


def test_each_case_of_the_stand_ins_names_tests_that_exist() -> None:
    told = (ROOT / "docs" / "stand-ins.md").read_text()
    rows = [line for line in told.splitlines() if re.match(r"\| (?!case)[^-]", line)]
    named = [re.findall(r"`(test_\w+\.py::[\w:]+)`", row) for row in rows]
    assert len(rows) > 60
    assert all(named), "each case names a test"
    sources = re.compile(r"\]\[[\w-]+\]|the stand-in's own")
    assert [row for row in rows if not sources.search(row)] == [], "each case names its source"
    defined = {
        name
        for path in (ROOT / "tests" / "contracts").glob("test_*_simulator*.py")
        for name in named_in(path)
    }
    assert {each for row in named for each in row} <= defined


def named_in(path: Path) -> set[str]:
    """Names as pytest gives them, without parameters."""
    found = set()
    for each in ast.parse(path.read_text()).body:
        inside = each.body if isinstance(each, ast.ClassDef) else [each]
        within = f"{each.name}::" if isinstance(each, ast.ClassDef) else ""
        found |= {
            f"{path.name}::{within}{test.name}"
            for test in inside
            if isinstance(test, ast.FunctionDef)
        }
    return found


def test_each_link_of_the_stand_ins_leads_somewhere() -> None:
    told = (ROOT / "docs" / "stand-ins.md").read_text()
    used = set(re.findall(r"\]\[([\w-]+)\]", told))
    assert used == set(re.findall(r"^\[([\w-]+)\]: https://\S+$", told, re.MULTILINE))


@pytest.mark.parametrize(
    "page",
    ["README.md", "ARCHITECTURE.md", "docs/examples/manifests/README.md"],
)
def test_each_link_to_a_file_or_a_heading_of_ours_leads_somewhere(page: str) -> None:
    told = (ROOT / page).read_text()
    headings = {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", told, re.MULTILINE)
    }
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", told):
        path, _, heading = link.partition("#")
        assert not path or ((ROOT / page).parent / path).exists(), link
        assert not heading or path or heading in headings, link


def test_readme_names_the_reason_codes_and_policies_there_are() -> None:
    """Those it quotes, at least."""
    section = (ROOT / "README.md").read_text().partition("## Kubernetes and Argo CD")[2]
    codes = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)*)`", section.partition("\n## ")[0]))
    settings = {name.upper() for name in Settings.model_fields}
    assert codes
    assert codes - settings <= {code.value for code in ReasonCode}
