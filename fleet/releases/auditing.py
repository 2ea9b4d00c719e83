"""The chain from what runs to whoever let it: Pod, Application, commit, pull request, approvals, gates, build."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fleet.releases import gates
from fleet.releases.desk import Desk
from fleet.releases.where import BadInput, Place, ReleaseError
from forges.forge import Forge, PullRequest
from gitops import git
from gitops.releases import history, overlay
from gitops.releases.history import Change
from gitops.releases.images import Image
from gitops.releases.trailers import Record, read
from live import versions
from live.cluster_api import ClusterAPI, Unreachable
from live.versions import Running
from stacks.loading.endpoints import endpoints_of
from stacks.loading.kubeconfig import Kubeconfig

Pods = Mapping[str, list[tuple[str, str, str]] | str]
"""By cluster, its containers as `versions.pods` has them, or why they can't be asked."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """One link of the chain: what it is, what was found, and whether it holds; `why` not, where it doesn't."""

    service: str
    environment: str
    cluster: str
    image: str
    link: str
    found: str
    holds: bool
    why: str = ""


def audit(desk: Desk, service: str, environment: str, cluster: str | None) -> list[Link]:
    """The chain of a service in an environment, on each of its clusters or on one.

    Raises ReleaseError, GitError, ForgeError, ImagesError, Unreachable, KubeconfigError.
    """
    place = desk.place(service, environment)
    if cluster and cluster not in place.clusters:
        raise BadInput(f'"{service}" isn\'t on "{cluster}": it is on {", ".join(place.clusters)}')
    wanted = [cluster] if cluster else list(place.clusters)
    clone = desk.clone(place.repo)
    images = overlay.images(clone.root, place.overlay)
    past = history.changes(clone.root, clone.head(), history.of_overlay(place.overlay))
    running = {
        one.cluster: one
        for one in desk.running(environment)
        if one.path == place.overlay and gates.same_repo(one.repo, place)
    }
    pods = _pods(desk, place, wanted)
    chains: dict[str, list[Link]] = {}
    found: list[Link] = []
    for name in wanted:
        for image in images:
            link = _linker(place, name, image)
            found += _live(
                link, clone.root, clone.head(), place, image, running.get(name), pods[name]
            )
            its = _changed(past.get(place.overlay, []), image)
            if str(image) not in chains:
                chains[str(image)] = list(_of_git(desk, place, image, its))
            found += [_on(one, name) for one in chains[str(image)]]
    if not images:
        raise ReleaseError(f"{place.overlay} sets no images, so there is nothing to follow")
    return found


def _linker(place: Place, cluster: str, image: Image) -> Callable[..., Link]:
    def made(link: str, found: str, why: str = "", *, holds: bool | None = None) -> Link:
        return Link(
            service=place.service,
            environment=place.environment,
            cluster=cluster,
            image=str(image),
            link=link,
            found=found,
            holds=not why if holds is None else holds,
            why=why,
        )

    return made


def _on(one: Link, cluster: str) -> Link:
    return Link(**{**vars(one), "cluster": cluster})


def _live(
    link: Callable[..., Link],
    root: Path,
    head: str,
    place: Place,
    image: Image,
    running: Running | None,
    pods: list[tuple[str, str, str]] | str,
) -> Iterator[Link]:
    if isinstance(pods, str):
        yield link("pods", "", f"not asked: {pods}")
    else:
        its = [one for one in pods if gates.name_of(one[1]) == image.name]
        other = sorted({ref for _, ref, _ in its if ref != str(image)})
        digests = sorted({digest for _, _, digest in its if digest})
        why = "" if its else f"no Pod runs {image.name}"
        if other:
            why = f"{', '.join(other)} runs too"
        elif image.digest and any(one != image.digest for one in digests):
            why = f"nodes pulled {', '.join(digests)}: the tag was moved"
        elif len(digests) > 1:
            why = f"the nodes have several images under this tag: {', '.join(digests)}"
        yield link(
            "pods", f"{len(its)} with {image}{f' ({digests[0]})' if len(digests) == 1 else ''}", why
        )
    if running is None:
        yield link("application", "", f"Argo CD has no Application of {place.overlay} there")
        return
    said = f"{running.name}: {running.sync}, {running.health}"
    why = "" if running.sync == "Synced" else "what runs isn't what git says"
    if not why and str(image) not in running.images:
        why = f"Argo CD sees {', '.join(running.images) or 'no image'}"
    yield link("application", said, why)
    known = git.succeeds(root, "merge-base", "--is-ancestor", running.revision, head)
    yield link(
        "revision",
        running.revision,
        "" if known else f"{place.repo.branch} hasn't that commit: was history rewritten?",
    )


def _of_git(desk: Desk, place: Place, image: Image, change: Change | None) -> Iterator[Link]:
    forge = desk.forge(place.repo)
    link = _linker(place, "", image)
    if change is None:
        yield link("commit", "", "no commit of the branch has brought this image")
        return
    yield link(
        "commit", f"{change.commit.id} {change.commit.at.isoformat()} by {change.commit.author}"
    )
    pull = forge.pull_request_of(change.commit.id)
    record = _record(place, image, change.commit.message)
    if record:
        yield link("pipeline", f"fleet {record.action}, by {record.by or change.commit.author}")
    elif pull and (record := _record(place, image, pull.body)):
        # Some forges drop the message of a commit that they squash.
        said = f"fleet {record.action}, by {record.by}, as the pull request's text says"
        yield link("pipeline", said)
    else:
        why = "a hand on the tag: the commit has no trailers of Fleet for this image"
        yield link("pipeline", "", why)
    if pull:
        yield from _of_pull(forge, link, pull, place, record)
    else:
        pushed = record is not None and record.action == "promote" and not record.source
        pushed = pushed and not desk.protects(place.environment)
        why = "" if pushed else "no merged pull request has brought this commit: it was pushed"
        yield link("pull request", "pushed by CI" if pushed else "", why)
    yield from _of_record(link, record)


def _record(place: Place, image: Image, message: str) -> Record | None:
    """What a message says of this very version of the image."""
    for one in read(message):
        if (one.service, one.environment) == (place.service, place.environment) and one.moved().get(
            image.name
        ) == image.version:
            return one
    return None


def _of_pull(
    forge: Forge, link: Callable[..., Link], pull: PullRequest, place: Place, record: Record | None
) -> Iterator[Link]:
    who = f", merged by {pull.merged_by}" if pull.merged_by else ""
    # The rules of another branch are other rules.
    other = "" if pull.base == place.repo.branch else f"it was merged into {pull.base}"
    yield link("pull request", f"{pull.url} by {pull.author}{who}", other)
    approvals = [one for one in forge.approvals(pull.number) if one.person != pull.author]
    stale = [one.person for one in approvals if one.commit and one.commit != pull.head]
    why = "" if approvals else "nobody but its author has approved it"
    if approvals and len(stale) == len(approvals):
        why = f"{', '.join(stale)} approved an older commit than what was merged"
    yield link("approval", ", ".join(sorted({one.person for one in approvals})), why)
    statuses = sorted(
        (one for one in forge.statuses(pull.head) if one.context.startswith("promotion/")),
        key=lambda one: one.context,
    )
    found = ", ".join(f"{one.context} {one.outcome}" for one in statuses)
    why = "; ".join(
        f"{one.context} is {one.outcome}" for one in statuses if one.outcome != "success"
    )
    if not why and not (record and record.action == "rollback"):
        known = {one.context for one in statuses}
        missing = [one for one in (gates.SOURCE, gates.INTEGRATION) if one not in known]
        why = f"{', '.join(missing)} wasn't set" if missing else ""
    yield link("gates", found or "none asked of a rollback", why)


def _of_record(link: Callable[..., Link], record: Record | None) -> Iterator[Link]:
    if record is None:
        yield link("build", "", "unknown without trailers")
    elif record.action == "rollback":
        yield link("build", f"as of {record.restores}")
    else:
        yield link(
            "build",
            record.build,
            "" if record.build else "no --build was given when CI promoted it",
        )
    if record and record.tested:
        yield link("tests", record.tested)


def _changed(past: list[Change], image: Image) -> Change | None:
    """The commit by which the branch got this version, for as long as it has had it without a break."""
    found = None
    for change in past:
        if all(one != image for one in change.images):
            break
        found = change
    return found


def _pods(desk: Desk, place: Place, clusters: list[str]) -> Pods:
    """What runs in the service's namespace on each cluster, by the contexts of the stack files."""
    kubeconfig = Kubeconfig.read()
    contexts = {
        name: endpoint.access.context if endpoint.access else ""
        for fleet in desk.stacks.values()
        for name, endpoint in endpoints_of(fleet, kubeconfig).items()
    }

    def ask(cluster: str) -> list[tuple[str, str, str]] | str:
        if not contexts.get(cluster):
            return "this machine has no context of it"
        try:
            return versions.pods(ClusterAPI(kubeconfig, contexts[cluster]), place.service)
        except Unreachable as error:
            return str(error)

    with ThreadPoolExecutor(max_workers=16) as pool:
        return dict(zip(clusters, pool.map(ask, clusters), strict=True))
