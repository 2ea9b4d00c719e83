"""Kubeconfigs of several files, as kubectl itself has them: it is client-go, as Pulumi's plugin and Argo CD are."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from lab.toolchain import Toolbox, ensure
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError

V1, V1BETA1 = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
LOGIN = {"apiVersion": V1, "command": "./bin/login", "interactiveMode": "Never"}
FIRST = {
    "clusters": [
        {"name": "default", "cluster": {"server": "https://a:6443", "certificate-authority": "ca.pem"}},
        {"name": "of-the-first", "cluster": {"server": "https://first:6443", "tls-server-name": "inside"}},
    ],
    "users": [
        {"name": "default", "user": {"client-certificate": "sub/tls.crt", "client-key": "sub/tls.key"}},
        {"name": "by-plugin", "user": {"exec": LOGIN}},
        {"name": "by-path", "user": {"exec": {"apiVersion": V1BETA1, "command": "aws", "args": ["x"]}}},
    ],
    "contexts": [
        {"name": "default", "context": {"cluster": "default", "user": "default", "namespace": "team"}},
        {"name": "plugin", "context": {"cluster": "of-the-first", "user": "by-plugin"}},
        {"name": "path", "context": {"cluster": "of-the-first", "user": "by-path"}},
    ],
}  # fmt: skip
SECOND = {
    "clusters": [
        {"name": "default", "cluster": {"server": "https://b:6443", "proxy-url": "http://proxy:3128"}},
        {"name": "insecure", "cluster": {"server": "https://i:6443", "insecure-skip-tls-verify": True}},
    ],
    "users": [
        {"name": "default", "user": {"token": "second"}},
        {"name": "named", "user": {"username": "u", "password": "p", "as": "somebody"}},
    ],
    "contexts": [
        {"name": "default", "context": {"cluster": "insecure", "user": "named"}},
        {"name": "mixed", "context": {"cluster": "default", "user": "default"}},
        {"name": "second", "context": {"cluster": "insecure", "user": "named"}},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def kubectl() -> Toolbox:
    return ensure(["kubectl"], console=Console(stderr=True))


@pytest.fixture
def files(tmp_path: Path) -> str:
    """The two files, in folders of their own, with what they name by a path; and one that isn't there."""
    for name, document in (("first", FIRST), ("second", SECOND)):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "config").write_text(
            yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **document})
        )
        for file in ("ca.pem", "sub/tls.crt", "sub/tls.key"):
            (tmp_path / name / file).write_text(f"{file} of the {name}")
    return os.pathsep.join(
        str(tmp_path / name) for name in ("absent", "first/config", "second/config")
    )


def _kubectl(kubectl: Toolbox, files: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [kubectl.bin("kubectl"), "config", "view", "--raw", "-o", "json", *words],
        env={**os.environ, "KUBECONFIG": files},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip


def test_several_files_are_one(kubectl: Toolbox, files: str, tmp_path: Path) -> None:
    ours = Kubeconfig.read({"KUBECONFIG": files})
    shown = _kubectl(kubectl, files, "--flatten")
    assert shown.returncode == 0, shown.stderr
    theirs = json.loads(shown.stdout)
    for section in ("clusters", "users", "contexts"):
        assert set(getattr(ours, section)) == {one["name"] for one in theirs[section]}
    of_theirs = {
        section: {one["name"]: one[section[:-1]] for one in theirs[section]}
        for section in ("clusters", "users", "contexts")
    }
    for name, context in of_theirs["contexts"].items():
        assert ours.contexts[name] == context
        assert _plain(ours.cluster(name)) == _plain(of_theirs["clusters"][context["cluster"]])
        mine, its = _plain(ours.user(name)), _plain(of_theirs["users"][context["user"]])
        for user in (mine, its):
            # kubectl puts empty keys in, and leaves a command as it is until it runs it.
            plugin = user.pop("exec", {})
            user["command"] = (
                plugin.get("command", "").removeprefix("./").removeprefix(f"{tmp_path}/first/")
            )
        assert mine == its
    assert ours.user("plugin")["exec"]["command"] == str(tmp_path / "first" / "bin" / "login")
    assert ours.mixed_up("mixed"), "its cluster and user are the first file's"


def _plain(body: Any) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value not in ("", None, False)}


def test_a_token_file_counts_before_a_token(kubectl: Toolbox, tmp_path: Path) -> None:
    document = {
        "clusters": [{"name": "a", "cluster": {"server": "https://a"}}],
        "users": [{"name": "a", "user": {"token": "stale", "tokenFile": "token"}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(document))
    (tmp_path / "token").write_text("fresh\n")
    ours = Kubeconfig.read({"KUBECONFIG": str(tmp_path / "config")})
    assert ours.user("a")["token"] == "fresh"
    handed_on = yaml.safe_load(ours.access("a").kubeconfig)["users"][0]["user"]
    assert handed_on == {"tokenFile": str(tmp_path / "token")}, (
        "which its owner may renew meanwhile"
    )


@pytest.mark.parametrize(
    "text",
    [
        "contexts: [{name: x, context: {cluster: c, user: u}}, {name: x, context: {cluster: d, user: u}}]",
        "users: [{name: x, user: {token: 123}}]",
        "users: [{name: 123, user: {token: a}}]",
        "users:\n- name: x\n  user:\n\ttoken: a",
        "clusters: [{name: x, cluster: {insecure-skip-tls-verify: maybe}}]",
        "contexts: {}",
        "contexts: [{name: x, context: {cluster: c, user: u, namespace: n}}]",
    ],
)
def test_what_kubectl_refuses(kubectl: Toolbox, tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(f"{text}\n")
    assert _kubectl(kubectl, str(path)).returncode != 0
    with pytest.raises(KubeconfigError):
        Kubeconfig.read({"KUBECONFIG": str(path)})


@pytest.mark.parametrize(
    "text",
    [
        "preferences: {last: 2021-02-30}\nusers: [{name: x, user: {token: 2021-02-03}}]",
        "users: [{name: x, user: {token: a, unknown: [1]}}]",
        "clusters: [{name: x, cluster: {server: https://a, insecure-skip-tls-verify: yes}}]",
        "users: [{name: x, user: {token: a, token: b}}]",
        "",
    ],
)
def test_what_kubectl_takes(kubectl: Toolbox, tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(f"{text}\n")
    theirs = _kubectl(kubectl, str(path))
    assert theirs.returncode == 0
    ours = Kubeconfig.read({"KUBECONFIG": str(path)})
    users = {
        one["name"]: one["user"].get("token") for one in json.loads(theirs.stdout)["users"] or ()
    }
    assert {name: user.get("token") for name, user in ours.users.items()} == users
