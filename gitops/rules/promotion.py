"""Whether versions moved by the pipeline: what changed since a commit, held against the trailers of what came since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gitops import git
from gitops.finding import Finding
from gitops.releases.history import of_overlays, versions
from gitops.releases.images import ImagesError, read
from gitops.releases.trailers import read as records
from gitops.repo import Repo, folders
from gitops.tree import Tree


def findings(repo: Repo, base: str) -> Iterator[Finding]:
    """Versions that moved since `base` without a commit of Fleet's that says so. Raises GitError."""
    for team, tree in repo.trees.items():
        found = git.run(tree.root, "merge-base", base, "HEAD", check=False).decode().strip()
        if not found:
            raise git.GitError(
                f'--base "{base}" is no commit that {tree.root.name} has something in common with; in CI, check out '
                "the whole history (fetch-depth: 0)"
            )
        for folder in sorted(folders(repo.stacks, team)):
            yield from _of_folder(tree, folder, found)


def _of_folder(tree: Tree, folder: str, base: str) -> Iterator[Finding]:
    words = ("diff", "--name-only", "--no-renames", "-z", base, "HEAD", "--")
    said = git.run(tree.root, *words, *of_overlays(folder)).decode(errors="replace")
    moved = _moved(tree, base)
    for path in filter(None, said.split("\0")):
        _, service, _, environment, _ = path[len(folder) :].split("/")
        before, after = _versions(tree, base, path), _versions(tree, "HEAD", path)
        for image, version in after.items():
            old = before.get(image)
            new = old is None and not before
            if new or old == version or (service, environment, image, version) in moved:
                continue
            yield Finding(
                tree.shown + path,
                0,
                "promotion",
                f"{image} goes from {old} to {version} by a hand on the tag; let it come by `fleet promote` or "
                "`fleet rollback`",
            )


def _moved(tree: Tree, base: str) -> set[tuple[str, str, str, str]]:
    said = git.run(tree.root, "log", "-z", "--format=%B", f"{base}..HEAD").decode(errors="replace")
    return {
        (one.service, one.environment, move.name, move.after)
        for message in said.split("\0")
        for one in records(message)
        for move in one.moves
    }


def _versions(tree: Tree, commit: str, path: str) -> Mapping[str, str]:
    try:
        return versions(read(git.run(tree.root, "show", f"{commit}:./{path}", check=False)))
    except ImagesError:
        return {}
