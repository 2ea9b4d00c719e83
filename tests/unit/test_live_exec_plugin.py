"""Credential plugins: what they are told, what they may answer, and whom a slow or broken one holds up."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from live import exec_plugin
from live.cluster_api import ClusterAPI, LoggedOut, Unreachable
from stacks.loading.kubeconfig import Kubeconfig

V1 = "client.authentication.k8s.io/v1"
CANARY = "canary-credential"


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_plugin, "_known", {})


def answer(**status: Any) -> str:
    return json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})


def plugin(folder: Path, script: str, name: str = "login", **more: Any) -> dict[str, Any]:
    """An `exec` that runs `script`, a shell's."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"apiVersion": V1, "command": str(path), "interactiveMode": "Never", **more}


def printing(folder: Path, text: str, **more: Any) -> dict[str, Any]:
    (folder / "answer").write_text(text)
    return plugin(folder, f"echo run >> {folder}/runs; cat {folder}/answer", **more)


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


def refused(given: dict[str, Any], cluster: dict[str, Any] | None = None) -> str:
    with pytest.raises(exec_plugin.PluginError) as caught:
        exec_plugin.credential(given, cluster or {})
    assert CANARY not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_runs_once_for_all_who_ask(tmp_path: Path) -> None:
    given = printing(tmp_path, answer(token=CANARY))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: exec_plugin.credential(given, {}), range(8)))
    assert {one.token for one in found} == {CANARY}
    assert runs(tmp_path) == 1
    assert CANARY not in repr(found[0])


def test_another_user_is_another_run(tmp_path: Path) -> None:
    script = 'echo "$1" "$STAGE" >> runs; cat answer'
    given = plugin(tmp_path, f"cd {tmp_path}; {script}")
    (tmp_path / "answer").write_text(answer(token="t"))
    exec_plugin.credential({**given, "args": ["one"]}, {})
    exec_plugin.credential({**given, "args": ["two"]}, {})
    exec_plugin.credential(
        {**given, "args": ["two"], "env": [{"name": "STAGE", "value": "prod"}]}, {}
    )
    assert (tmp_path / "runs").read_text().split() == ["one", "two", "two", "prod"]


def test_a_slow_one_holds_up_nobody_else(tmp_path: Path) -> None:
    """Each waits for the other: one after another, neither would ever end."""
    there, here = (tmp_path / name for name in ("there", "here"))
    (tmp_path / "answer").write_text(answer(token="t"))
    wait = "touch {mine}; while [ ! -e {other} ]; do sleep 0.02; done; cat {answer}"
    both = [
        plugin(
            tmp_path,
            wait.format(mine=mine, other=other, answer=tmp_path / "answer"),
            name=f"login-{mine.name}",
        )
        for mine, other in ((here, there), (there, here))
    ]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda one: exec_plugin.credential(one, {}), both))
    assert [one.token for one in found] == ["t", "t"]


def test_one_that_never_answers_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_plugin, "SECONDS", 0.2)
    said = refused(plugin(tmp_path, f"echo {CANARY}; exec sleep 60"))
    assert said.endswith("login gave no credential within 0 s; does it wait for a login?")


def test_what_is_over_is_asked_for_again(tmp_path: Path) -> None:
    def ends(**after: int) -> str:
        moment = (datetime.now(UTC) + timedelta(**after)).isoformat(timespec="seconds")
        return answer(token=CANARY, expirationTimestamp=moment.replace("+00:00", "Z"))

    given = printing(tmp_path, ends(seconds=30))
    exec_plugin.credential(given, {})
    (tmp_path / "answer").write_text(ends(hours=1))
    exec_plugin.credential(given, {})
    assert runs(tmp_path) == 2, "what ends within a minute is as good as over"
    exec_plugin.credential(given, {})
    assert runs(tmp_path) == 2


def test_what_it_is_told(tmp_path: Path) -> None:
    given = plugin(
        tmp_path,
        f'echo "$KUBERNETES_EXEC_INFO" > {tmp_path}/told; cat {tmp_path}/answer',
    )
    (tmp_path / "answer").write_text(answer(token="t"))
    cluster = {
        "server": "https://one.example.com",
        "certificate-authority-data": "Y2E=",
        "extensions": [
            {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
        ],
    }
    exec_plugin.credential(given, cluster)
    told = json.loads((tmp_path / "told").read_text())
    assert told == {"apiVersion": V1, "kind": "ExecCredential", "spec": {"interactive": False}}
    exec_plugin.credential({**given, "provideClusterInfo": True}, cluster)
    told = json.loads((tmp_path / "told").read_text())
    assert told["spec"]["cluster"] == {
        "server": "https://one.example.com",
        "certificate-authority-data": "Y2E=",
        "config": {"audience": "a"},
    }


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        "5",
        "null",
        "[" * 100_000,
        f"{answer(token=CANARY)} oops",
        answer(),
        answer(token=5),
        answer(token=[CANARY]),
        answer(clientCertificateData="c"),
        answer(token=CANARY, expirationTimestamp="soon"),
        answer(token=CANARY, expirationTimestamp=5),
        answer(token=CANARY, expirationTimestamp="2030-01-01T00:00:00"),
        json.dumps({"apiVersion": V1, "status": None, "token": CANARY}),
        json.dumps({"apiVersion": "another/v1", "status": {"token": CANARY}}),
    ],
)
def test_an_answer_that_is_none(tmp_path: Path, said: str) -> None:
    assert refused(printing(tmp_path, said)).endswith(f"answered with no credential of {V1}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"command": "no-such-login", "installHint": "get it"}, "can't be run: No such file or"),
        ({"env": "abc"}, "of another form than a list of texts"),
        ({"env": [{"name": "A"}]}, "of another form than a list of texts"),
        ({"args": 5}, "of another form than a list of texts"),
        ({"env": [{"name": "A=B\0", "value": "x"}]}, "can't be run"),
        ({"interactiveMode": "Always"}, "wants a terminal, and there is none"),
    ],
)
def test_one_that_can_not_be_run(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    assert said in refused({**printing(tmp_path, answer(token=CANARY)), **change})


def test_its_own_last_word(tmp_path: Path) -> None:
    said = r"printf 'first\n\033[31mThe SSO session has expired\033[0m\n' >&2; exit 255"
    assert refused(plugin(tmp_path, said)).endswith(
        "login ended with 255: [31mThe SSO session has expired[0m"
    )
    assert refused(plugin(tmp_path, "exit 3")).endswith("login ended with 3")


def a_kubeconfig(user: dict[str, Any]) -> Kubeconfig:
    return Kubeconfig(
        "the kubeconfig",
        contexts={"one": {"cluster": "one", "user": "one"}},
        clusters={"one": {"server": "http://127.0.0.1:9"}},
        users={"one": user},
    )


def test_a_failed_plugin_is_nobody_at_all(tmp_path: Path) -> None:
    """The official client goes on without a credential, and then it looks as if rights were missing."""
    api = ClusterAPI(a_kubeconfig({"exec": plugin(tmp_path, "echo expired >&2; exit 1")}), "one")
    with pytest.raises(LoggedOut, match=r'context "one": its plugin .*login ended with 1: expired'):
        api.json("/version")


def test_a_token_comes_before_a_plugin(tmp_path: Path) -> None:
    """As kubectl has it."""
    given = {"token": "t", "exec": printing(tmp_path, answer(token="other"))}
    with pytest.raises(Unreachable):
        ClusterAPI(a_kubeconfig(given), "one").json("/version")
    assert not (tmp_path / "runs").exists()


def test_the_lock_is_not_held_while_a_plugin_runs(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    slow = plugin(tmp_path, f"while [ ! -e {gate} ]; do sleep 0.02; done; exit 1")
    waiting = threading.Thread(
        target=lambda: _fails(ClusterAPI(a_kubeconfig({"exec": slow}), "one"))
    )
    waiting.start()
    _fails(ClusterAPI(a_kubeconfig({"token": "t"}), "one"))
    assert waiting.is_alive()
    gate.touch()
    waiting.join(10)
    assert not waiting.is_alive()


def _fails(api: ClusterAPI) -> None:
    with pytest.raises(Unreachable):
        api.json("/version")
