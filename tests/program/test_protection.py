"""What registers a spoke of a protected environment is protected, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.program.conftest import Config, Run, RunProgram, example, spoke_of


def _protected(run: Run, spoke: str) -> set[str]:
    """The types of what is protected of a spoke; nothing else of the run may be."""
    return {one.type for one in run.resources if one.request.protect and one.name.startswith(spoke)}


@pytest.mark.parametrize("method", ["jwt", "kubernetes"])
def test_the_cluster_secret_and_all_in_vault(run_program: RunProgram, method: str) -> None:
    config = example("lab")
    spoke_of(config, "prod-us-east-1")["vaultAuth"] = method
    run = run_program("lab", config)
    kinds = {"jwt": {"vault:jwt/authBackend:AuthBackend", "vault:jwt/authBackendRole:AuthBackendRole"},
             "kubernetes": {"vault:index/authBackend:AuthBackend",
                            "vault:kubernetes/authBackendConfig:AuthBackendConfig",
                            "vault:kubernetes/authBackendRole:AuthBackendRole"}}[method]  # fmt: skip
    assert _protected(run, "prod-us-east-1") == {
        "kubernetes:core/v1:Secret",
        "vault:index/policy:Policy",
        *kinds,
    }
    token = run.object("Secret", "argocd-manager-token", "prod-us-east-1")
    assert not token.request.protect, "rotation deletes it"
    assert _protected(run, "staging") == set()
    assert {one.name.partition("-")[0] for one in run.resources if one.request.protect} == {"prod"}


def test_a_cluster_secret_that_external_secrets_renders(run_program: RunProgram) -> None:
    config = example("production")
    spoke_of(config, "prod-us-east-1")["auth"] = {"kind": "vault"}
    run = run_program("production", config)
    assert "kubernetes:external-secrets.io/v1:ExternalSecret" in _protected(run, "prod-us-east-1")
    rendered = run.object("ExternalSecret", "cluster-prod-us-east-1", "hub")
    told = rendered.inputs["spec"]["target"]["template"]["metadata"]["annotations"]
    assert told["fleet_protected"] == "true"


def _allowed(config: Config) -> None:
    config["fleet:allowDeletion"] = ["prod-us-east-1"]


def _none_protected(config: Config) -> None:
    config["fleet:protectedEnvironments"] = []


@pytest.mark.parametrize("change", [_allowed, _none_protected])
def test_what_the_stack_file_lets_go(run_program: RunProgram, change: Any) -> None:
    config = example("production")
    change(config)
    run = run_program("production", config)
    assert _protected(run, "prod-us-east-1") == set()
    secret = run.object("Secret", "cluster-prod-us-east-1", "hub")
    assert "fleet_protected" not in secret.inputs["metadata"]["annotations"]
    others = _protected(run, "prod-us-west-2")
    assert bool(others) == ("fleet:allowDeletion" in config)
