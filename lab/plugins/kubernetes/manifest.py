"""Manifests: from YAML to objects, and in which order objects have to be created.

The order is that of the official plugin: a Namespace before what goes into it, a CRD before its
objects, and `config.kubernetes.io/depends-on` as written.
"""

from __future__ import annotations

import glob
import re
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from lab.plugins.kubernetes import objects
from lab.plugins.kubernetes.cluster import canonical
from lab.plugins.kubernetes.wire import Object, Secret, plain, secret

_DEPENDS_ON = "config.kubernetes.io/depends-on"
_DOWNLOAD_SECONDS = 60


class ManifestError(Exception):
    """A manifest can't be used; the text says which and why."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # untyped
    """YAML as Go reads it: no dates, no base-60 numbers, `=` is a text, `1e3` a number."""


_INT = r"^(?:[-+]?0b[01_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?0[0-7_]*|[-+]?[1-9][0-9_]*)$"
_FLOAT = (
    r"^(?:[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_TAG = "tag:yaml.org,2002:"
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in found
        if tag.removeprefix(_TAG) not in ("timestamp", "value", "int", "float")
    ]
    for first, found in _Loader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(_INT), list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", re.compile(_FLOAT), list("-+.0123456789"))


def parse(text: str, where: str) -> list[Object]:
    """Return the objects of a YAML text of any number of documents; raises `ManifestError`."""
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise ManifestError(f"{where}: {problem}{line}") from None
    for document in documents:
        if document is not None and not isinstance(document, dict):
            raise ManifestError(f"{where}: a document is no Kubernetes object")
    return [document for document in documents if document]


def read(name: str) -> list[Object]:
    """Return the objects of a file, of all files of a glob pattern, or of an http(s) URL."""
    if name.startswith(("http://", "https://")):
        try:
            with urllib.request.urlopen(name, timeout=_DOWNLOAD_SECONDS) as answer:  # noqa: S310
                return parse(answer.read().decode(), name)
        except (urllib.error.URLError, OSError) as error:
            raise ManifestError(f"{name}: {error}") from None
    pattern = re.search(r"[*?\[]", name)
    files = sorted(glob.glob(name)) if pattern else [name]  # noqa: PTH207  # may be absolute
    found: list[Object] = []
    for file in files:
        try:
            found += parse(Path(file).read_text(), file)
        except OSError as error:
            raise ManifestError(f"{file}: {error.strerror}") from None
    return found


def flatten(found: Iterable[Object]) -> list[Object]:
    """Return the objects with the items of lists in the place of the lists; all are validated."""
    flat: list[Object] = []
    for obj in found:
        kind, items = plain(obj.get("kind")), obj.get("items")
        if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
            flat += flatten(items)
            continue
        shown = f"{obj.get('apiVersion')}/{obj.get('kind')} {objects.metadata(obj).get('name')}"
        if not obj.get("kind") or not obj.get("apiVersion"):
            raise ManifestError(f"Kubernetes resources require a kind and apiVersion: {shown}")
        if "name" not in objects.metadata(obj):
            raise ManifestError(f"Kubernetes resources require a .metadata.name: {shown}")
        flat.append(obj)
    return flat


def resource_name(prefix: str, obj: Object) -> str:
    """Return the official name of a child: `<prefix>:<namespace>/<name>`."""
    name = objects.object_id(obj)
    return f"{prefix}:{name}" if prefix else name


def dependencies(found: list[Object]) -> list[list[int]]:
    """Return, for each object, the positions of those it has to wait for."""
    by_key = {_key(obj): position for position, obj in enumerate(found)}
    namespaces = {
        objects.metadata(obj)["name"]: position
        for position, obj in enumerate(found)
        if objects.full_kind(obj) == "v1/Namespace"
    }
    crds = {
        (spec.get("group"), spec["names"].get("kind")): position
        for position, obj in enumerate(found)
        if objects.full_kind(obj).endswith("/CustomResourceDefinition")
        and isinstance(spec := plain(obj.get("spec")), dict)
        and isinstance(spec.get("names"), dict)
    }
    waits: list[list[int]] = []
    for position, obj in enumerate(found):
        group = canonical(objects.text(plain(obj.get("apiVersion")))).rpartition("/")[0]
        before = {
            namespaces.get(objects.metadata(obj).get("namespace")),
            crds.get((group, plain(obj.get("kind")))),
            *(by_key.get(key) for key in _written(obj)),
        }
        waits.append(sorted(one for one in before if one is not None and one != position))
    _without_cycles(waits)
    return waits


def _key(obj: Object) -> tuple[str, str, str, str]:
    group = canonical(objects.text(plain(obj.get("apiVersion")))).rpartition("/")[0]
    meta = objects.metadata(obj)
    kind = objects.text(plain(obj.get("kind")))
    return group, objects.text(meta.get("namespace")), kind, objects.text(meta.get("name"))


def _written(obj: Object) -> Iterable[tuple[str, str, str, str]]:
    for one in objects.annotation(obj, _DEPENDS_ON).split(","):
        parts = one.strip().split("/")
        if len(parts) == 3:
            yield parts[0], "", parts[1], parts[2]
        elif len(parts) == 5 and parts[1] == "namespaces":
            yield parts[0], parts[2], parts[3], parts[4]


def _without_cycles(waits: list[list[int]]) -> None:
    done: set[int] = set()
    left = set(range(len(waits)))
    while left:
        free = {one for one in left if done.issuperset(waits[one])}
        if not free:
            raise ManifestError(f"{_DEPENDS_ON}: objects wait for each other in a circle")
        done |= free
        left -= free


def hide(value: Any, hidden: set[str]) -> Any:
    """Return `value` with a secret around every text that contains one of `hidden`."""
    if isinstance(value, str):
        return secret(value) if any(one in value for one in hidden) else value
    if isinstance(value, dict):
        return {key: hide(item, hidden) for key, item in value.items()}
    if isinstance(value, list):
        return [hide(item, hidden) for item in value]
    return value


def unwrap_list(value: Any) -> list[Any]:
    """Return the list in `value`; where all of it is secret, what objects hold is.

    `apiVersion`, `kind` and `metadata` stay legible: names of resources come from them.
    """
    if not isinstance(value, Secret):
        return list(value or [])
    legible = ("apiVersion", "kind", "metadata")
    return [
        {key: item if key in legible else Secret(item) for key, item in obj.items()}
        if isinstance(obj, dict)
        else obj
        for obj in value.value
    ]
