"""The gates of a promotion: whether its source runs what it is to be promoted for, everywhere, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fleet.durations import spoken
from fleet.releases.where import Place
from forges.forge import Status
from gitops import git
from gitops.releases.images import Image
from live.versions import Running

SOURCE, INTEGRATION, SOAK = "promotion/source-healthy", "promotion/integration", "promotion/soak"


@dataclass(frozen=True)
class Source:
    """How the source of a promotion is: what is wrong, in words, and since when all of it runs there."""

    problems: tuple[str, ...]
    applications: int
    since: datetime | None


def source(
    place: Place, root: Path, head: str, images: Sequence[Image], running: Iterable[Running]
) -> Source:
    """Whether every Application of the service in its environment is Synced and Healthy with these images.

    Of the commit `head`: an older one will do where it has the same files of the service. The Applications are chosen
    by label and path, so that none is passed over; and each cluster of the stack files must have one. Raises GitError.
    """
    its = [one for one in running if one.path == place.overlay and same_repo(one.repo, place)]
    missing = sorted({*place.clusters} - {one.cluster for one in its})
    problems = [
        f"{cluster}: Argo CD has no Application of {place.overlay} there" for cluster in missing
    ]
    if not its and not missing:
        problems.append(f"no cluster of {place.environment} has {place.service}")
    for one in sorted(its, key=lambda one: one.name):
        problems += [f"{one.name}: {said}" for said in _problems(one, place, root, head, images)]
    times = [one.deployed for one in its]
    since = max((one for one in times if one), default=None)
    return Source(tuple(problems), len(its), since if all(times) else None)


def same_repo(url: str, place: Place) -> bool:
    """Whether Argo CD's URL is that of the place: with `.git` at its end or without."""
    return url.removesuffix("/").removesuffix(".git") == place.repo.url.removesuffix(
        "/"
    ).removesuffix(".git")


def statuses(
    found: Source, *, environment: str, commit: str, tested: str, soak: int, run: str
) -> list[Status]:
    """The commit statuses of a promotion whose source has no problems. `soak` in seconds, 0 for none."""
    many = "Application" if found.applications == 1 else "Applications"
    made = [
        Status(
            context=SOURCE,
            outcome="success",
            description=f"{found.applications} {many} of {environment} Synced and Healthy at {commit[:8]}",
            url=run,
        ),
        Status(
            context=INTEGRATION,
            outcome="success" if tested else "pending",
            description="passed" if tested else "no result yet: fleet promote … --tested URL",
            url=tested,
        ),
    ]
    if soak:
        ran = int((datetime.now(UTC) - found.since).total_seconds()) if found.since else 0
        done = ran >= soak
        made.append(
            Status(
                context=SOAK,
                outcome="success" if done else "pending",
                description=f"{environment} ran it for {spoken(soak)}"
                if done
                else f"{environment} has run it for {ran // 60}m of {spoken(soak)}; run the same again later",
                url=run,
            )
        )
    return made


def _problems(
    one: Running, place: Place, root: Path, head: str, images: Sequence[Image]
) -> list[str]:
    found = []
    trouble = f" ({one.trouble})" if one.trouble else ""
    if one.sync != "Synced":
        found.append(f"is {one.sync}, not Synced{trouble}")
    if one.health != "Healthy":
        found.append(f"is {one.health}, not Healthy{trouble}")
    if found:
        return found
    service = f"{place.repo.folder}/{place.service}"
    if not git.succeeds(root, "merge-base", "--is-ancestor", one.revision, head):
        return [
            f"is at {one.revision[:8] or 'no commit'}, which {place.repo.branch} hasn't: was history rewritten?"
        ]
    if not git.succeeds(root, "diff", "--quiet", one.revision, head, "--", service):
        return [f"is at {one.revision[:8]}, and {service} has changed since ({head[:8]})"]
    for image in images:
        its = {ref for ref in one.images if name_of(ref) == image.name}
        if not its:
            found.append(f"doesn't run {image}: Argo CD names no image {image.name}")
        elif its != {str(image)}:
            found.append(f"runs {', '.join(sorted(its))}, not {image}")
    return found


def name_of(ref: str) -> str:
    """The name of an image, without tag and digest."""
    bare = ref.partition("@")[0]
    path, slash, last = bare.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}"
