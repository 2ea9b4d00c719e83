"""The files that a scaffolded repo starts from: under files/, with `%{name}` where a value goes."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable
from importlib import resources

KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"


_PLAIN = re.compile(r"[A-Za-z./][\w./@-]*(:[\w./@-]+)*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", ".nan", ".inf"}
# A value that is all that a key or an entry has.
_WHOLE = re.compile(r"^(\s*(?:- )?(?:[\w./-]+: |- ))%\{(\w+)\}$", re.MULTILINE)


class _Template(string.Template):
    # `$` and `{{` are the shell's, and those of GitHub's pipelines.
    delimiter = "%"


def rendered(path: str, /, **values: object) -> str:
    """The file at `path` under files/ with these values. Raises KeyError for one that it needs and isn't given."""
    whole = _WHOLE.sub(lambda one: f"{one[1]}{_written(values[one[2]])}", text(path))
    return _Template(whole).substitute(values)


def _written(value: object) -> str:
    return scalar(value) if isinstance(value, str) else str(value)


def scalar(value: str) -> str:
    """A text as any YAML reads it as one: `1.0`, `1e3`, `on` and `123` are none to some, and may be names."""
    plain = "\n" in value or (_PLAIN.fullmatch(value) and value.lower() not in _WORDS)
    return value if plain else json.dumps(value)


def text(path: str) -> str:
    """The file at `path` under files/ as it is."""
    found = resources.files("gitops.scaffold").joinpath("files", *path.split("/"))
    return found.read_text(encoding="utf-8")


def kustomization(*resource: str, above: str = "", below: str = "") -> str:
    """A kustomization.yaml with these resources; `above` stands before them, and `below` at its end."""
    return KUSTOMIZATION + above + "resources:\n" + listed(map(scalar, resource)) + below


def listed(items: Iterable[str]) -> str:
    """A list of YAML at the level of its key."""
    return "".join(f"  - {item}\n" for item in items)
