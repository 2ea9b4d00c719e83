"""Holds: which versions no automation may bring to an environment again, kept in the repo itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from gitops.releases.images import Image
from stacks.loading.yaml_speed import LOADER

FOLDER = ".fleet/holds"
_HEAD = (
    "# Versions that were rolled back here. Nothing promotes them again before:\n"
    "# fleet hold {service} --environment {environment} --lift\n"
)


class HoldError(Exception):
    """A file of holds that can't be read; the message says which, and why."""


@dataclass(frozen=True)
class Hold:
    """One image's version, since which day (UTC), by whom, and why."""

    image: str
    version: str
    since: str
    by: str
    reason: str


def path(environment: str, service: str) -> str:
    """The file in the repo that has the holds of a service in an environment."""
    return f"{FOLDER}/{environment}/{service}.yaml"


def read(root: Path, environment: str, service: str) -> tuple[Hold, ...]:
    """The holds; none where there is no file. Raises HoldError: one that can't be read may hold anything."""
    file = _file(root, environment, service)
    if not file.exists():
        return ()
    try:
        found = yaml.load(file.read_bytes(), Loader=LOADER)  # noqa: S506  # the safe one
        return tuple(Hold(**{key: str(value) for key, value in one.items()}) for one in found or ())
    except (OSError, yaml.YAMLError, TypeError, AttributeError, ValueError, RecursionError):
        raise HoldError(
            f"{path(environment, service)} is no list of image, version, since, by and reason; mend it, or `git rm` "
            "it, which lifts the hold"
        ) from None


def write(root: Path, environment: str, service: str, holds: tuple[Hold, ...]) -> None:
    """Write them; without any, the file goes."""
    file = _file(root, environment, service)
    if not holds:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    head = _HEAD.format(service=service, environment=environment)
    body = yaml.safe_dump([asdict(one) for one in holds], sort_keys=False, allow_unicode=True)
    file.write_text(head + body)


def _file(root: Path, environment: str, service: str) -> Path:
    """The file itself, never what a link leads to: whoever may commit could lead a write elsewhere."""
    file = root / path(environment, service)
    if file.is_symlink() or file.resolve() != root.resolve() / path(environment, service):
        raise HoldError(f"{path(environment, service)} is a link; make it a file")
    return file


def held(holds: tuple[Hold, ...], image: Image) -> Hold | None:
    """The hold on this very version of an image, if there is one."""
    for one in holds:
        # The same digest is the same image, whatever it is tagged; without two to compare, the tag decides.
        tag, _, digest = (
            one.version.replace("sha256:", "@sha256:").replace("@@", "@").partition("@sha256:")
        )
        its = image.digest.removeprefix("sha256:")
        same = digest == its if digest and its else tag == image.tag
        if one.image == image.name and same:
            return one
    return None
