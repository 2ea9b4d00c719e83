"""When objects count as ready."""

from __future__ import annotations

from typing import Any

import pytest

from lab.plugins.kubernetes import await_ready


def live(full_kind: str, spec: Any = None, **status: Any) -> dict[str, Any]:
    api_version, _, kind = full_kind.rpartition("/")
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "n", "generation": 2},
        "spec": spec or {},
        "status": status,
    }


def conditions(**found: str) -> list[dict[str, str]]:
    return [
        {"type": name, "status": status, "reason": "Why", "message": "so"}
        for name, status in found.items()
    ]


SEEN = {"observedGeneration": 2}
TWO = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
DEPLOYMENT, SETS, DAEMONS = "apps/v1/Deployment", "apps/v1/StatefulSet", "apps/v1/DaemonSet"
CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"


@pytest.mark.parametrize(
    ("obj", "missing"),
    [
        (live("v1/ConfigMap"), None),
        (live(CRD, conditions=None), "not Established"),
        (live(CRD, conditions=conditions(Established="True")), None),
        (live(DEPLOYMENT, {"replicas": 2}, observedGeneration=1), "not seen"),
        (live(DEPLOYMENT, {"replicas": 0}, **SEEN), None),
        (live(DEPLOYMENT, {"replicas": 2, "paused": True}, **SEEN), None),
        (
            live(DEPLOYMENT, {"replicas": 2}, **SEEN, conditions=conditions(Available="False")),
            "0 of 2 updated Pods are available (Available: Why so)",
        ),
        (live(DEPLOYMENT, {"replicas": 2}, **SEEN, **{**TWO, "replicas": 3}), "1 old Pods"),
        (
            live(
                DEPLOYMENT, {"replicas": 2}, **SEEN, **TWO, conditions=conditions(Available="True")
            ),
            None,
        ),
        (live(SETS, {"replicas": 1}, **SEEN), "0 of 1 Pods are ready"),
        (
            live(
                SETS,
                {"replicas": 1},
                **SEEN,
                readyReplicas=1,
                currentRevision="a",
                updateRevision="b",
            ),
            "new revision",
        ),
        (live(SETS, {"replicas": 1}, **SEEN, readyReplicas=1), None),
        (live(DAEMONS, {}, **SEEN, desiredNumberScheduled=1), "0 of 1"),
        (live(DAEMONS, {}, **SEEN), None),
        (live("batch/v1/Job", failed=1), "0 Pods succeeded, 1 failed"),
        (live("batch/v1/Job", conditions=conditions(Complete="True")), None),
        (live("v1/Pod", phase="Pending"), "Pod is Pending"),
        (live("v1/Pod", conditions=conditions(Ready="True")), None),
        (live("v1/Namespace", phase="Terminating"), "Terminating"),
        (live("v1/Service", {"type": "LoadBalancer"}), "no load balancer"),
        (live("v1/Service"), None),
        ({**live("v1/Secret"), "type": "kubernetes.io/service-account-token"}, "token"),
        (
            {
                **live("v1/Secret"),
                "type": "kubernetes.io/service-account-token",
                "data": {"token": "eA=="},
            },
            None,
        ),
    ],
)
def test_what_is_missing(obj, missing):
    found = await_ready.missing(obj)
    assert (found is None) == (missing is None)
    assert (missing or "") in (found or "")


@pytest.mark.parametrize(
    ("obj", "told"),
    [
        (live(CRD, conditions=conditions(NamesAccepted="False")), "names not accepted: so"),
        (live("batch/v1/Job", conditions=conditions(Failed="True")), "Job failed: Why: so"),
        (live("v1/Pod", phase="Failed", reason="Evicted"), "Evicted"),
    ],
)
def test_what_never_becomes_ready(obj, told):
    with pytest.raises(await_ready.NeverReady, match=told):
        await_ready.missing(obj)


@pytest.mark.parametrize(
    ("asked", "ready"),
    [
        ("condition=Ready", True),
        ("condition=Ready=False", False),
        ("condition=Other", False),
        ("jsonpath={.status.phase}=Good", True),
        ("jsonpath={.status.phase}=Bad", False),
        ("jsonpath={.status.phase}", True),
        ("jsonpath={.status.none}", False),
    ],
)
def test_wait_for_annotation(asked, ready):
    obj = live("x.io/v1/Thing", conditions=conditions(Ready="True"), phase="Good")
    obj["metadata"]["annotations"] = {"pulumi.com/waitFor": asked}
    assert (await_ready.missing(obj) is None) == ready


def test_timeouts():
    def noted(**notes: str) -> dict[str, Any]:
        return {"metadata": {"annotations": {f"pulumi.com/{k}": v for k, v in notes.items()}}}

    assert await_ready.timeout({}, 0) == 600
    assert await_ready.timeout(noted(timeoutSeconds="30"), 0) == 30
    assert await_ready.timeout(noted(timeoutSeconds="30"), 5) == 5
    assert await_ready.skipped(noted(skipAwait="true"))
    assert not await_ready.skipped({})
