from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml

from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError


def _write(path: Path, context: str, cluster: dict[str, str], user: dict[str, str]) -> Path:
    document = {
        "contexts": [
            {"name": context, "context": {"cluster": "c", "user": "u", "namespace": "team"}}
        ],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("proxy", ["", "http://user:canary@proxy.example.com:3128"])
def test_the_proxy_of_a_cluster(tmp_path: Path, proxy: str) -> None:
    cluster = {"server": "https://a", **({"proxy-url": proxy} if proxy else {})}
    path = _write(tmp_path / "config", "a", cluster, {})
    access = Kubeconfig.read({"KUBECONFIG": str(path)}).access("a")
    assert access.proxy == proxy
    assert "canary" not in repr(access)


def test_files_are_put_inside_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("the CA")
    path = _write(
        tmp_path / "config",
        "a",
        {"server": "https://a.example.com/", "certificate-authority": "ca.crt"},
        {"token": "the-token"},
    )
    access = Kubeconfig.read({"KUBECONFIG": str(path)}).access("a")
    assert access.server == "https://a.example.com"
    assert access.ca_pem == "the CA"
    minimal = yaml.safe_load(access.kubeconfig)
    assert minimal["current-context"] == "a"
    assert minimal["contexts"][0]["context"]["namespace"] == "team"
    assert (
        minimal["clusters"][0]["cluster"]["certificate-authority-data"]
        == base64.b64encode(b"the CA").decode()
    )
    assert "certificate-authority" not in minimal["clusters"][0]["cluster"]
    assert minimal["users"][0]["user"] == {"token": "the-token"}
    assert access.user == {"token": "the-token"}


def test_a_user_has_its_files_put_inside(tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_text("the certificate")
    (tmp_path / "tls.key").write_text("the key")
    path = _write(
        tmp_path / "config",
        "a",
        {"server": " https://a.example.com/ "},
        {"client-certificate": "tls.crt", "client-key": "tls.key"},
    )
    access = Kubeconfig.read({"KUBECONFIG": str(path)}).access("a")
    assert access.server == "https://a.example.com"
    assert access.user == {
        "client-certificate-data": base64.b64encode(b"the certificate").decode(),
        "client-key-data": base64.b64encode(b"the key").decode(),
    }


def test_the_first_file_to_name_something_wins(tmp_path: Path) -> None:
    first = _write(tmp_path / "1", "a", {"server": "https://first.example.com"}, {})
    second = _write(tmp_path / "2", "a", {"server": "https://second.example.com"}, {})
    both = Kubeconfig.read({"KUBECONFIG": f"{first}:{second}:{tmp_path / 'absent'}"})
    assert both.access("a").server == "https://first.example.com"


def test_the_representation_holds_no_credential(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "config", "a", {"server": "https://a.example.com"}, {"token": "canary"}
    )
    kubeconfig = Kubeconfig.read({"KUBECONFIG": str(path)})
    assert "canary" not in repr(kubeconfig)
    assert "canary" not in repr(kubeconfig.access("a"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("users: [{name: u, user: {token: canary]", "can't be read as a kubeconfig"),
        ("just a text", "is no kubeconfig"),
        ("contexts: [{context: {}}]", "has a context without a name"),
        ("contexts: 5", "contexts is no list"),
        ("users: [{name: u, user: canary}]", 'user "u" holds what no user does'),
        ("users: [{name: u, user: {token: [canary]}}]", 'user "u" holds what no user does'),
        ("contexts: [{name: c, context: {cluster: []}}]", 'context "c" holds what no context'),
        ("clusters: [{name: c, cluster: {certificate-authority: 5}}]", 'cluster "c" holds what'),
    ],
)
def test_no_kubeconfig(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(KubeconfigError, match=message) as caught:
        Kubeconfig.read({"KUBECONFIG": str(tmp_path / "config")})
    assert "canary" not in str(caught.value)


def test_an_unknown_context_or_file(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "config",
        "a",
        {"server": "https://a.example.com", "certificate-authority": "absent.crt"},
        {},
    )
    kubeconfig = Kubeconfig.read({"KUBECONFIG": str(path)})
    with pytest.raises(KubeconfigError, match='no context "b" in'):
        kubeconfig.access("b")
    with pytest.raises(KubeconfigError, match=r"certificate-authority .*absent.crt can't be read"):
        kubeconfig.access("a")


@pytest.mark.parametrize("data", ["x", "é", "/w=="])
def test_a_ca_that_is_no_base64_of_a_text(tmp_path: Path, data: str) -> None:
    cluster = {"server": "https://a.example.com", "certificate-authority-data": data}
    path = _write(tmp_path / "config", "a", cluster, {})
    with pytest.raises(
        KubeconfigError, match=r'context "a" in .* has a certificate-authority-data'
    ):
        Kubeconfig.read({"KUBECONFIG": str(path)}).access("a")
