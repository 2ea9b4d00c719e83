"""The objects by themselves: their schema, Secrets with content, images without a tag."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitops.finding import Finding, Severity
from gitops.kustomize import Rendered
from gitops.repo import Repo


def findings(repo: Repo) -> Iterator[Finding]:
    """What is wrong with an object wherever it is deployed; once, however many overlays have it."""
    for (team, path), built in repo.built.items():
        tree = repo.trees[team]
        for one in built.objects:
            where = tree.shown + (one.file or path)
            line = 0
            for rule, said, severity in _of(repo, one):
                line = line or repo.line(one, tree)
                yield Finding(where, line, rule, f"{one.kind} {one.name}: {said}", severity)


def _of(repo: Repo, one: Rendered) -> Iterator[tuple[str, str, Severity]]:
    for said in repo.kinds.problems(one):
        yield "schema", said, "error"
    if one.kind and not repo.kinds.knows(one):
        kind = f"{one.kind} ({one.object.get('apiVersion')})"
        yield (
            "schema",
            f"no schema of {kind} is known; name a file with its CRD by `--crds`",
            "warning",
        )
    if (
        one.kind == "Secret"
        and not one.group
        and (one.object.get("data") or one.object.get("stringData"))
    ):
        yield (
            "secret",
            "holds its content, and whoever reads the repo reads it; keep it in Vault, and write an ExternalSecret. "
            "If it was ever pushed, make a new one: git forgets nothing",
            "error",
        )
    for image in _images(one.object):
        if said := _image(image):
            yield "image", said, "error"


def _images(value: Any, inside: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _images(item, str(key))
    elif isinstance(value, list):
        for item in value:
            if inside in ("containers", "initContainers", "ephemeralContainers") and isinstance(
                item, dict
            ):
                image = item.get("image")
                if isinstance(image, str):
                    yield image
            yield from _images(item)


def _image(image: str) -> str:
    name, _, digest = image.partition("@")
    if digest:
        return ""
    tag = name.rpartition("/")[2].partition(":")[2]
    if not tag:
        return f'image "{image}" has no tag, so what runs is whatever was pushed last; write one, or a digest'
    if tag == "latest":
        return f'image "{image}": latest is another image tomorrow; write a tag that stays, or a digest'
    return ""
