"""Moving versions forward: CI's into an environment, and what an environment has proved into the next one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fleet.releases import gates, pulls, text
from fleet.releases.desk import Desk, actor, run_url
from fleet.releases.gates import Source
from fleet.releases.outcome import Outcome
from fleet.releases.pulls import Branch, Closed
from fleet.releases.where import BadInput, Place, ReleaseError
from forges.forge import Forge, ForgeError, PullRequest, Status
from gitops.releases import history, holds, overlay
from gitops.releases.clone import Clone, Overtaken, PushRefused
from gitops.releases.holds import HoldError
from gitops.releases.images import Image, ImagesError
from gitops.releases.trailers import Move, Record, read


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the caller knows: addresses of the runs that built and tested it, and how long the source shall have run it.

    `soak` in seconds; each is "" or 0 for none.
    """

    build: str = ""
    tested: str = ""
    soak: int = 0


def direct(desk: Desk, service: str, image: Image, environment: str, given: Evidence) -> Outcome:
    """Bring an image to an environment that isn't protected, by a push. Raises ReleaseError, GitError, ImagesError."""
    if desk.protects(environment):
        raise BadInput(
            f'"{environment}" is a protected environment: promote to it from another, by --from and a pull request'
        )
    if image.tag == "latest" and not image.digest:
        raise BadInput('"latest" is no tag that stays what it is: write the build\'s own')
    place = desk.place(service, environment)
    clone = desk.clone(place.repo)
    made: list[Record] = []

    def change() -> str | None:
        made.clear()
        _exists(clone, place)
        _not_held(clone.root, place, [image])
        _tag_not_moved(clone, place, image)
        moves = overlay.moves(overlay.images(clone.root, place.overlay), [image])
        overlay.move(clone.root, place.overlay, [image])
        if not clone.is_dirty():
            return None
        record = Record(
            action="promote",
            service=service,
            environment=environment,
            moves=moves or (Move(image.name, image.version, image.version),),
            build=given.build,
            tested=given.tested,
            by=actor(),
        )
        made.append(record)
        return text.message(record)

    try:
        commit = clone.land(change)
    except Overtaken as error:
        raise ReleaseError(f"others push to {place.repo.branch} all the time: {error}") from None
    except PushRefused as error:
        raise ReleaseError(
            f"{error}; let the token of this pipeline push to {place.repo.branch}, or leave it open for "
            f"{place.overlay}"
        ) from None
    if commit is None:
        said = f"{image.name}:{image.tag} is there" if image.tag else f"{image} is there"
        if image.digest and not any(
            one.digest for one in overlay.images(clone.root, place.overlay)
        ):
            said += "; its digest isn't: the overlay has no `digest:`, so it pins none"
        return Outcome(service=service, environment=environment, done="nothing", message=said)
    moves = made[0].moves
    return Outcome(
        service=service,
        environment=environment,
        done="pushed",
        message=f"{text.shown(moves)}, by commit {commit[:8]} on {place.repo.branch}",
        moves=moves,
        commit=commit,
    )


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """What of a service would move from one environment to the next, and whether it may."""

    source: Place
    target: Place
    head: str
    images: tuple[Image, ...]
    moves: tuple[Move, ...]
    found: Source
    between: tuple[history.Change, ...] = ()
    refused: str = ""


def by_pull_request(
    desk: Desk,
    services: Sequence[str],
    source: str,
    target: str,
    given: Evidence,
    *,
    together: bool,
    dry_run: bool,
) -> list[Outcome]:
    """Open a pull request that brings these services' versions from `source` to `target`, or bring it up to date.

    Several services go into one `together`, for each repo. Raises ReleaseError, GitError,
    ForgeError, ImagesError, KustomizeError, Unreachable.
    """
    if source == target:
        raise BadInput("--from and --to are the same environment")
    outcomes, planned = [], []
    for one in services:
        try:
            planned.append(_planned(desk, one, source, target))
        except (ReleaseError, ImagesError, HoldError) as error:
            # One that can't be promoted is no reason against the others.
            if not together:
                raise
            outcomes.append(
                Outcome(service=one, environment=target, done="refused", message=str(error))
            )
    outcomes += [_refused(one) for one in planned if one.refused]
    if not dry_run:
        for each in planned:
            if each.refused:
                _withdraw(desk, each)
    for each in planned:
        if not each.refused and not each.moves:
            message = f"{target} has what {source} runs: {_versions(each.images)}"
            outcomes.append(_outcome(each, "nothing", message))
    left = [one for one in planned if not one.refused and one.moves]
    if not left:
        return outcomes
    if dry_run:
        return outcomes + [
            _outcome(one, "nothing", f"would open a pull request: {text.shown(one.moves)}")
            for one in left
        ]
    for repo in dict.fromkeys(one.target.repo for one in left):
        its = [one for one in left if one.target.repo == repo]
        outcomes += _open(desk, its, given, together=together)
    return outcomes


def services_of(desk: Desk, source: str, target: str, team: str | None) -> list[str]:
    """All services, or those of a team, that have an overlay of both environments. Raises GitError, ReleaseError."""
    found = set()
    for shelf in desk.shelves:
        if shelf.environment != target or team not in (None, shelf.team):
            continue
        root = desk.clone(shelf.repo).root
        folder = root / shelf.repo.folder
        for one in sorted(folder.iterdir()) if folder.is_dir() else ():
            has = all(
                overlay.exists(root, f"{shelf.repo.folder}/{one.name}/overlays/{environment}")
                for environment in (source, target)
            )
            if shelf.takes(one.name) and has:
                found.add(one.name)
    if not found:
        whose = f' of team "{team}"' if team is not None else ""
        raise ReleaseError(f"no service{whose} has overlays of both {source} and {target}")
    return sorted(found)


def _planned(desk: Desk, service: str, source: str, target: str) -> Promotion:
    here, there = desk.place(service, source), desk.place(service, target)
    if here.repo.url != there.repo.url:
        raise ReleaseError(f"{service} is in another repo in {source} than in {target}")
    proved = desk.clone(here.repo)
    clone = desk.clone(there.repo)
    head = proved.head()
    _exists(proved, here)
    _exists(clone, there)
    has = overlay.images(clone.root, there.overlay)
    names = {one.name for one in has}
    images = tuple(one for one in overlay.images(proved.root, here.overlay) if one.name in names)
    if not images:
        raise ReleaseError(
            f"{there.overlay} sets none of the images that {here.overlay} does: "
            f"{', '.join(sorted(names)) or 'none'}; add them under `images:`"
        )
    plan = Promotion(
        source=here,
        target=there,
        head=head,
        images=images,
        moves=overlay.moves(has, images),
        found=gates.source(here, proved.root, head, images, desk.running(source)),
    )
    if not plan.moves:
        return plan
    try:
        _not_held(clone.root, there, images)
    except ReleaseError as error:
        return _with(plan, refused=str(error))
    if plan.found.problems:
        return _with(plan, refused="; ".join(plan.found.problems))
    past = history.changes(proved.root, head, history.of_overlay(here.overlay))
    return _with(plan, between=tuple(text.since(past.get(here.overlay, []), plan.moves)))


def _with(plan: Promotion, **changes: object) -> Promotion:
    return replace(plan, **changes)  # type: ignore[arg-type]  # its own fields


def _open(
    desk: Desk, planned: list[Promotion], given: Evidence, *, together: bool
) -> list[Outcome]:
    first = planned[0].target
    clone, forge = desk.clone(first.repo), desk.forge(first.repo)
    if together:
        planned, taken = _without_own(forge, planned)
        if not planned:
            return taken
    else:
        taken = []
    intent = [str(image) for one in planned for image in one.images]
    name = "all" if together else first.service
    branch = Branch.of("promote", first.environment, name, intent)
    try:
        pull = pulls.known(forge, branch, first.repo.branch)
    except Closed as error:
        said = (
            f"a person has closed the pull request for {intent[0]}: {error.pull.url}; it stays closed until "
            f"{planned[0].source.environment} has another image, or somebody opens it again"
        )
        return taken + [_outcome(one, "refused", said, url=error.pull.url) for one in planned]
    if pull and (more := pulls.strangers(clone, pull.head, _files(clone, planned))):
        beyond = ", ".join(more[:5])
        said = f"{pull.url} is more than images by now: {beyond}; close it, or take that out"
        return taken + [_outcome(one, "refused", said, url=pull.url) for one in planned]
    head, warnings = _pushed(clone, branch, planned, given), []
    title, body = (
        text.title(planned),
        text.body(planned, given, [_record(one, given) for one in planned]),
    )
    new = False
    try:
        if pull is None:
            pull, new = pulls.opened(forge, branch, first.repo.branch, title, body)
        there = {one.context for one in forge.statuses(head) if one.outcome == "success"}
        for status in _statuses(planned, given):
            # What was tested stays tested, whatever is asked about later.
            if status.context != gates.INTEGRATION or given.tested or status.context not in there:
                forge.set_status(head, status)
    except ForgeError as error:
        what = (
            f"the gates of {pull.url} aren't all set" if pull else "the pull request isn't open yet"
        )
        raise ReleaseError(
            f"the branch {branch.name} is pushed, and {what}: {error}. Run the same again"
        ) from None
    try:
        warnings += pulls.supersede(forge, branch, pull.number, clone, (), pull.author)
    except ForgeError as error:
        warnings.append(f"older pull requests may still be open: {error}")
    done = "opened" if new else ("open" if head == pull.head else "updated")
    return taken + [
        _outcome(
            one,
            done,
            f"{text.shown(one.moves)}: {pull.url}",
            url=pull.url,
            commit=head,
            warnings=tuple(warnings) if number == 0 else (),
        )
        for number, one in enumerate(planned)
    ]


def _withdraw(desk: Desk, one: Promotion) -> None:
    """Take the gate back from an open pull request whose source isn't what it was."""
    branch = Branch.of(
        "promote", one.target.environment, one.target.service, [str(image) for image in one.images]
    )
    with suppress(ForgeError, Closed):
        forge = desk.forge(one.target.repo)
        if pull := pulls.known(forge, branch, one.target.repo.branch):
            said = text.plain(one.refused)
            forge.set_status(
                pull.head, Status(context=gates.SOURCE, outcome="failure", description=said)
            )


def _pushed(clone: Clone, branch: Branch, planned: list[Promotion], given: Evidence) -> str:
    """The commit at the branch's end, which has the new versions and nothing else. Raises ReleaseError."""
    records = [_record(one, given) for one in planned]
    message = text.message(records[0]) if len(records) == 1 else text.together(planned, records)
    for attempt in range(5):
        if attempt:
            clone.fetch()
        for one in planned:
            target = one.target.overlay
            before = overlay.built(clone.root, target)
            overlay.move(clone.root, target, one.images)
            more = overlay.more_than_images(before, overlay.built(clone.root, target))
            if more:
                raise ReleaseError(
                    f"{one.target.service}: the new version changes more than images in {target}: "
                    f"{', '.join(more[:5])}; is it written there by `replacements:`? Change that by a pull request of "
                    "your own"
                )
        try:
            return pulls.pushed(clone, branch, message)
        except Overtaken:
            continue
        except PushRefused as error:
            raise ReleaseError(f"{error}; may this token push to branches promote/*?") from None
    raise ReleaseError(f"others push to {branch.name} all the time; run the same again")


def _files(clone: Clone, planned: list[Promotion]) -> list[str]:
    return [
        f"{one.target.overlay}/{name}"
        for one in planned
        for name in overlay.names(clone.root, one.target.overlay)
    ]


def _statuses(planned: list[Promotion], given: Evidence) -> list[Status]:
    """Of several services, the gates of all: the one that has run for the shortest time decides on the soak."""
    all_since = [one.found.since for one in planned]
    whole = Source(
        (),
        sum(one.found.applications for one in planned),
        max((one for one in all_since if one), default=None) if all(all_since) else None,
    )
    return gates.statuses(
        whole,
        environment=planned[0].source.environment,
        commit=planned[0].head,
        tested=given.tested,
        soak=given.soak,
        run=run_url(),
    )


def _record(one: Promotion, given: Evidence) -> Record:
    builds = [
        record.build
        for change in one.between
        for record in read(change.commit.message)
        if (record.service, record.environment) == (one.source.service, one.source.environment)
        and record.build
        and any(record.moved().get(image.name) == image.version for image in one.images)
    ]
    return Record(
        action="promote",
        service=one.target.service,
        environment=one.target.environment,
        moves=one.moves,
        source=f"{one.source.environment}@{one.head}",
        build=given.build or next(iter(builds), ""),
        tested=given.tested,
        by=actor(),
    )


def _without_own(forge: Forge, planned: list[Promotion]) -> tuple[list[Promotion], list[Outcome]]:
    """Without those that have an open pull request of their own, or whose own a person has closed."""
    kept, told = [], []
    for one in planned:
        intent = [str(image) for image in one.images]
        branch = Branch.of("promote", one.target.environment, one.target.service, intent)
        try:
            own: PullRequest | None = pulls.known(forge, branch, one.target.repo.branch)
        except Closed as error:
            said = f"a person has closed its own pull request for this image: {error.pull.url}"
            told.append(_outcome(one, "refused", said, url=error.pull.url))
            continue
        if own:
            told.append(_outcome(one, "open", f"has one of its own: {own.url}", url=own.url))
        else:
            kept.append(one)
    return kept, told


def _exists(clone: Clone, place: Place) -> None:
    if not overlay.exists(clone.root, place.overlay):
        raise ReleaseError(
            f"{place.service} isn't in {place.environment} yet: {place.repo.branch} has no {place.overlay}; add that "
            "overlay by a pull request first"
        )


def _not_held(root: Path, place: Place, images: Sequence[Image]) -> None:
    known = holds.read(root, place.environment, place.service)
    for image in images:
        if one := holds.held(known, image):
            raise ReleaseError(
                f"{image} is on hold in {place.environment} since {one.since}, by {one.by}: {one.reason}. To lift it: "
                f"fleet hold {place.service} --environment {place.environment} --lift --image {image}"
            )


def _tag_not_moved(clone: Clone, place: Place, image: Image) -> None:
    """Refuse a tag that was promoted with another digest before: it isn't the image that anybody has tested."""
    if not (image.tag and image.digest):
        return
    past = history.changes(clone.root, clone.head(), history.of_overlay(place.overlay))
    for change in past.get(place.overlay, []):
        for record in read(change.commit.message):
            for move in record.moves if record.service == place.service else ():
                tag, _, digest = move.after.partition("@")
                if (
                    move.name == image.name
                    and tag == image.tag
                    and digest not in ("", image.digest)
                ):
                    raise ReleaseError(
                        f"the tag {image.tag} of {image.name} was moved: it was {digest[:19]}… when "
                        f"{place.environment} got it ({change.commit.id[:8]}), and is {image.digest[:19]}… now; build "
                        "under a new tag"
                    )


def _versions(images: Sequence[Image]) -> str:
    return ", ".join(one.version for one in images)


def _refused(one: Promotion) -> Outcome:
    return _outcome(one, "refused", one.refused)


def _outcome(one: Promotion, done: str, message: str, **more: object) -> Outcome:
    return Outcome(
        service=one.target.service,
        environment=one.target.environment,
        done=done,  # type: ignore[arg-type]  # from the callers above
        message=message,
        moves=one.moves,
        **more,  # type: ignore[arg-type]
    )
