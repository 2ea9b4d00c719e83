"""An overlay in a checkout: its images, others in their place, and proof that nothing else changes with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gitops.kustomize import Kustomize
from gitops.releases.images import Image, ImagesError, changed, read
from gitops.releases.trailers import Move
from gitops.tree import KUSTOMIZATIONS, Tree

_ABSENT = object()
# What kustomize itself sets by `images:`.
_CONTAINER = re.compile(r"\.(containers|initContainers)\[[0-9]+\]\.image$")


def images(root: Path, overlay: str) -> tuple[Image, ...]:
    """The images that the overlay sets. Raises ImagesError, also where there is no such overlay."""
    path = _kustomization(root, overlay)
    try:
        return read(path.read_bytes())
    except ImagesError as error:
        raise ImagesError(f"{overlay}/{path.name}: {error}") from None


def move(root: Path, overlay: str, wanted: Sequence[Image]) -> bool:
    """Give these images, which the overlay sets, other versions; whether that changed anything. Raises ImagesError."""
    path = _kustomization(root, overlay)
    before = path.read_bytes()
    try:
        after = changed(before, wanted)
    except ImagesError as error:
        raise ImagesError(f"{overlay}/{path.name}: {error}") from None
    if after == before:
        return False
    path.write_bytes(after)
    return True


def moves(has: Sequence[Image], wanted: Sequence[Image]) -> tuple[Move, ...]:
    """What `move` would change, where an overlay has these images: of those that it has, the ones that differ."""
    before = {one.name: one for one in has}
    return tuple(
        Move(one.name, before[one.name].version, one.version)
        for one in wanted
        if one.name in before and not _same(before[one.name], one)
    )


def exists(root: Path, overlay: str) -> bool:
    """Whether there is such an overlay."""
    return any((root / overlay / name).is_file() for name in KUSTOMIZATIONS)


def built(root: Path, overlay: str) -> list[Any]:
    """The objects that kustomize makes of the overlay. Raises KustomizeError without one, ImagesError if it fails."""
    found = Kustomize(Tree(root.resolve())).build([overlay])[overlay]
    if found.error:
        raise ImagesError(f"{overlay} doesn't build: {found.error}")
    return [one.object for one in found.objects]


def more_than_images(before: Any, after: Any) -> list[str]:
    """The places where two builds differ and which aren't `image` of a container: what a promotion must not change."""
    return [
        place
        for place, one, other in _differences(before, after, "")
        if not (_CONTAINER.search(place) and isinstance(one, str) and isinstance(other, str))
    ]


def _same(has: Image, wanted: Image) -> bool:
    """Whether an entry needs no change: it has a tag, or a digest, or both."""
    return all(
        mine == theirs
        for mine, theirs in ((has.tag, wanted.tag), (has.digest, wanted.digest))
        if mine
    )


def _kustomization(root: Path, overlay: str) -> Path:
    for name in KUSTOMIZATIONS:
        path = root / overlay / name
        if path.is_file():
            # Whoever may commit could lead a write out of the repo, or from one environment into another.
            if path.resolve() != root.resolve() / overlay / name:
                raise ImagesError(f"{overlay}/{name} is a link; make it a file")
            return path
    raise ImagesError(f"{overlay} has no kustomization.yaml")


def _differences(one: Any, other: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in {**one, **other}:
            yield from _differences(
                one.get(key, _ABSENT), other.get(key, _ABSENT), f"{place}.{key}"
            )
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(left, right, f"{place}[{number}]")
    elif one != other:
        yield place.removeprefix("."), one, other


def names(root: Path, overlay: str) -> list[str]:
    """The name of the overlay's kustomization. Raises ImagesError."""
    return [_kustomization(root, overlay).name]
