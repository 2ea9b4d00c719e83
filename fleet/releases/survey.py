"""Every service on every cluster: what git says, over all repos, and what the hub says, where it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from fleet.releases import gates
from fleet.releases.cell import Cell
from fleet.releases.desk import Desk
from fleet.releases.text import short
from fleet.releases.where import Place, Shelf, environments
from gitops.releases import history, holds, overlay
from gitops.releases.history import Change, versions
from gitops.releases.images import Image, ImagesError
from gitops.releases.trailers import Record, read
from live.versions import Running


def survey(
    desk: Desk, environment: str | None, service: str | None, *, ask_hub: bool
) -> list[Cell]:
    """The cells, by service, then environment in the order of promotion, then cluster.

    Raises GitError, ReleaseError, HoldError, and with `ask_hub` Unreachable, KubeconfigError.
    """
    running = desk.running() if ask_hub else None
    order = environments(desk.stacks)
    found = [
        cell
        for shelf, past in _pasts(desk)
        for cell in _of_shelf(desk, shelf, past, running, order)
        if environment in (None, cell.environment) and service in (None, cell.service)
    ]
    return sorted(found, key=lambda one: (one.service, order.index(one.environment), one.cluster))


def record_of(change: Change, service: str, environment: str) -> Record | None:
    """What the commit says of this service, by its trailers; None where it says nothing."""
    for one in read(change.commit.message):
        if (one.service, one.environment) == (service, environment):
            return one
    return None


def _pasts(desk: Desk) -> Iterator[tuple[Shelf, Mapping[str, list[Change]]]]:
    """Each shelf with the history of all its repo's overlays: read once for each repo and branch."""
    known: dict[tuple[str, str, str], Mapping[str, list[Change]]] = {}
    for shelf in desk.shelves:
        key = (shelf.repo.url, shelf.repo.branch, shelf.repo.folder)
        if key not in known:
            clone = desk.clone(shelf.repo)
            specs = history.of_overlays(shelf.repo.folder)
            known[key] = history.changes(clone.root, clone.head(), specs)
        yield shelf, known[key]


def _of_shelf(
    desk: Desk,
    shelf: Shelf,
    past: Mapping[str, list[Change]],
    running: Sequence[Running] | None,
    order: Sequence[str],
) -> Iterator[Cell]:
    root = desk.clone(shelf.repo).root
    folder = root / shelf.repo.folder
    apps = _by_path(running or ())
    for one in sorted(folder.iterdir()) if folder.is_dir() else ():
        place = shelf.place(one.name)
        if not shelf.takes(one.name) or not overlay.exists(root, place.overlay):
            continue
        source, recorded = _source(place, past, order)
        wanted = _wanted(place, root, past, source)
        for cluster in shelf.clusters:
            its = apps.get((cluster, place.overlay))
            if its and not gates.same_repo(its.repo, place):
                its = None
            cell = _cell(wanted, cluster, its, asked=running is not None)
            # A guess that explains nothing is none.
            yield cell if recorded or cell.behind is not None else replace(cell, source="")


def _wanted(place: Place, root: Path, past: Mapping[str, list[Change]], source: str) -> Cell:
    """What git says of a service in an environment: the same on each of its clusters, so read once."""
    try:
        images = overlay.images(root, place.overlay)
    except ImagesError:
        images = ()
    newest = next(iter(past.get(place.overlay, ())), None)
    record = record_of(newest, place.service, place.environment) if newest else None
    return Cell(
        service=place.service,
        environment=place.environment,
        cluster="",
        team=place.team,
        repo=place.repo.url,
        images=tuple(map(str, images)),
        version=", ".join(dict.fromkeys(short(one.version) for one in images)),
        commit=newest.commit.id if newest else "",
        at=newest.commit.at if newest else datetime.fromtimestamp(0, UTC),
        by=(record.by if record and record.by else newest.commit.author) if newest else "",
        source=source,
        behind=_behind(images, past.get(_overlay(place, source), [])) if source else None,
        held=tuple(
            f"{one.image}:{one.version}"
            for one in holds.read(root, place.environment, place.service)
        ),
        running=(),
        sync="",
        health="",
        revision="",
    )


def _cell(wanted: Cell, cluster: str, running: Running | None, *, asked: bool) -> Cell:
    """The same on one cluster, with what runs there."""
    names = {gates.name_of(ref) for ref in wanted.images}
    missing = "Missing" if asked else ""
    return replace(
        wanted,
        cluster=cluster,
        running=tuple(
            ref for ref in (running.images if running else ()) if gates.name_of(ref) in names
        ),
        sync=running.sync if running else missing,
        health=running.health if running else missing,
        revision=running.revision if running else "",
    )


def _source(
    place: Place, past: Mapping[str, list[Change]], order: Sequence[str]
) -> tuple[str, bool]:
    """Where it is promoted from, and whether its commits say so; else the environment before it that has it."""
    for change in past.get(place.overlay, ()):
        record = record_of(change, place.service, place.environment)
        if record and record.source:
            return record.source.partition("@")[0], True
    before = order[: order.index(place.environment)]
    return next((one for one in reversed(before) if past.get(_overlay(place, one))), ""), False


def _overlay(place: Place, environment: str) -> str:
    return f"{place.repo.folder}/{place.service}/overlays/{environment}"


def _behind(images: Iterable[Image], source: Sequence[Change]) -> int | None:
    """How many versions the source has had since these; None where it never had them."""
    wanted = versions(images)
    for count, change in enumerate(source):
        has = versions(change.images)
        if wanted and all(has.get(name, version) == version for name, version in wanted.items()):
            return count
    return None


def _by_path(running: Iterable[Running]) -> Mapping[tuple[str, str], Running]:
    return {(one.cluster, one.path): one for one in running}
