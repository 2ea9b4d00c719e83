"""What a branch had, and since when: the images of overlays through its history, from git alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from gitops import git
from gitops.releases.images import Image, ImagesError, read
from gitops.tree import KUSTOMIZATIONS

_NOTHING = "0" * 40


@dataclass(frozen=True)
class Commit:
    """A commit of the branch itself: what a merge brought has the merge's time, which is when it took effect.

    `message` has behind a merge's own those of the commits that it brought.
    """

    id: str
    at: datetime
    author: str
    subject: str
    message: str
    is_merge: bool = False


@dataclass(frozen=True)
class Change:
    """That a commit changed an overlay's images to these; `images` is empty where it names none, or can't be read."""

    commit: Commit
    images: tuple[Image, ...]


def changes(folder: Path, branch: str, pathspecs: Iterable[str]) -> dict[str, list[Change]]:
    """By overlay (a path in the repo), the commits that changed its images, the newest first. Raises GitError.

    Along the branch's first parents: what was on it, not what was on branches that were merged.
    """
    # What no message can hold.
    mark = secrets.token_hex(16)
    form = f"{mark}%H%x00%P%x00%cI%x00%an%x00%s%x00%B%x00"
    words = ("log", "--first-parent", "--diff-merges=first-parent", "--raw", "--no-abbrev")
    said = git.run(
        folder,
        *("-c", "core.quotePath=off", *words, "--no-renames", f"--format={form}", branch, "--"),
        *pathspecs,
    ).decode(errors="replace")
    touched = [one for record in said.split(mark)[1:] for one in _record(record)]
    blobs = _images(folder, {blob for _, _, blob in touched if blob != _NOTHING})
    found: dict[str, list[Change]] = {}
    for commit, path, blob in touched:
        found.setdefault(path.rpartition("/")[0], []).append(Change(commit, blobs.get(blob, ())))
    kept = {overlay: list(_only_changes(its)) for overlay, its in found.items()}
    merges = {one.commit.id for its in kept.values() for one in its if one.commit.is_merge}
    brought = _brought(folder, branch, merges) if merges else {}
    return {
        overlay: [_with(one, brought.get(one.commit.id, ())) for one in its]
        for overlay, its in kept.items()
    }


def of_overlays(folder: str) -> list[str]:
    """The pathspecs of all overlays' kustomizations in a directory of services."""
    return [f":(glob){folder}/*/overlays/*/{name}" for name in KUSTOMIZATIONS]


def of_overlay(overlay: str) -> list[str]:
    """The pathspecs of one overlay's kustomization."""
    return [f":(literal){overlay}/{name}" for name in KUSTOMIZATIONS]


def versions(images: Iterable[Image]) -> Mapping[str, str]:
    """Version by image: what is compared, whatever order they stand in."""
    return {one.name: one.version for one in images}


def _record(text: str) -> Iterator[tuple[Commit, str, str]]:
    identity, parents, at, author, subject, message, raw = text.split("\x00", 6)
    commit = Commit(
        identity, datetime.fromisoformat(at), author, subject, message.strip(), " " in parents
    )
    for line in raw.split("\n"):
        if line.startswith(":"):
            modes, _, path = line.partition("\t")
            yield commit, path, modes.split()[3]


def _with(change: Change, brought: Iterable[str]) -> Change:
    message = "\n\n".join([change.commit.message, *brought])
    return replace(change, commit=replace(change.commit, message=message))


def _brought(folder: Path, branch: str, merges: set[str]) -> dict[str, list[str]]:
    """By merge on the branch, the messages of the commits that it brought, the newest first."""
    said = git.run(folder, "log", "-z", "--format=%H%x01%P%x01%B", branch).decode(errors="replace")
    parents, messages = {}, {}
    for record in filter(None, said.split("\0")):
        name, its, message = record.split("\x01", 2)
        parents[name], messages[name] = its.split(), message.strip()
    line = [next(iter(parents))]
    while ahead := parents.get(line[-1]):
        line.append(ahead[0])
    seen = set(line)
    found: dict[str, list[str]] = {}
    for merge in reversed(line):
        left, brought = parents.get(merge, [])[1:], list[str]()
        while left:
            one = left.pop()
            if one not in seen and one in messages:
                seen.add(one)
                brought.append(messages[one])
                left += parents[one]
        if merge in merges:
            found[merge] = brought
    return found


def _images(folder: Path, blobs: set[str]) -> dict[str, tuple[Image, ...]]:
    asked = sorted(blobs)
    said = git.run(
        folder, "cat-file", "--batch", stdin="".join(f"{one}\n" for one in asked).encode()
    )
    found = {}
    place = 0
    for one in asked:
        end = said.index(b"\n", place)
        size = int(said[place:end].split()[2])
        content = said[end + 1 : end + 1 + size]
        place = end + 1 + size + 1
        try:
            found[one] = read(content)
        except ImagesError:
            found[one] = ()
    return found


def _only_changes(its: list[Change]) -> Iterator[Change]:
    """Without the commits that changed something else in the file."""
    for newer, older in zip(its, [*its[1:], None], strict=True):
        if older is None or versions(newer.images) != versions(older.images):
            yield newer
