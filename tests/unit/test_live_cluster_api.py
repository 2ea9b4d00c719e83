"""What a cluster's API answers, and what becomes of an answer that is none."""

from __future__ import annotations

import pytest

from live import identity
from live.cluster_api import PATIENCE, ClusterAPI, LoggedOut, NotFound, Refused, Unreachable
from stacks.loading.kubeconfig import Kubeconfig
from tests.unit.conftest import Server


def api_of(server: Server) -> ClusterAPI:
    return ClusterAPI(
        Kubeconfig(
            "the kubeconfig",
            contexts={"one": {"cluster": "one", "user": "one"}},
            clusters={"one": {"server": server.url, "certificate-authority": server.ca_file}},
            users={"one": {"token": "t"}},
        ),
        "one",
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, LoggedOut), (403, Refused), (404, NotFound), (429, Unreachable), (500, Unreachable)],
)
def test_what_a_status_means(server: Server, status: int, kind: type[Exception]) -> None:
    server.status, server.body = status, b'{"message": "because"}'
    with pytest.raises(Unreachable, match="/version: ") as caught:
        api_of(server).json("/version")
    assert type(caught.value) is kind


def test_a_kind_of_refusal() -> None:
    assert issubclass(LoggedOut, Refused)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b'"x"', b"5", b'{"metadata": []}', b"{}", b"[" * 100_000],
)
def test_an_answer_that_is_no_object(server: Server, body: bytes) -> None:
    server.status, server.body = 200, body
    with pytest.raises(Unreachable, match="is this an API server"):
        identity.uid(api_of(server))
    with pytest.raises(Unreachable, match="is this an API server"):
        api_of(server).metadata("/api/v1/namespaces/kube-system")


def test_the_identity_of_a_cluster(server: Server) -> None:
    server.status, server.body = 200, b'{"metadata": {"uid": "a-b-c"}}'
    assert identity.uid(api_of(server)) == "a-b-c"


def test_patience_is_no_sleep_as_long_as_a_server_likes() -> None:
    """Anybody on the way may answer 429 with `Retry-After: 86400`."""
    assert PATIENCE.retry_after_max <= 10
    assert PATIENCE.is_retry("GET", 503)
    assert not PATIENCE.is_retry("GET", 404)
