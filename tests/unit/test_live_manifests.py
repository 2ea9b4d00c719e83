from __future__ import annotations

from pathlib import Path

import pytest

from live import manifests
from stacks.model.errors import ManifestError
from tests.unit.conftest import Server


def test_reads_every_object(tmp_path: Path) -> None:
    path = tmp_path / "install.yaml"
    path.write_text("---\nkind: A\nmetadata: {name: a}\n---\n---\nkind: B\nmetadata: {name: b}\n")
    assert [one["kind"] for one in manifests.read(str(path))] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds something else"),
        ("<html>", "holds something else"),
        ("kind: A\nmetadata: {}\n", "holds something else"),
        ("kind: A\nmetadata: [name]\n", "holds something else"),
        ("a: [", "is no YAML"),
        ("a: 2026-13-01", "holds something else"),
    ],
)
def test_something_else(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "install.yaml"
    path.write_text(text)
    with pytest.raises(ManifestError, match=message):
        manifests.read(str(path))


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "install.yaml"
    path.write_bytes(b"kind: \xff")
    with pytest.raises(ManifestError, match=r"install\.yaml is no YAML"):
        manifests.read(str(path))


def test_an_address_that_is_none() -> None:
    with pytest.raises(ManifestError, match="can't be fetched"):
        manifests.read("https://xn--é../install.yaml")


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(ManifestError, match=r"absent.yaml can't be read: No such file"):
        manifests.read("absent.yaml")


def test_an_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    server.body = b"kind: A\nmetadata: {name: a}\n"
    assert manifests.read(f"{server.url}/install.yaml") == [
        {"kind": "A", "metadata": {"name": "a"}}
    ]
    server.status = 404
    with pytest.raises(ManifestError, match=r"install.yaml can't be fetched: .*404"):
        manifests.read(f"{server.url}/install.yaml")


def test_a_file_of_crds_holds_nothing_else(tmp_path: Path) -> None:
    crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b.c}\n"
    file = tmp_path / "crds.yaml"
    file.write_text(crd)
    assert [one["metadata"]["name"] for one in manifests.read_crds(str(file))] == ["a.b.c"]
    assert manifests.read_crds(None) == []
    file.write_text(f"{crd}---\napiVersion: v1\nkind: Service\nmetadata: {{name: webhook}}\n")
    with pytest.raises(ManifestError, match=r"CRDs only, and has Service webhook; .*`manifests:`"):
        manifests.read_crds(str(file))


def test_what_looks_like_a_date_is_text(tmp_path: Path) -> None:
    file = tmp_path / "crds.yaml"
    file.write_text(
        "kind: CustomResourceDefinition\nmetadata: {name: a.b.c, annotations: {made: 2026-11-26}}\n"
    )
    (crd,) = manifests.read_crds(str(file))
    assert crd["metadata"]["annotations"] == {"made": "2026-11-26"}
