"""Moving versions back: a revert with a hold, so that nothing promotes the same again before a person lifts it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from fleet.releases import pulls, text
from fleet.releases.desk import Desk, actor
from fleet.releases.outcome import Outcome
from fleet.releases.pulls import Branch, Closed
from fleet.releases.where import BadInput, Place, ReleaseError
from forges.forge import ForgeError, PullRequest
from gitops import git
from gitops.git import GitError
from gitops.releases import history, holds, overlay
from gitops.releases.clone import Clone, Overtaken, PushRefused
from gitops.releases.history import Change
from gitops.releases.holds import Hold
from gitops.releases.images import Image
from gitops.releases.trailers import Move, Record, one_line, read


@dataclass(frozen=True)
class Back:
    """What an environment goes back to: these images, as of `commit`; `reverts` is the commit that is undone whole."""

    images: tuple[Image, ...]
    commit: str
    reverts: str = ""
    done: str = ""
    """Why there is nothing to do; "" where there is."""


def roll_back(
    desk: Desk, service: str, environment: str, to: str, reason: str, *, now: bool, dry_run: bool
) -> Outcome:
    """Bring back what an environment ran before, or at a commit or time, and hold what it runs now.

    As a pull request, or with `now` by a push. Raises ReleaseError, GitError, ForgeError, ImagesError, HoldError.
    """
    place, reason = desk.place(service, environment), one_line(reason)
    clone = desk.clone(place.repo)
    if not overlay.exists(clone.root, place.overlay):
        raise ReleaseError(f"{service} isn't in {environment}: there is no {place.overlay}")
    found = _back(clone, place, to)
    if found.done:
        return _outcome(place, "nothing", found.done)
    moves = overlay.moves(overlay.images(clone.root, place.overlay), found.images)
    if dry_run:
        how = "a push" if now else "a pull request"
        return _outcome(place, "nothing", f"would roll back by {how}: {text.shown(moves)}", moves)
    known = holds.read(clone.root, environment, service)
    for image in found.images:
        if one := holds.held(known, image):
            if not to:
                # A squash may have dropped the trailers, by which this is known else.
                said = f"was rolled back already: {image} is on hold ({one.reason}); to go elsewhere, say --to"
                return _outcome(place, "nothing", said)
            raise ReleaseError(
                f"{image} is on hold in {environment} itself ({one.reason}); lift that first, or name another by --to"
            )

    def change() -> str | None:
        # By what the branch is now: somebody may have been faster.
        back = _back(clone, place, to)
        if back.done:
            return None
        its = overlay.moves(overlay.images(clone.root, place.overlay), back.images)
        if its != moves:
            raise ReleaseError(
                f"somebody has moved {service} in {environment} meanwhile ({text.shown(its)}); look, and run it again"
            )
        reverted = bool(back.reverts) and _reverted(clone, place, back)
        if not reverted:
            overlay.move(clone.root, place.overlay, back.images)
        _hold(clone, place, its, reason)
        record = Record(
            action="rollback",
            service=service,
            environment=environment,
            moves=its,
            restores=back.commit,
            by=actor(),
        )
        note = (
            f"This reverts commit {back.reverts}." if reverted else f"Images as of {back.commit}."
        )
        return text.message(record, f"{note}\n{reason}")

    families = _promotions(place)
    intent = [*map(str, found.images), f"instead of {_newest(clone, place)}"]
    branch = Branch.of("rollback", environment, service, intent)
    return deliver(desk, place, branch, change, moves, now=now, families=families)


def set_hold(
    desk: Desk, service: str, environment: str, image: str, reason: str, *, lift: bool, now: bool
) -> Outcome:
    """Hold a version of a service in an environment (what it has now, unless `image` names one), or lift all holds.

    Raises ReleaseError, GitError, ForgeError, ImagesError, HoldError.
    """
    place, reason = desk.place(service, environment), one_line(reason)
    clone = desk.clone(place.repo)
    known = holds.read(clone.root, environment, service)
    wanted = Image.parse(image) if image else None
    if lift and not known:
        return _outcome(place, "nothing", "nothing is on hold")
    listed = ", ".join(f"{one.image}:{one.version}" for one in known)
    if lift and wanted and not holds.held(known, wanted):
        raise BadInput(f"{wanted} isn't on hold in {environment}; on hold is: {listed}")
    names = {one.name for one in overlay.images(clone.root, place.overlay)}
    if not lift and wanted and wanted.name not in names:
        raise BadInput(
            f'{place.overlay} has no image "{wanted.name}"; it has: {", ".join(sorted(names))}'
        )
    has = (wanted,) if wanted else overlay.images(clone.root, place.overlay)
    if not lift and all(holds.held(known, one) for one in has):
        return _outcome(place, "nothing", "is on hold already")
    what = "lift" if lift else "hold"

    def change() -> str | None:
        now_held = holds.read(clone.root, environment, service)
        if lift:
            left = tuple(one for one in now_held if wanted and holds.held((one,), wanted) is None)
            holds.write(clone.root, environment, service, left)
        else:
            _add(clone, place, has, reason)
        if not clone.is_dirty():
            return None
        record = Record(
            action="lift" if lift else "hold", service=service, environment=environment, by=actor()
        )
        verb = "Lift the hold on" if lift else "Hold"
        return f"{verb} {service} in {environment}\n\n{reason}\n\n{record.trailers()}\n"

    its = ", ".join(map(str, has)) if wanted or not lift else listed
    told = f"may be promoted again: {its}" if lift else f"on hold: {its}"
    branch = Branch.of(
        what, environment, service, [what, *map(str, has), reason, *(one.version for one in known)]
    )
    return deliver(
        desk,
        place,
        branch,
        change,
        (),
        now=now,
        what=told,
        families=() if lift else _promotions(place),
    )


def _promotions(place: Place) -> list[str]:
    """The branches by which the version might come again."""
    return [f"promote/{place.environment}/{name}/" for name in (place.service, "all")]


def deliver(
    desk: Desk,
    place: Place,
    branch: Branch,
    change: Callable[[], str | None],
    moves: tuple[Move, ...],
    *,
    now: bool,
    families: Sequence[str] = (),
    what: str = "",
) -> Outcome:
    """Push what `change` makes to the branch that is followed, with `now`; else open a pull request with it."""
    clone, base = desk.clone(place.repo), place.repo.branch
    told = text.shown(moves) if moves else what
    try:
        if now:
            commit = clone.land(change)
            if commit is None:
                return _outcome(place, "nothing", "somebody else has done it meanwhile")
            said = f"{told}, by commit {commit[:8]} on {base}"
            warned = _closed(desk, place, branch, families)
            return _outcome(place, "pushed", said, moves, commit=commit, warnings=tuple(warned))
        forge = desk.forge(place.repo)
        message = change()
        if message is None:
            return _outcome(place, "nothing", "nothing to do")
        pull: PullRequest | None = None
        with suppress(Closed):  # Who asks for it again is a person.
            pull = pulls.known(forge, branch, base)
        head = pulls.pushed(clone, branch, message)
    except Overtaken as error:
        raise ReleaseError(
            f"somebody else pushes the same at this moment; run it again: {error}"
        ) from None
    except PushRefused as error:
        hint = (
            "leave --now out, and it becomes a pull request"
            if now
            else "may this token push there?"
        )
        raise ReleaseError(f"{error}; {hint}") from None
    title, _, body = message.partition("\n")
    new = False
    try:
        if pull is None:
            pull, new = pulls.opened(forge, branch, base, title, body.strip())
        warnings = pulls.supersede(forge, branch, pull.number, clone, families, pull.author)
    except ForgeError as error:
        raise ReleaseError(
            f"the branch {branch.name} is pushed, and its pull request isn't as it should be: {error}. Run the same "
            "again"
        ) from None
    return _outcome(
        place,
        "opened" if new else "open",
        f"{told}: {pull.url}",
        moves,
        url=pull.url,
        commit=head,
        warnings=tuple(warnings),
    )


def _closed(desk: Desk, place: Place, branch: Branch, families: Sequence[str]) -> list[str]:
    """Close Fleet's own open pull requests that would bring the version back; what of that didn't work."""
    if not families:
        return []
    try:
        forge = desk.forge(place.repo)
        return pulls.supersede(forge, branch, 0, desk.clone(place.repo), families, forge.whoami())
    except ForgeError as error:
        return [f"pull requests that would bring it back may be open: {error}"]


def _back(clone: Clone, place: Place, to: str) -> Back:
    past = history.changes(clone.root, clone.head(), history.of_overlay(place.overlay)).get(
        place.overlay, []
    )
    has = overlay.images(clone.root, place.overlay)
    if to:
        commit = _named(clone, place, to)
        images = _images_at(clone, place, commit)
        reverts = ""
    else:
        last = past[0] if past else None
        if last and (
            by := next(
                (
                    one
                    for one in read(last.commit.message)
                    if one.action == "rollback"
                    and (one.service, one.environment) == (place.service, place.environment)
                ),
                None,
            )
        ):
            return Back(last.images, last.commit.id, done=_already(place, last, by))
        if len(past) < 2:
            raise ReleaseError(
                f"{place.overlay} has had no other version before, as far as git knows"
            )
        images, commit = past[1].images, past[1].commit.id
        reverts = past[0].commit.id if _confined(clone, place, past[0]) else ""
    names = {one.name for one in has}
    images = tuple(one for one in images if one.name in names)
    if not images:
        raise ReleaseError(f"{place.overlay} had none of today's images at {commit[:8]}")
    if not overlay.moves(has, images):
        return Back(
            images,
            commit,
            done=f"{place.environment} has {', '.join(one.version for one in images)} already",
        )
    return Back(images, commit, reverts)


def _already(place: Place, last: Change, by: Record) -> str:
    who = by.by or last.commit.author
    return (
        f"{place.environment} was rolled back already: {text.shown(by.moves)}, by {who}, "
        f"{last.commit.at:%Y-%m-%d %H:%M} ({last.commit.id[:8]}). To go further back, or forward again, say --to"
    )


def _named(clone: Clone, place: Place, to: str) -> str:
    """The commit on the branch that a commit or a time names."""
    try:
        moment = datetime.fromisoformat(to).astimezone()
    except ValueError:
        pass
    else:
        lines = git.line(clone.root, "log", "--first-parent", "--format=%H %cI", clone.head())
        for line in lines.splitlines():
            commit, _, at = line.partition(" ")
            if datetime.fromisoformat(at) <= moment:
                return commit
        raise ReleaseError(
            f"{place.repo.branch} has no commit as old as {moment.isoformat(timespec='minutes')}"
        )
    try:
        commit = git.line(clone.root, "rev-parse", "--verify", "--quiet", f"{to}^{{commit}}")
    except GitError:
        commit = ""
    if not commit or to.startswith("-"):
        raise BadInput(
            f'--to "{to}" is no commit of {place.repo.url}, and no time: write "2026-11-20 14:00"'
        )
    if not git.succeeds(clone.root, "merge-base", "--is-ancestor", commit, clone.head()):
        raise ReleaseError(
            f"{commit[:8]} isn't on {place.repo.branch}: it never ran in {place.environment}"
        )
    return commit


def _images_at(clone: Clone, place: Place, commit: str) -> tuple[Image, ...]:
    clone.start(commit)
    try:
        if not overlay.exists(clone.root, place.overlay):
            raise ReleaseError(f"{place.service} wasn't in {place.environment} yet at {commit[:8]}")
        return overlay.images(clone.root, place.overlay)
    finally:
        clone.start(clone.head())


def _confined(clone: Clone, place: Place, change: Change) -> bool:
    """Whether a commit of the branch touched nothing but this service: then all of it is reverted."""
    words = ("diff", "--name-only", f"{change.commit.id}^1", change.commit.id)
    own = (
        f"{place.repo.folder}/{place.service}/overlays/{place.environment}/",
        f"{holds.path(place.environment, place.service)}",
    )
    return all(one.startswith(own) for one in git.line(clone.root, *words).splitlines())


def _reverted(clone: Clone, place: Place, back: Back) -> bool:
    """Have git revert the commit in the clone's files; False, and nothing changed, where that gives other images."""
    parents = git.line(clone.root, "rev-list", "--parents", "-n", "1", back.reverts).split()
    mainline = ["-m", "1"] if len(parents) > 2 else []
    if git.succeeds(
        clone.root, "revert", "--no-commit", *mainline, back.reverts
    ) and not overlay.moves(overlay.images(clone.root, place.overlay), back.images):
        git.run(clone.root, "revert", "--quit", check=False)
        return True
    git.run(clone.root, "revert", "--abort", check=False)
    clone.start(clone.head())
    return False


def _hold(clone: Clone, place: Place, moves: Sequence[Move], reason: str) -> None:
    _add(clone, place, [_image(one) for one in moves if one.before], reason)


def _image(move: Move) -> Image:
    tag, _, digest = move.before.partition("@")
    return Image(move.name, "", tag) if tag.startswith("sha256:") else Image(move.name, tag, digest)


def _add(clone: Clone, place: Place, images: Sequence[Image], reason: str) -> None:
    known = holds.read(clone.root, place.environment, place.service)
    since = datetime.now(UTC).date().isoformat()
    more = tuple(
        Hold(one.name, one.version, since, actor(), reason)
        for one in images
        if not holds.held(known, one)
    )
    holds.write(clone.root, place.environment, place.service, known + more)


def _newest(clone: Clone, place: Place) -> str:
    past = history.changes(clone.root, clone.head(), history.of_overlay(place.overlay))
    return next((one.commit.id for one in past.get(place.overlay, [])), "")


def _outcome(
    place: Place, done: str, message: str, moves: tuple[Move, ...] = (), **more: object
) -> Outcome:
    return Outcome(
        service=place.service,
        environment=place.environment,
        done=done,  # type: ignore[arg-type]  # from the callers above
        message=message,
        moves=moves,
        **more,  # type: ignore[arg-type]
    )
