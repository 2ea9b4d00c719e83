"""CRDs applied to a cluster: whose they are, in which order, and what is said when it can't be done."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from live.cluster_api import ClusterAPI, NotFound, Unreachable
from live.crds import MANAGER, CrdError, made_by_others
from live.crds import apply as _apply

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"


class _Cluster(ClusterAPI):
    """A cluster with CRDs by name, each with the field managers that made it."""

    def __init__(self, **crds: str) -> None:
        self.crds = {name.replace("_", "."): manager for name, manager in crds.items()}
        self.earlier: list[str] = []
        """Managers that wrote the specs before those."""
        self.applied: list[str] = []
        self.tried: list[str] = []
        self.established = True
        self._lock = threading.Lock()

    def version(self) -> str:
        return "v1.36.3"

    def json(self, path: str) -> Any:
        name = path.removeprefix(PATH)
        if name not in self.crds:
            raise NotFound(f"{path}: not found")
        spec = {"f:spec": {"f:group": {}}}
        managed = [
            *({"manager": one, "time": "2026-01-01", "fieldsV1": spec} for one in self.earlier),
            {"manager": self.crds[name], "time": "2026-02-01", "fieldsV1": spec},
            # Neither makes it theirs.
            {"manager": "kubectl-annotate", "time": "2026-03-01", "fieldsV1": {"f:metadata": {}}},
            {"manager": "kube-apiserver", "time": "2026-03-01", "fieldsV1": {"f:status": {}}},
        ]
        conditions = [{"type": "Established", "status": str(self.established)}]
        return {
            "metadata": {"name": name, "managedFields": managed},
            "status": {"conditions": conditions},
        }

    def metadata(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.json(path)["metadata"]
        return found

    def apply(
        self, path: str, document: dict[str, Any], *, manager: str, dry_run: bool = False
    ) -> None:
        with self._lock:
            (self.tried if dry_run else self.applied).append(document["metadata"]["name"])
            if not dry_run:
                self.crds[path.removeprefix(PATH)] = manager


def _crds(*names: str) -> list[dict[str, Any]]:
    return [
        {"kind": "CustomResourceDefinition", "metadata": {"name": name}, "spec": {}}
        for name in names
    ]


def test_what_is_missing_is_made() -> None:
    cluster = _Cluster()
    apply(cluster, _crds("stores.example.com", "secrets.example.com"))
    assert cluster.crds == {"stores.example.com": MANAGER, "secrets.example.com": MANAGER}


def apply(cluster: _Cluster, crds: list[dict[str, Any]], **options: bool) -> None:
    _apply(cluster, crds, instead="let it be", **options)


@pytest.mark.parametrize("manager", [MANAGER, "pulumi-kubernetes-1a2b3c4d"])
def test_what_fleet_made_is_brought_up_to_date_under_the_name_it_was_made_by(manager: str) -> None:
    cluster = _Cluster(stores_example_com=manager)
    apply(cluster, _crds("stores.example.com"))
    assert cluster.applied == ["stores.example.com"]
    assert cluster.crds == {"stores.example.com": manager}


def test_who_wrote_the_spec_last_decides() -> None:
    cluster = _Cluster(stores_example_com="helm")
    cluster.earlier = [MANAGER]
    with pytest.raises(CrdError, match="helm"):
        apply(cluster, _crds("stores.example.com"))
    cluster = _Cluster(stores_example_com=MANAGER)
    cluster.earlier = ["helm"]
    apply(cluster, _crds("stores.example.com"))


def test_nothing_is_applied_before_all_would_be_taken() -> None:
    class Refusing(_Cluster):
        def apply(self, path: str, document: dict[str, Any], **options: Any) -> None:
            if document["metadata"]["name"] == "wrong.example.com":
                raise Unreachable("422 invalid")
            super().apply(path, document, **options)

    cluster = Refusing()
    with pytest.raises(CrdError, match="422 invalid"):
        apply(cluster, _crds("stores.example.com", "wrong.example.com"))
    assert cluster.tried == ["stores.example.com"]
    assert not cluster.applied


# `fleetagent` is Rancher Fleet's.
@pytest.mark.parametrize(
    "manager", ["helm", "argocd-controller", "fleetagent", "fleet", "pulumi-resource-kubernetes"]
)
def test_what_others_made_is_refused_before_anything_is_applied(manager: str) -> None:
    cluster = _Cluster(stores_example_com=manager)
    said = rf"stores\.example\.com \({manager}\).*let it be.*UPSERT_EXISTING_OBJECTS=true"
    with pytest.raises(CrdError, match=said):
        apply(cluster, _crds("secrets.example.com", "stores.example.com"))
    assert not cluster.applied


def test_what_others_made_is_taken_over_when_asked_for() -> None:
    cluster = _Cluster(stores_example_com="helm")
    apply(cluster, _crds("stores.example.com"), take_over=True)
    assert cluster.crds == {"stores.example.com": MANAGER}


def test_many_are_counted() -> None:
    names = [f"kind-{index}.example.com" for index in range(9)]
    cluster = _Cluster()
    cluster.crds = dict.fromkeys(names, "kubectl")
    with pytest.raises(CrdError, match="and 6 more"):
        apply(cluster, _crds(*names))


def test_a_cluster_that_refuses_is_named_by_its_reason() -> None:
    class Refusing(_Cluster):
        def apply(self, *args: Any, **kwargs: Any) -> None:
            raise Unreachable("403 forbidden")

    with pytest.raises(CrdError, match="can't be applied: 403 forbidden"):
        apply(Refusing(), _crds("stores.example.com"))


def test_what_is_not_established_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("live.crds.ESTABLISHED_SECONDS", 0.3)
    cluster = _Cluster()
    cluster.established = False
    with pytest.raises(CrdError, match=r"stores\.example\.com: applied, but not established after"):
        apply(cluster, _crds("stores.example.com"))


def test_what_others_made_is_told_without_applying() -> None:
    cluster = _Cluster(stores_example_com="helm", secrets_example_com=MANAGER)
    names = ["stores.example.com", "secrets.example.com", "missing.example.com"]
    assert made_by_others(cluster, names) == {"stores.example.com": "helm"}
    assert not cluster.applied
