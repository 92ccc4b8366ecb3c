"""What a process needs to know before it starts: settings and catalog, or all their problems."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.settings.catalog_watch import LiveCatalog
from bot.settings.environment import (
    Settings,
    read_catalog_path,
    read_database_url,
    read_settings,
)
from bot.settings.problems import CatalogProblems, SettingsProblems


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings that were checked, and a catalog that follows its file."""

    settings: Settings
    catalog: LiveCatalog


def load_settings(env_file: Path | None = Path(".env")) -> Configuration:
    """Read environment, ``env_file`` (``None``: no such file) and the catalog they name.

    Raises ``SettingsProblems`` with everything that is wrong in any of them.
    """
    settings, problems = read_settings(env_file)
    path, unreadable = read_catalog_path(env_file)
    problems += unreadable
    catalog = None
    if path is not None:
        try:
            catalog = LiveCatalog(path)
        except CatalogProblems as broken:
            problems += broken.problems
    if problems or settings is None or catalog is None:
        raise SettingsProblems(problems)
    return Configuration(settings, catalog)


def catalog_path(env_file: Path | None = Path(".env")) -> Path:
    """Where the catalog is, without minding the rest. Raises ``SettingsProblems``."""
    path, problems = read_catalog_path(env_file)
    if path is None:
        raise SettingsProblems(problems)
    return path


def database_url(env_file: Path | None = Path(".env")) -> str:
    """Where the database is, without minding the rest. Raises ``SettingsProblems``."""
    url, problems = read_database_url(env_file)
    if problems:
        raise SettingsProblems(problems)
    return url
