from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.commands.mistakes import Mistake
from bot.model import errors
from bot.policy.reasons import MEANINGS, ReasonCode, explain

BOT = Path(__file__).parents[3] / "bot"
CODE = re.compile(r"[A-Z]{3,}(_[A-Z]+)*")
#: Where a code stands among the positional arguments of what carries one.
CARRIERS = {"Refused": 0, "Refusal": 0, "Ending": 2}


@pytest.mark.parametrize("code", ReasonCode)
def test_every_code_is_explained(code: ReasonCode) -> None:
    meaning = explain(code)
    assert meaning == MEANINGS[code]
    for sentence in meaning:
        assert sentence.strip().endswith((".", "142.", "@quarterdeck", "locks."))
        assert sentence[0].isupper() or sentence.startswith("/")
    assert code.value == code.name


def test_a_code_of_another_version_gets_an_answer() -> None:
    assert all(explain("FROM_THE_FUTURE"))
    assert all(explain(""))


def test_the_parsers_mistakes_are_in_the_list() -> None:
    assert {mistake.value for mistake in Mistake} <= {code.value for code in ReasonCode}


def test_every_faults_own_code_is_in_the_list() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.reason_code for kind in kinds if issubclass(kind, errors.QuarterdeckError)}
    assert len(codes) >= 9
    assert codes <= {code.value for code in ReasonCode}


def _codes_in(tree: ast.AST) -> Iterator[str]:
    """Literal reason codes: in keywords, in class bodies and in what carries one."""
    for node in ast.walk(tree):
        found: list[ast.expr] = []
        if isinstance(node, ast.Assign) and any(
            isinstance(name, ast.Name) and name.id == "reason_code" for name in node.targets
        ):
            found = [node.value]
        elif isinstance(node, ast.Call):
            found = [word.value for word in node.keywords if word.arg in {"reason_code", "code"}]
            at = CARRIERS.get(getattr(node.func, "id", ""))
            if at is not None and len(node.args) > at:
                found.append(node.args[at])
        for value in found:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value


def test_every_code_that_is_used_anywhere_is_in_the_list() -> None:
    used = {
        (path.name, code)
        for path in BOT.rglob("*.py")
        if "playground" not in path.parts
        for code in _codes_in(ast.parse(path.read_text()))
        if CODE.fullmatch(code)
    }
    assert len(used) >= 20
    known = {code.value for code in ReasonCode}
    assert {(where, code) for where, code in used if code not in known} == set()
