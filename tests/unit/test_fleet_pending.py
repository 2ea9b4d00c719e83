"""What a killed `pulumi up` left pending, and the state that mends it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.pending import Live, Pending, identity, mend, pending_of, plan

STACK = "urn:pulumi:lab::fleet::pulumi:pulumi:Stack::fleet-lab"
MANAGER = "pulumi-kubernetes-abc"
PROVIDER = "urn:pulumi:lab::fleet::pulumi:providers:kubernetes::prod-1"
SECRET = "urn:pulumi:lab::fleet::kubernetes:core/v1:Secret::cluster-prod-1"


def resource(
    urn: str, kind: str, inputs: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "urn": urn,
        "type": kind,
        "custom": True,
        "inputs": inputs or {},
        "parent": STACK,
        **more,
    }


def secret(**more: Any) -> dict[str, Any]:
    inputs = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "cluster-prod-1", "namespace": "argocd"},
    }
    return resource(
        SECRET, "kubernetes:core/v1:Secret", inputs, provider=f"{PROVIDER}::id-1", **more
    )


def state(
    *pending: tuple[str, dict[str, Any]], resources: tuple[dict[str, Any], ...] = ()
) -> dict[str, Any]:
    base = [
        {"urn": STACK, "type": "pulumi:pulumi:Stack"},
        {"urn": PROVIDER, "type": "pulumi:providers:kubernetes", "custom": True, "id": "id-1"},
    ]
    return {
        "version": 3,
        "deployment": {
            "resources": [*base, *resources],
            "pending_operations": [{"type": verb, "resource": entry} for verb, entry in pending],
        },
    }


@pytest.mark.parametrize(
    ("kind", "inputs", "expected"),
    [
        ("kubernetes:core/v1:Secret", {"metadata": {"name": "a", "namespace": "n"}}, "n/a"),
        ("kubernetes:core/v1:Namespace", {"metadata": {"name": "a"}}, "a"),
        (
            "kubernetes:argoproj.io/v1alpha1:ApplicationSet",
            {"metadata": {"name": "a", "namespace": "n"}},
            "n/a",
        ),
        (
            "kubernetes:core/v1:Secret",
            {"metadata": {"4dabf18193072939515e22adb298388d": "…"}},
            None,
        ),
        ("kubernetes:core/v1:Secret", {}, None),
        ("vault:index/policy:Policy", {"name": "p", "namespace": "production"}, "p"),
        ("vault:jwt/authBackend:AuthBackend", {"path": "jwt-prod-1"}, "jwt-prod-1"),
        ("vault:jwt/authBackend:AuthBackend", {"path": "jwt-prod-1/"}, "jwt-prod-1"),
        ("vault:jwt/authBackend:AuthBackend", {}, "jwt"),
        (
            "vault:jwt/authBackendRole:AuthBackendRole",
            {"backend": "jwt-1", "roleName": "eso"},
            "auth/jwt-1/role/eso",
        ),
        ("vault:jwt/authBackendRole:AuthBackendRole", {"backend": "jwt-1"}, None),
        ("vault:kubernetes/authBackendConfig:AuthBackendConfig", {"backend": "k"}, "auth/k/config"),
        (
            "vault:kubernetes/authBackendRole:AuthBackendRole",
            {"backend": "k", "roleName": "r"},
            "auth/k/role/r",
        ),
        ("vault:index/mount:Mount", {"path": "secret"}, "secret"),
        ("random:index/randomId:RandomId", {"byteLength": 4}, None),
    ],
)
def test_the_id_follows_from_the_inputs(
    kind: str, inputs: dict[str, Any], expected: str | None
) -> None:
    assert identity(Pending("urn", kind, "creating", inputs)) == expected


def test_pending_operations_know_their_cluster() -> None:
    (found,) = pending_of(state(("creating", secret())))
    assert (found.name, found.provider, found.operation) == ("cluster-prod-1", "prod-1", "creating")


def test_nothing_is_pending() -> None:
    assert pending_of({"deployment": {}}) == []
    assert pending_of({"deployment": {"pending_operations": None}}) == []


def test_an_object_that_was_created_is_taken_into_the_state() -> None:
    before = state(("creating", secret()))
    untouched = copy.deepcopy(before)
    steps = plan(before, {SECRET: Live(True, MANAGER)})
    assert [(step.verb, step.id) for step in steps] == [("adopt", "argocd/cluster-prod-1")]
    deployment = mend(before, steps)["deployment"]
    assert deployment["pending_operations"] == []
    adopted = deployment["resources"][-1]
    assert adopted["id"] == "argocd/cluster-prod-1"
    assert adopted["outputs"] == {
        **adopted["inputs"],
        "__fieldManager": MANAGER,
        "__initialApiVersion": "v1",
    }
    assert before == untouched


def test_an_object_that_nobody_could_be_asked_about_is_left_to_the_refresh() -> None:
    policy = resource(
        "urn:…::policy", "vault:index/policy:Policy", {"name": "p", "namespace": "production"}
    )
    before = state(("creating", policy))
    steps = plan(before, {})
    assert steps[0].verb == "adopt"
    # The refresh must look in the right Vault namespace.
    assert (
        mend(before, steps)["deployment"]["resources"][-1]["outputs"]["namespace"] == "production"
    )


def test_an_object_that_was_not_created_is_forgotten() -> None:
    before = state(("creating", secret()))
    steps = plan(before, {SECRET: Live(False)})
    assert [step.verb for step in steps] == ["forget"]
    deployment = mend(before, steps)["deployment"]
    assert deployment["pending_operations"] == []
    assert len(deployment["resources"]) == 2


def test_an_object_that_somebody_else_made_is_not_taken() -> None:
    """The next `pulumi up` then stops at it, as it should."""
    (step,) = plan(state(("creating", secret())), {SECRET: Live(True)})
    assert (step.verb, step.reason, step.foreign) == (
        "forget",
        "exists, but Pulumi did not make it",
        True,
    )


BEGAN = datetime(2026, 11, 26, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "began", "verb"),
    [
        (timedelta(minutes=15), BEGAN, "forget"),
        (timedelta(minutes=2), BEGAN, "forget"),
        (timedelta(seconds=30), BEGAN, "adopt"),  # clocks differ
        (-timedelta(seconds=5), BEGAN, "adopt"),
        (timedelta(days=9), None, "adopt"),
    ],
)
def test_an_object_that_is_older_than_the_run_is_not_taken(
    before: timedelta, began: datetime | None, verb: str
) -> None:
    live = Live(True, MANAGER, created=BEGAN - before)
    (step,) = plan(state(("creating", secret())), {SECRET: live}, began)
    assert (step.verb, step.foreign) == (verb, verb == "forget")
    assert ("not known" in step.reason) == (began is None)


def test_nor_one_that_is_older_than_what_it_depends_on() -> None:
    """The lock may be gone: then this is all that tells."""
    before = state(("creating", secret()))
    before["deployment"]["resources"][1]["created"] = BEGAN.isoformat()
    for minutes, verb in ((15, "forget"), (-15, "adopt")):
        live = Live(True, MANAGER, created=BEGAN - timedelta(minutes=minutes))
        (step,) = plan(before, {SECRET: live})
        assert step.verb == verb
    (step,) = plan(before, {SECRET: live}, BEGAN + timedelta(hours=1))
    assert step.verb == "forget", "the later of both counts"


@pytest.mark.parametrize(
    ("label", "owner", "reason"),
    [
        ("lab", "other", 'exists, but it belongs to stack "other"'),
        ("lab", "", "exists, but it belongs to no stack"),
        ("", "other", 'exists, but it belongs to stack "other"'),
        ("lab", "lab", "was created"),
        ("", "", "was created"),
    ],
)
def test_nor_another_stack_s(label: str, owner: str, reason: str) -> None:
    entry = secret()
    entry["inputs"]["metadata"]["labels"] = {"fleet_stack": label} if label else {}
    live = Live(True, MANAGER, owner=owner, created=BEGAN)
    (step,) = plan(state(("creating", entry)), {SECRET: live}, BEGAN)
    assert step.reason == reason


def test_of_a_cluster_that_does_not_answer_nobody_can_tell() -> None:
    before = state(("creating", secret()))
    steps = plan(before, {SECRET: Live(None, reason="prod-1: connection refused")})
    assert [(step.verb, step.reason) for step in steps] == [("ask", "prod-1: connection refused")]


def test_nor_of_an_unknown_kind_of_object() -> None:
    steps = plan(state(("creating", resource("urn:…::x", "random:index/randomId:RandomId"))), {})
    assert steps[0].verb == "ask"


@pytest.mark.parametrize("operation", ["updating", "deleting", "reading"])
def test_other_operations_are_refreshed(operation: str) -> None:
    before = state(
        (operation, secret(id="argocd/cluster-prod-1")),
        resources=(secret(id="argocd/cluster-prod-1"),),
    )
    steps = plan(before, {})
    assert [step.verb for step in steps] == ["refresh"]
    deployment = mend(before, steps)["deployment"]
    assert deployment["resources"] == before["deployment"]["resources"]
    assert deployment["pending_operations"] == [], "Pulumi would drop them"


def test_providers_and_components_are_forgotten() -> None:
    provider = resource("urn:…::other", "pulumi:providers:kubernetes")
    component = {**resource("urn:…::group", "kubernetes:yaml/v2:ConfigGroup"), "custom": False}
    steps = plan(state(("creating", provider), ("creating", component)), {})
    assert [step.verb for step in steps] == ["forget", "forget"]


def test_a_replacement_that_was_under_way() -> None:
    """Deleted before replaced: the old entry waits in the state as pendingReplacement and gives way."""
    old = secret(id="argocd/cluster-prod-1", pendingReplacement=True)
    before = state(("creating", secret()), resources=(old,))
    deployment = mend(before, plan(before, {SECRET: Live(True, MANAGER)}))["deployment"]
    entries = [entry for entry in deployment["resources"] if entry["urn"] == SECRET]
    assert len(entries) == 1
    assert "pendingReplacement" not in entries[0]


def test_an_object_that_is_in_the_state_already_is_not_taken_twice() -> None:
    before = state(("creating", secret()), resources=(secret(id="argocd/cluster-prod-1"),))
    steps = plan(before, {SECRET: Live(True, MANAGER)})
    assert [step.verb for step in steps] == ["forget"]


def test_nor_of_an_object_whose_parent_is_unknown() -> None:
    orphan = {**secret(), "parent": "urn:…::nowhere"}
    steps = plan(state(("creating", orphan)), {SECRET: Live(True, MANAGER)})
    assert steps[0].verb == "ask"
    assert "urn:…::nowhere" in steps[0].reason
