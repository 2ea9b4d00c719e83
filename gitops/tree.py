"""The directories of a gitops-config repo, as Argo CD's git generator and its repo server see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


class TreeError(Exception):
    """A directory that is no gitops-config repo; the message says why."""


@dataclass(frozen=True)
class Tree:
    """A checkout of a repo. Paths are the repo's own, with `/`.

    `team` is whose config repo it is, empty for the gitops-config repo; `shown` stands before its paths in findings.
    """

    root: Path
    team: str = ""
    shown: str = ""
    _there: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)
    """What was looked at: fifty spokes ask for the same directories."""
    _services: dict[str, dict[str, tuple[str, ...]]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def at(cls, root: Path) -> Tree:
        """The gitops-config repo at `root`. Raises TreeError where there is none."""
        if not root.is_dir():
            raise TreeError(f"{root} is no directory")
        found = cls(root.resolve())
        if not found.services("apps") and not found.clusters:
            raise TreeError(
                f"{root} is no gitops-config repo: it has neither apps/<service>/overlays/<environment> nor "
                "clusters/<cluster>/platform"
            )
        return found

    @classmethod
    def of_team(cls, root: Path, team: str, path: str) -> Tree:
        """The config repo of a team at `root`, with its services in `path`. Raises TreeError where there is none."""
        if not root.is_dir():
            raise TreeError(f"{root} is no directory")
        shown = root.as_posix()
        found = cls(root.resolve(), team, "" if shown == "." else f"{shown}/")
        if not found.services(path):
            raise TreeError(
                f'{root} is not the repo of team "{team}": it has no {path}/<service>/overlays/<environment>'
            )
        return found

    def services(self, path: str) -> dict[str, tuple[str, ...]]:
        """The directories in one, each with the environments that it has an overlay for; all sorted."""
        if path not in self._services:
            self._services[path] = {
                name: tuple(self._inside(f"{path}/{name}/overlays")) for name in self._inside(path)
            }
        return self._services[path]

    @cached_property
    def clusters(self) -> tuple[str, ...]:
        """The directories under clusters/ that have a `platform`, sorted."""
        return tuple(
            name for name in self._inside("clusters") if self.has(f"clusters/{name}/platform")
        )

    def has(self, path: str) -> bool:
        """Whether the repo has this directory. One that is empty, git doesn't know; nor may it lead out of the repo."""
        if path not in self._there:
            folder = self.root / path
            self._there[path] = (
                folder.is_dir()
                and folder.resolve().is_relative_to(self.root)
                and any(one.is_file() for one in folder.rglob("*"))
            )
        return self._there[path]

    def _inside(self, path: str) -> list[str]:
        """The directories in one; Argo CD passes over those that begin with a dot, and over links."""
        folder = self.root / path
        if not folder.is_dir() or folder.is_symlink():
            return []
        return sorted(
            one.name
            for one in folder.iterdir()
            if one.is_dir() and not one.is_symlink() and not one.name.startswith(".")
        )
