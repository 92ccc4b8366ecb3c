"""The kubeconfig with which clients find the local cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


def write(path: Path, url: str, tokens: Mapping[str, str], current: str) -> Path:
    """Write a kubeconfig with one context for each of ``tokens``; returns its path."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "current-context": current,
        "clusters": [{"name": "local", "cluster": {"server": url}}],
        "users": [{"name": each, "user": {"token": token}} for each, token in tokens.items()],
        "contexts": [
            {"name": each, "context": {"cluster": "local", "user": each}} for each in tokens
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    # Every JSON document is a YAML one.
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path
