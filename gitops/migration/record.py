"""What a migration has found and made: what comes after it is held against this."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = "migration.json"


class MigrationError(Exception):
    """What can't be migrated; the message says why, and what to do first."""


@dataclass(frozen=True)
class TeamRepo:
    """A team's new repo: its URL, its branch, the directory beside the record that has it, and its newest commit."""

    team: str
    repo: str
    branch: str
    directory: str
    head: str
    services: tuple[str, ...]
    shared: tuple[str, ...] = ()
    """Files from elsewhere in the one repo that its services are made of: from now on a copy."""


@dataclass(frozen=True)
class Moved:
    """An Application, as it was and as it shall stay; `team` is whose repo it will be from, "" where it stays."""

    name: str
    stack: str
    set: str
    project: str
    spoke: str
    namespace: str
    path: str
    team: str


@dataclass(frozen=True)
class Migration:
    """The one repo, the commit that was split, the teams' repos, and all Applications with, where known, their UIDs."""

    repo: str
    branch: str
    revision: str
    teams: tuple[TeamRepo, ...]
    applications: tuple[Moved, ...]
    uids: dict[str, str]

    def write(self, folder: Path) -> None:
        """Put it into `folder`."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Migration:
        """That of `folder`. Raises MigrationError where it has none."""
        try:
            found: dict[str, Any] = json.loads((folder / FILE).read_text())
            return cls(
                repo=found["repo"],
                branch=found["branch"],
                revision=found["revision"],
                teams=tuple(
                    TeamRepo(
                        **{
                            **one,
                            "services": tuple(one["services"]),
                            "shared": tuple(one["shared"]),
                        }
                    )
                    for one in found["teams"]
                ),
                applications=tuple(Moved(**one) for one in found["applications"]),
                uids=found["uids"],
            )
        except OSError:
            raise MigrationError(
                f"{folder} has no {FILE}; name the directory that `fleet migrate mono-to-multi --into` made"
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise MigrationError(f"{folder / FILE} is no record of a migration: {error}") from None
