"""Preflight, against a small HTTPS server that answers as an API server does, and against a live hub."""

from __future__ import annotations

import base64
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from live import preflight
from live.cluster_api import ClusterAPI, Unreachable
from stacks.loading.kubeconfig import Kubeconfig
from stacks.model.access import ClusterAccess, Endpoint
from stacks.model.errors import Problem, StackError
from tests.unit.conftest import Server
from tests.unit.live_hub import KINDS, SECRETS, LiveHub, a_fleet, a_spoke


def test_silent_spokes(server: Server, certificate: Path) -> None:
    ca_data = base64.b64encode(certificate.read_bytes().split(b"-----BEGIN PRIVATE")[0]).decode()
    there = ClusterAccess("there", server.url, ca_data, "")
    nobody = ClusterAccess("nobody", _nobody(), ca_data, "")
    fleet = a_fleet(
        spokes=[
            a_spoke("silent"),
            a_spoke("answers"),
            a_spoke("resting", quarantine="its disk is being replaced"),
            a_spoke("by-argocd", auth={"kind": "token"}, delivery="argocd"),
            a_spoke("by-pulumi", auth={"kind": "token"}),
            a_spoke("far", auth={"kind": "gke"}, delivery="argocd"),
            a_spoke("in-hub", auth={"kind": "inCluster"}),
        ]
    )
    endpoints = {spoke.name: Endpoint(spoke.server, "", nobody) for spoke in fleet.spokes}
    endpoints["answers"] = Endpoint(server.url, "", there)
    endpoints["far"] = Endpoint("https://far.example.com", "", None)
    warnings = preflight.silent(fleet, endpoints)
    assert list(warnings) == ["silent", "by-pulumi"]
    assert warnings["silent"] == (
        f"silent does not answer at {nobody.server}; its changes will fail. If it stays so, give it `quarantine: <why>`"
    )


@pytest.mark.parametrize("ca", ["", "no certificate"])
def test_a_spoke_answers_whatever_its_certificate(server: Server, ca: str) -> None:
    ca_data = base64.b64encode(ca.encode()).decode()
    access = ClusterAccess("there", server.url, ca_data, "")
    fleet = a_fleet(spokes=[a_spoke("one")])
    assert not preflight.silent(fleet, {"one": Endpoint(server.url, ca_data, access)})


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_spoke_that_wants_a_certificate_answers(
    certificate: Path, version: ssl.TLSVersion
) -> None:
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(certificate)
    trust.verify_mode = ssl.CERT_REQUIRED
    trust.maximum_version = version
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            connection, _ = listening.accept()
            with suppress(OSError), trust.wrap_socket(connection, server_side=True) as one:
                one.recv(1)

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        access = ClusterAccess("there", url, "", "")
        fleet = a_fleet(spokes=[a_spoke("one")])
        assert not preflight.silent(fleet, {"one": Endpoint(url, "", access)})
        thread.join()


def test_a_spoke_that_only_hangs_up_is_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            listening.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        access = ClusterAccess("there", url, "", "")
        fleet = a_fleet(spokes=[a_spoke("one")])
        assert list(preflight.silent(fleet, {"one": Endpoint(url, "", access)})) == ["one"]
        thread.join()


def test_an_address_that_is_none() -> None:
    address = "https://xn--é.."
    access = ClusterAccess("there", address, "", "")
    fleet = a_fleet(spokes=[a_spoke("one")])
    assert list(preflight.silent(fleet, {"one": Endpoint(address, "", access)})) == ["one"]


@pytest.fixture
def proxy(server: Server) -> Iterator[str]:
    """A proxy that leads to the server, whatever it is asked for."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def lead() -> None:
            here, _ = listening.accept()
            with here, socket.create_connection(("127.0.0.1", int(server.url[-5:]))) as there:
                assert here.recv(4096).startswith(b"CONNECT spoke.invalid:443 ")
                here.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                ends = {here: there, there: here}
                while True:
                    for one in select.select(list(ends), [], [], 5)[0]:
                        if not (some := one.recv(65536)):
                            return
                        ends[one].sendall(some)

        thread = threading.Thread(target=lead)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(10)


def _silent(proxy: str) -> dict[str, str]:
    access = ClusterAccess("there", "https://spoke.invalid", "", "", proxy=proxy)
    endpoints = {"one": Endpoint(access.server, "", access)}
    return preflight.silent(a_fleet(spokes=[a_spoke("one")]), endpoints)


def test_a_spoke_behind_a_proxy(proxy: str) -> None:
    assert _silent(proxy) == {}


@pytest.mark.parametrize("scheme", ["http", "canary"])
def test_a_spoke_behind_a_proxy_that_leads_nowhere(scheme: str) -> None:
    (warning,) = _silent(f"{scheme}://user:canary@{_nobody()[len('https://') :]}").values()
    assert "at https://spoke.invalid through its context's proxy;" in warning
    assert "canary" not in warning


def test_a_spoke_that_nobody_here_can_ask() -> None:
    assert _silent("socks5://127.0.0.1:1") == {}, "no warning that may be wrong"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LiveHub:
    """A live hub that the stack `lab` has brought up, behind every kubeconfig context; no stack file is there."""
    monkeypatch.chdir(tmp_path)
    live = LiveHub().up(a_fleet(), "lab")
    monkeypatch.setattr(ClusterAPI, "json", lambda _, path: LiveHub.json(live, path))
    return live


def _require(kubeconfig: Kubeconfig, *, preview: bool = False, **changes: Any) -> list[str]:
    return preflight.require_hub(a_fleet(**changes), "lab", kubeconfig, preview=preview)


def test_a_hub_that_nothing_is_taken_from(hub: LiveHub, kubeconfig: Kubeconfig) -> None:
    assert _require(kubeconfig) == []
    assert not any(path.startswith(f"{KINDS}/applications?") for path in hub.asked), "they are many"


@pytest.mark.parametrize("preview", [False, True])
def test_every_problem_at_once_with_its_line(
    hub: LiveHub, kubeconfig: Kubeconfig, tmp_path: Path, preview: bool
) -> None:
    hub.cluster("new", "https://new.example.com", {})
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.lab.yaml").write_text(
        "config:\n  fleet:spokes:\n    - environment: production\n      name: new\n"
    )
    with pytest.raises(StackError) as caught:
        _require(kubeconfig, spokes=[a_spoke("new")], preview=preview)
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[:2] for line in lines] == [
        ["stacks/Pulumi.lab.yaml:4:", "fleet:spokes[0].name:"],
        ["stacks/Pulumi.lab.yaml:2:", "fleet:spokes:"],
        ["stacks/Pulumi.lab.yaml:2:", "fleet:spokes:"],
    ]
    assert "Its 2 Applications (staging-a, staging-b) would stay" in lines[2]


@pytest.mark.parametrize("preview", [False, True])
def test_what_is_known_of_other_clusters_is_told_with_it(
    hub: LiveHub, kubeconfig: Kubeconfig, preview: bool
) -> None:
    known = [Problem("fleet:spokes[0]", "has it already")]

    def told() -> list[str]:
        with pytest.raises(StackError) as caught:
            preflight.require_hub(fleet, "lab", kubeconfig, preview=preview, found=known)
        return [one.path for one in caught.value.problems]

    fleet = a_fleet(spokes=[a_spoke("prod-1")])
    assert told() == ["fleet:spokes[0]", "fleet:spokes"], "and staging would be lost"
    hub.failures[SECRETS] = Unreachable("secrets is forbidden")
    assert told() == ["fleet:spokes[0]", "fleet:hub.context"]


def test_what_is_allowed_is_told(hub: LiveHub, kubeconfig: Kubeconfig) -> None:
    (warning,) = _require(kubeconfig, spokes=[a_spoke("prod-1")], allowDeletion=["staging"])
    assert warning.startswith('allowed by fleet:allowDeletion: "staging" has no block any more')
    assert "(staging-a, staging-b)" in warning


def test_applications_that_may_not_be_read(hub: LiveHub, kubeconfig: Kubeconfig) -> None:
    hub.failures[f"{KINDS}/applications"] = Unreachable("403")
    with pytest.raises(StackError, match=r"forget the cluster\. Its Applications would"):
        _require(kubeconfig, spokes=[a_spoke("prod-1")])


def test_a_hub_that_may_not_be_read(hub: LiveHub, kubeconfig: Kubeconfig) -> None:
    hub.failures[SECRETS] = Unreachable("secrets is forbidden")
    assert _require(kubeconfig, preview=True) == [
        "the hub (hub) can't be read: secrets is forbidden; so this preview can't tell whether `up` would delete "
        "Applications"
    ]
    with pytest.raises(StackError) as caught:
        _require(kubeconfig)
    assert str(caught.value) == (
        "stacks/Pulumi.lab.yaml: fleet:hub.context: the hub (hub) can't be read: secrets is forbidden; `up` must know "
        "what it would delete"
    )


def test_a_hub_that_does_not_answer() -> None:
    kubeconfig = Kubeconfig("x", {"hub": {"cluster": "c"}}, {"c": {"server": _nobody()}}, {})
    with pytest.raises(StackError, match="can't be read: connection refused"):
        _require(kubeconfig)


def _nobody() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"https://127.0.0.1:{free.getsockname()[1]}"
