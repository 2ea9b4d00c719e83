"""What commits and pull requests of a release say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from gitops.releases.history import Change, versions
from gitops.releases.trailers import Move, Record, read

if TYPE_CHECKING:
    from fleet.releases.promoting import Evidence, Promotion

_VERBS = {"promote": "Promote", "rollback": "Roll back"}
_MOST = 20


def message(record: Record, note: str = "") -> str:
    """The message of a commit that moves versions of one service."""
    verb = _VERBS[record.action]
    to = ", ".join(short(one.after) for one in record.moves)
    first = f"{verb} {record.service} in {record.environment}: {to}"
    if record.action == "promote":
        first = f"{verb} {record.service} to {record.environment}: {to}"
    middle = f"\n\n{note}" if note else ""
    return f"{first}{middle}\n\n{record.trailers()}\n"


def together(planned: Sequence[Promotion], records: Sequence[Record]) -> str:
    """The message of a commit that moves those of several."""
    blocks = "\n\n".join(one.trailers() for one in records)
    return f"{title(planned)}\n\n{blocks}\n"


def title(planned: Sequence[Promotion]) -> str:
    """The title of a pull request."""
    first = planned[0]
    environment = first.target.environment
    if len(planned) > 1:
        return f"Promote {len(planned)} services to {environment}"
    to = ", ".join(short(one.after) for one in first.moves)
    return f"Promote {first.target.service} to {environment}: {to}"


def body(planned: Sequence[Promotion], given: Evidence, records: Sequence[Record]) -> str:
    """The text of a pull request: what changes where, after what; at its end what a squash takes into the commit."""
    lines = []
    for one in planned:
        clusters = ", ".join(one.target.clusters) or "no cluster yet"
        lines += [
            f"### {one.target.service}",
            "",
            f"On **{one.target.environment}**: {clusters}.",
            "",
            "| image | from | to |",
            "|---|---|---|",
            *(f"| {move.name} | {move.before or 'none'} | {move.after} |" for move in one.moves),
            "",
            f"{one.source.environment} runs it: {one.found.applications} of its Applications Synced and Healthy at "
            f"{one.head[:8]}.",
            *_between(one),
            "",
        ]
    lines += [
        "Nothing but images changes: kustomize built each overlay before and after.",
        f"Integration tests: {given.tested or 'no result yet'}.",
        "",
        "\n\n".join(one.trailers() for one in records),
        "",
    ]
    return "\n".join(lines)


def shown(moves: Iterable[Move]) -> str:
    """`v1 → v2`, and the image's name where there are several."""
    known = list(moves)
    name = {one.name: f"{one.name.rpartition('/')[2]} " if len(known) > 1 else "" for one in known}
    return ", ".join(f"{name[one.name]}{short(one.before)} → {short(one.after)}" for one in known)


def short(version: str) -> str:
    """A version in a few characters: its tag, else the start of its digest."""
    tag, _, digest = version.partition("@")
    if tag.startswith("sha256:"):
        tag, digest = "", tag
    return tag or digest[:19] or "none"


def since(past: Sequence[Change], moves: Sequence[Move]) -> Iterator[Change]:
    """The changes of the source since it had what the target has, the newest first; nothing where it never had that."""
    wanted = {one.name: one.before for one in moves}
    found: list[Change] = []
    for change in past:
        has = versions(change.images)
        if all(has.get(name) == version for name, version in wanted.items()):
            return iter(found)
        found.append(change)
    return iter(found[:1])


def plain(text: str) -> str:
    """Text of people's as a forge shows it: without what Markdown or HTML would make of it."""
    return re.sub(r"[^\w .,:/@()+-]", "", text)[:120]


def _between(one: Promotion) -> Iterator[str]:
    if not one.between:
        return
    yield ""
    yield f"In between, in {one.source.environment}:"
    yield ""
    for change in one.between[:_MOST]:
        its = plain(", ".join(short(image.version) for image in change.images))
        records = [
            record for record in read(change.commit.message) if record.service == one.source.service
        ]
        build = next(
            (f", built by {plain(record.build)}" for record in records if record.build), ""
        )
        who = plain(next((record.by for record in records if record.by), change.commit.author))
        yield f"- {change.commit.id[:8]} {its}, {who}{build}"
    if len(one.between) > _MOST:
        yield f"- and {len(one.between) - _MOST} more"
