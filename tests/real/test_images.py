"""Edits of `images:` against the real kustomize: only the version changes, in the bytes and in what is built."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops.releases import holds, overlay
from gitops.releases.holds import Hold, HoldError
from gitops.releases.images import Image, ImagesError, changed, read
from tests.real.scaffold_project import Project

NAMES = ("registry.example.com:5000/acme/pay", "ghcr.io/acme/side-car", "plain")
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "pay", "annotations": {"image": f"{NAMES[0]}:v1"}},
    "spec": {
        "selector": {"matchLabels": {"app": "pay"}},
        "template": {
            "metadata": {"labels": {"app": "pay"}},
            "spec": {
                "initContainers": [{"name": "init", "image": "plain:old"}],
                "containers": [
                    {"name": str(place), "image": f"{name}:set"} for place, name in enumerate(NAMES)
                ],
            },
        },
    },
}
# Such as another reader of YAML would take for a number, a date, a truth or nothing.
TAGS = st.sampled_from(
    [
        "v1.2.3",
        "2.0",
        "1.10",
        "2024-01-01",
        "true",
        "0x1f",
        "1e3",
        "v2.3.1-rc.1",
        "0o17",
        "12",
        "_x",
        "null",
    ]
)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format)


@st.composite
def kustomizations(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A kustomization as people write them, and the names that its images are pulled by."""
    quote = st.sampled_from(["{}", '"{}"', "'{}'"])
    comment = st.sampled_from(["", "  # keep", " # newTag: v0", "  # 'quoted'"])
    entries, pulled = [], []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)):
        new = draw(st.sampled_from([None, f"mirror.example.com/{name.rpartition('/')[2]}"]))
        keys = [("name", name)] + ([("newName", new)] if new else [])
        key = draw(st.sampled_from(["newTag", "digest"]))
        value = draw(DIGESTS if key == "digest" else st.sampled_from(["v1", "old-tag", "v0.9.0_x"]))
        keys = draw(st.permutations([*keys, (key, value)]))
        shown = [(one, draw(quote).format(text)) for one, text in keys]
        if draw(st.booleans()):
            entries.append(
                "- {" + ", ".join(f"{one}: {text}" for one, text in shown) + "}" + draw(comment)
            )
        else:
            indent = draw(st.sampled_from(["- ", "-   ", "  - "]))
            lines = [
                f"{one}:{draw(st.sampled_from([' ', '   ']))}{text}{draw(comment)}"
                for one, text in shown
            ]
            entries.append(indent + ("\n" + " " * len(indent)).join(lines))
        pulled.append(new or name)
    # Within one list all items stand alike.
    if len({entry.index("-") for entry in entries}) > 1:
        entries = [
            entry
            if entry.startswith("  -")
            else "\n".join(f"  {line}" for line in entry.split("\n"))
            for entry in entries
        ]
    head = draw(st.sampled_from(["", "---\n", "# Der Tag: ü €\n", "kind: Kustomization\n"]))
    tail = draw(
        st.sampled_from(
            ["", "namespace: pay\n", "# the end", "\n\n", "commonAnnotations: {newTag: v1}\n"]
        )
    )
    text = (
        f"{head}resources: [deployment.yaml]\nimages:{draw(comment)}\n"
        + "\n".join(entries)
        + f"\n{tail}"
    )
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return text, pulled


def _masked(line: bytes, version: bytes) -> bytes:
    """The line with a star for the version, in quotes or not."""
    return re.sub(b"([\"']?)" + re.escape(version) + b"\\1", b"*", line)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(kustomizations(), st.data())
def test_only_the_version_changes(
    gitops_project: Project, made: tuple[str, list[str]], data: st.DataObject
) -> None:
    text, pulled = made
    before = text.encode()
    was = {one.name: one for one in read(before)}
    wanted = [
        Image(
            name,
            "" if was[name].digest else data.draw(TAGS),
            data.draw(DIGESTS) if was[name].digest else "",
        )
        for name in data.draw(st.lists(st.sampled_from(pulled), min_size=1, unique=True))
    ]
    after = changed(before, wanted)
    assert changed(after, wanted) == after, "a second time there is nothing to do"
    assert {one.name: one for one in read(after)} == {**was, **{one.name: one for one in wanted}}
    # Line by line, only those of the versions differ, and in them only the version.
    old, new = before.split(b"\n"), after.split(b"\n")
    assert len(old) == len(new)
    for one, other in zip(old, new, strict=True):
        if one != other:
            its = [(was[image.name].version.encode(), image.version.encode()) for image in wanted]
            assert any(_masked(one, mine) == _masked(other, theirs) for mine, theirs in its)
            assert one.count(b"'") == other.count(b"'"), "quotes stay as they were"
            assert one.count(b'"') <= other.count(b'"')
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        (root / "deployment.yaml").write_text(yaml.safe_dump(DEPLOYMENT))
        (root / "kustomization.yaml").write_bytes(before)
        first = overlay.built(root, ".")
        (root / "kustomization.yaml").write_bytes(after)
        second = overlay.built(root, ".")
    assert overlay.more_than_images(first, second) == []
    refs = {one["image"] for one in second[0]["spec"]["template"]["spec"]["containers"]}
    assert {str(one) for one in wanted} <= refs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("images: [{name: a}]", "neither newTag nor digest under `images:`"),
        ("images: [{name: b, newTag: v1}]", '`images:` has no entry for "a"; it has: b:v1'),
        (
            "images: [{name: a, newTag: v1}, {name: a, newTag: v2}]",
            '`images:` has two entries for "a"',
        ),
        ("images: [{name: a, digest: sha256:0}]", "is set by digest there, so it needs a digest"),
        ("images:\n- name: a\n  newTag: |\n    v1\n", "isn't written as one plain value"),
        ("x: &v v1\nimages: [{name: a, newTag: &t v1}]\ny: *t", "an anchor or alias shares"),
        ("b: &b {newTag: v1}\nimages: [{name: a, <<: *b}]", "comes by a merge key"),
        ("images: [", "no YAML"),
        ("resources: []", '`images:` has no entry for "a"; it has: none'),
    ],
)
def test_what_cannot_be_changed_is_said(text: str, said: str) -> None:
    with pytest.raises(ImagesError) as error:
        changed(text.encode(), [Image("a", "v2")])
    assert said in str(error.value)


def test_a_kustomization_that_is_a_link_is_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("images: [{name: a, newTag: v1}]\n")
    (tmp_path / "repo/x").mkdir(parents=True)
    (tmp_path / "repo/x/kustomization.yaml").symlink_to(outside)
    with pytest.raises(ImagesError, match="is a link"):
        overlay.move(tmp_path / "repo", "x", [Image("a", "v2")])
    (tmp_path / "repo/y").symlink_to(tmp_path)
    (tmp_path / "kustomization.yaml").write_text(outside.read_text())
    with pytest.raises(ImagesError, match="is a link"):
        overlay.move(tmp_path / "repo", "y", [Image("a", "v2")])


def test_links_inside_the_repo_lead_nowhere_either(tmp_path: Path) -> None:
    """Else a push to staging would be one to production, and a hold would be written elsewhere."""
    overlays = tmp_path / "apps/x/overlays"
    (overlays / "production").mkdir(parents=True)
    (overlays / "production/kustomization.yaml").write_text("images: [{name: a, newTag: v1}]\n")
    (overlays / "staging").symlink_to("production")
    with pytest.raises(ImagesError, match="is a link"):
        overlay.move(tmp_path, "apps/x/overlays/staging", [Image("a", "v2")])
    (tmp_path / ".fleet/holds").mkdir(parents=True)
    (tmp_path / ".fleet/holds/production").symlink_to(tmp_path.parent)
    for work in (holds.read, lambda *place: holds.write(*place, (Hold("a", "v1", "", "", ""),))):
        with pytest.raises(HoldError, match="is a link"):
            work(tmp_path, "production", "x")
    assert not (tmp_path.parent / "x.yaml").exists()


@pytest.mark.parametrize(
    "text", ["x: !!bool maybe", "x: !!timestamp maybe", "images: [{name: 'a b', newTag: v1}]"]
)
def test_hostile_documents_are_refused(text: str) -> None:
    with pytest.raises(ImagesError):
        read(text.encode())


def test_a_hold_is_on_the_same_bits() -> None:
    one, other = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
    known = (Hold("a", f"v1@{one}", "", "", ""),)
    assert holds.held(known, Image("a", "v2", one))
    assert holds.held(known, Image("a", "v1"))
    assert not holds.held(known, Image("a", "v1", other))
    assert not holds.held(known, Image("b", "v1", one))
