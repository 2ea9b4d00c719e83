from __future__ import annotations

from stacks.desired.external_secrets_values import chart_values
from tests.unit.live_hub import a_fleet


def test_values_of_a_chart_that_brings_its_crds() -> None:
    assert chart_values(a_fleet()) == {
        "installCRDs": True,
        "crds": {"annotations": {"helm.sh/resource-policy": "keep"}},
        "rbac": {"create": False},
        "serviceAccount": {"name": "external-secrets"},
    }


def test_the_stack_s_values_go_over_fleet_s_key_by_key() -> None:
    given = {
        "replicaCount": 2,
        "installCRDs": True,
        "serviceAccount": {"name": "other", "annotations": {"a": "b"}},
        "rbac": {"aggregateToEdit": False},
    }
    settings = {"chart": "chart", "crds": "crds.yaml", "serviceAccount": "reader", "values": given}
    values = chart_values(a_fleet(externalSecrets=settings))
    assert values == {
        "replicaCount": 2,
        "installCRDs": False,
        "serviceAccount": {"name": "reader", "annotations": {"a": "b"}},
        "rbac": {"create": False, "aggregateToEdit": False},
    }
    assert given["serviceAccount"] == {"name": "other", "annotations": {"a": "b"}}, "left as given"
