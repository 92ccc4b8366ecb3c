"""Help, completion and the README's table: all of it from the grammar, and nothing else."""

from __future__ import annotations

from bot.commands.grammar import COMMANDS, CommandSpec, Option, by_verb


def help_text(topic: str = "") -> str:
    """Slack mrkdwn: every command in a line, or one in full. An unknown topic shows them all."""
    spec = by_verb(topic.removeprefix("/")) if topic else None
    return _in_full(spec) if spec is not None else _all()


def completions(prefix: str) -> tuple[str, ...]:
    """Beginnings of commands that go on from ``prefix``, for whoever types in a terminal."""
    typed = " ".join(prefix.casefold().split())
    starts = (f"{spec.slash} {spec.verb}".strip() for spec in COMMANDS)
    return tuple(start for start in starts if start.startswith(typed))


def readme_table() -> str:
    """The README's table of commands, in Markdown, without a newline at its end."""
    rows = [f"| `{spec.usage.replace('|', chr(92) + '|')}` | {spec.summary} |" for spec in COMMANDS]
    return "\n".join(["| command | what it does |", "|---|---|", *rows])


def _all() -> str:
    lines = [f"`{_escape(spec.usage)}`\n{spec.summary}" for spec in COMMANDS]
    more = f"More about one: `{_escape('/deploy help <command>')}`"
    return "\n".join(["*Commands*", *lines, more])


def _in_full(spec: CommandSpec) -> str:
    blocks = [f"`{_escape(spec.usage)}`", spec.summary, _escape(spec.details)]
    if spec.options:
        blocks.append("\n".join(_option(option) for option in spec.options))
    if spec.aliases:
        blocks.append(f"Also: {', '.join(spec.aliases)}")
    examples = "\n".join(f"`{_escape(example)}`" for example in spec.examples)
    return "\n".join([*blocks, f"For example:\n{examples}"])


def _option(option: Option) -> str:
    written = f"{option.name} {option.metavar}".strip()
    return f"`{_escape(written)}` {option.summary}"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
