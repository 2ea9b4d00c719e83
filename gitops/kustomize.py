"""What Kustomize makes of the repo's directories: the real program's answer, or its last one where nothing changed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from gitops.tree import KUSTOMIZATIONS, Tree
from stacks.loading.document import DocumentError, read
from stacks.loading.yaml_speed import LOADER

SECONDS = 120
MOST_VALUES = 1_000_000
"""Values that a document may have: the largest CRDs have some ten thousand."""
_FORMAT = "1"
# How Kustomize wraps what is wrong, directory by directory, and tries each resource as a file and as a directory.
_WRAPPED = (
    (re.compile(r"^.*recursed accumulation of path '([^']*)': "), r"in \1: "),
    (
        re.compile(
            r"accumulating resources: accumulation err='accumulating resources from '([^']*)': (.*?)': must .*"
        ),
        r'resource "\1": \2',
    ),
    (re.compile(r"evalsymlink failure on '[^']*' : lstat (\S+): "), r"\1: "),
    (re.compile(r"^.*couldn't make target for path '([^']*)': "), r"in \1: "),
)
_ORIGIN = "config.kubernetes.io/origin"


class KustomizeError(Exception):
    """There is no program to build with; the message says what to install."""


@dataclass(frozen=True)
class Rendered:
    """An object as Argo CD would apply it, and the file in the repo that it comes from, if known."""

    object: Mapping[str, Any]
    file: str

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.object.get("kind") or "")

    @property
    def group(self) -> str:
        """Its API group; "" is the core group."""
        group, slash, _ = str(self.object.get("apiVersion") or "").partition("/")
        return group if slash else ""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Its metadata."""
        found = self.object.get("metadata")
        return found if isinstance(found, dict) else {}

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.metadata.get("name") or "")


@dataclass(frozen=True)
class Built:
    """What a directory makes, or why it makes nothing. `key` changes with whatever it is made of."""

    objects: tuple[Rendered, ...] = ()
    error: str = ""
    key: str = ""


class Kustomize:
    """The program, for one repo; what was built before is under `cache`, where that is given."""

    def __init__(self, tree: Tree, cache: Path | None = None) -> None:
        self._tree = tree
        self._cache = cache
        program = shutil.which("kustomize")
        if not program:
            raise KustomizeError(
                "there is no kustomize on PATH; install it, as Argo CD has it in its image"
            )
        self._program = program
        said = self._run(["version"]).stdout.strip()
        self._version = said
        self._texts: dict[Path, tuple[str, tuple[Path, ...]]] = {}

    def build(self, directories: Iterable[str]) -> dict[str, Built]:
        """What each of these directories of the repo makes."""
        wanted = list(dict.fromkeys(directories))
        keys = {one: self._key(one) for one in wanted}
        found = {one: built for one in wanted if (built := self._cached(keys[one]))}
        missing = [one for one in wanted if one not in found]
        plain = [one for one in missing if not _kustomization(self._tree.root / one)]
        for one in plain:
            found[one] = self._plain(one)
        left = [one for one in missing if one not in found]
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            found |= dict(zip(left, pool.map(self._built, left), strict=True))
        for one in missing:
            found[one] = Built(found[one].objects, found[one].error, keys[one])
            self._keep(found[one])
        return {one: found[one] for one in wanted}

    def _built(self, directory: str) -> Built:
        """What the program makes of a directory, by way of another one that asks for each object's origin."""
        with tempfile.TemporaryDirectory(prefix="fleet-lint-") as temporary:
            work = Path(temporary).resolve()
            way = os.path.relpath(self._tree.root / directory, work)
            kustomization = {"buildMetadata": ["originAnnotations"], "resources": [way]}
            (work / "kustomization.yaml").write_text(json.dumps(kustomization))
            done = self._run(["build", str(work)])
            if done.returncode:
                return Built(error=self._said(done.stderr))
            documents = yaml.load_all(done.stdout, Loader=LOADER)
            return Built(tuple(self._rendered(as_json(one), work) for one in documents))

    def _rendered(self, one: dict[str, Any], work: Path) -> Rendered:
        annotations = one["metadata"]["annotations"]
        origin = read(annotations.pop(_ORIGIN, "") or "{}")
        if not annotations:
            del one["metadata"]["annotations"]
        file = ""
        if (path := origin.get("path") or origin.get("configuredIn")) and not origin.get("repo"):
            place = Path(os.path.normpath(work / path))
            if place.is_relative_to(self._tree.root):
                file = place.relative_to(self._tree.root).as_posix()
        return Rendered(one, file)

    def _plain(self, directory: str) -> Built:
        """A directory without a kustomization: Argo CD applies its manifests as they are, those of no deeper one."""
        folder = self._tree.root / directory
        if (folder / "Chart.yaml").exists():
            return Built()  # Helm's; which values it gets is Argo CD's matter.
        found = []
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix not in (".yaml", ".yml", ".json") or not path.is_file():
                continue
            if not path.resolve().is_relative_to(self._tree.root):
                return Built(error=f"{path.name} is a link that leads out of the repo")
            try:
                documents = list(yaml.load_all(path.read_text(), Loader=LOADER))
                documents = [as_json(one) for one in documents]
            except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:
                said = getattr(error, "problem", None) or "it can't be read"
                return Built(error=f"{path.name} is no YAML: {said}")
            file = path.relative_to(self._tree.root).as_posix()
            found += [Rendered(one, file) for one in documents if isinstance(one, dict)]
        return Built(tuple(found))

    def _said(self, text: str) -> str:
        """The program's own words: the innermost, which say what is wrong, with paths as the repo has them."""
        said = " ".join(text.split()).removeprefix("Error: ").replace(f"{self._tree.root}/", "")
        for pattern, plain in _WRAPPED:
            said = pattern.sub(plain, said)
        return said[:600]

    def _run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [self._program, *words],
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            said = f"Error: kustomize gave no answer within {SECONDS} s; does a resource come from a URL?"
            return subprocess.CompletedProcess(words, 1, "", said)

    def files(self, directory: str) -> dict[str, str]:
        """All files that a directory is made of, by path, each with its digest: its own, what they name, and so on."""
        seen: set[Path] = set()
        first = (self._tree.root / directory).resolve()
        left = [first]
        files = {}
        while left:
            one = _resolved(left.pop())
            # Links may lead round and round, or out.
            if one is None or one in seen or not one.is_relative_to(self._tree.root):
                continue
            seen.add(one)
            if one.is_dir():
                left += one.iterdir() if one == first else _first_files(one)
            elif one.is_file():
                digest, named = self._read(one)
                files[one.relative_to(self._tree.root).as_posix()] = digest
                left += named
        return files

    def _key(self, directory: str) -> str:
        """A digest over all that a directory is made of."""
        whole = hashlib.sha256(f"{_FORMAT} {self._version} {directory}\n".encode())
        for line in sorted(f"{path} {digest}\n" for path, digest in self.files(directory).items()):
            whole.update(line.encode())
        return whole.hexdigest()

    def _read(self, path: Path) -> tuple[str, tuple[Path, ...]]:
        """A file's digest, and, of a kustomization, what it names that is in the repo."""
        if path not in self._texts:
            content = path.read_bytes()
            named: tuple[Path, ...] = ()
            if path.name in KUSTOMIZATIONS:
                named = tuple(self._named(path.parent, content))
            self._texts[path] = hashlib.sha256(content).hexdigest(), named
        return self._texts[path]

    def _named(self, folder: Path, content: bytes) -> Iterator[Path]:
        try:
            document = read(content.decode(), kubernetes=True)
        except (DocumentError, ValueError):
            return
        for text in _texts(document):
            for part in {text, text.rpartition("=")[2]}:
                try:
                    place = Path(os.path.normpath(folder / part))
                    if place != folder and place.is_relative_to(self._tree.root) and place.exists():
                        yield place
                except (OSError, ValueError):
                    continue

    def _cached(self, key: str) -> Built | None:
        if not self._cache:
            return None
        try:
            found = json.loads((self._cache / key[:2] / f"{key}.json").read_text())
            objects = tuple(Rendered(one, file) for one, file in found["objects"])
            return Built(objects, found["error"], key)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _keep(self, built: Built) -> None:
        if not self._cache:
            return
        folder = self._cache / built.key[:2]
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {
            "objects": [(one.object, one.file) for one in built.objects],
            "error": built.error,
        }
        # Whole or not at all: two may lint at once.
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
            json.dump(content, file)
        Path(file.name).replace(folder / f"{built.key}.json")


def as_json(value: Any) -> Any:
    """What a YAML document is to Kubernetes, which reads it by way of JSON: keys are texts, and so are dates.

    Raises ValueError where it is too large: a few aliases may stand for billions of values.
    """
    return _as_json(value, [MOST_VALUES])


def _as_json(value: Any, left: list[int]) -> Any:
    left[0] -= 1
    if left[0] < 0:
        raise ValueError("too large")
    match value:
        case dict():
            return {_text(key): _as_json(item, left) for key, item in value.items()}
        case list() | tuple() | set():
            return [_as_json(item, left) for item in value]
        case None | bool() | int() | float() | str():
            return value
    return _text(value)


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case bytes():
            return base64.b64encode(value).decode()
        case date():
            return value.isoformat()
    return str(value)


def _kustomization(folder: Path) -> bool:
    return any((folder / name).is_file() for name in KUSTOMIZATIONS)


def _resolved(path: Path) -> Path | None:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # RuntimeError: a link to itself, before Python 3.13.
        return None


def _first_files(folder: Path) -> Iterable[Path]:
    """Of a directory that a kustomization names: its kustomization, which names the rest."""
    own = [folder / name for name in KUSTOMIZATIONS if (folder / name).is_file()]
    return own or folder.iterdir()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str) and "\n" not in value and len(value) < 500:
        yield value
