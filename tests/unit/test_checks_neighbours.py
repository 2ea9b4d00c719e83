"""Stacks that share a hub, held against each other before anyone runs `up`."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.checks.neighbours import problems
from stacks.model.fleet import Fleet


def spoke(name: str, environment: str, **more: Any) -> dict[str, Any]:
    values = {"name": name, "environment": environment, "region": "r1"}
    return {**values, "server": f"https://{name}:6443", **more}


def a_stack(environment: str, *spokes: dict[str, Any], **sections: Any) -> Fleet:
    """A stack that joins the hub with one environment and two sets of its own."""
    return Fleet.model_validate(
        {
            "environments": [environment],
            "protectedEnvironments": [],
            "hub": {"context": "hub"},
            "gitops": {"repo": "https://git.example/gitops-config"},
            "vault": {"address": "https://vault.example"},
            "externalSecrets": {"chart": "chart", "crds": "crds.yaml"},
            "spokes": [*spokes],
            "applicationSets": [{"name": f"{environment}-services", "layout": "services"}],
            **sections,
        }
    )


HUB = a_stack("production", argocd={"manifest": "install.yaml"}, applicationSets=[])
PRODUCTION = a_stack("production", spoke("prod-1", "production"))
STAGING = a_stack("staging", spoke("staging-1", "staging"))


def said(**fleets: Fleet) -> list[str]:
    return [
        f"{stack}: {problem.path}: {problem.message}"
        for stack, found in problems(fleets).items()
        for problem in found
    ]


def test_a_hub_and_a_stack_per_environment_live_together() -> None:
    assert problems({"hub": HUB, "production": PRODUCTION, "staging": STAGING}) == {}


def test_one_stack_has_no_neighbours() -> None:
    assert problems({"production": PRODUCTION}) == {}


def test_two_that_own_one_hub() -> None:
    assert said(hub=HUB, other=HUB) == [
        'other: fleet:argocd.manifest: stack "hub" installs Argo CD on hub "hub" too, and only one stack owns a hub: '
        "take `manifest` out here or there, or check them apart if they are alternatives"
    ]


def test_a_spokes_name_in_two_stacks() -> None:
    twin = a_stack("staging", spoke("prod-1", "staging", server="https://elsewhere:6443"))
    assert said(production=PRODUCTION, staging=twin) == [
        'staging: fleet:spokes[0].name: stack "production" has a spoke "prod-1" on hub "hub" too; names are unique on '
        "a hub"
    ]


def test_a_server_in_two_stacks_written_another_way() -> None:
    plain = a_stack("production", spoke("prod-1", "production", server="https://a"))
    twin = a_stack("staging", spoke("staging-1", "staging", server="https://A:443/"))
    assert said(production=plain, staging=twin) == [
        'staging: fleet:spokes[0].server: "staging-1" has the server of "prod-1" in stack "production" '
        "(https://A:443); Argo CD takes one cluster Secret per server"
    ]


def test_a_server_in_two_stacks() -> None:
    twin = a_stack(
        "staging",
        spoke("staging-1", "staging"),
        spoke("staging-2", "staging", server="https://prod-1:6443"),
    )
    assert said(production=PRODUCTION, staging=twin) == [
        'staging: fleet:spokes[1].server: "staging-2" has the server of "prod-1" in stack "production" '
        "(https://prod-1:6443); Argo CD takes one cluster Secret per server"
    ]


def test_a_sets_name_in_two_stacks() -> None:
    twin = a_stack(
        "staging", applicationSets=[{"name": "production-services", "layout": "services"}]
    )
    assert said(production=PRODUCTION, staging=twin) == [
        'staging: fleet:applicationSets[0].name: stack "production" has an ApplicationSet "production-services" on hub '
        '"hub" too; choose another name'
    ]


@pytest.mark.parametrize("first", [True, False], ids=["greedy first", "greedy last"])
def test_a_set_that_would_take_anothers_spokes(first: bool) -> None:
    sets = [
        {"name": "narrow", "layout": "services"},
        {"name": "platform", "layout": "platform", "selector": {"environment": "production"}},
    ]
    greedy = a_stack("staging", applicationSets=sets)
    fleets = {"greedy": greedy, "production": PRODUCTION}
    assert said(**(fleets if first else dict(reversed(fleets.items())))) == [
        'greedy: fleet:applicationSets[1].selector: "platform" would take prod-1 of stack "production" too; narrow its '
        "selector, or `fleet:environments` where it selects no environment"
    ]


def test_a_stack_that_looks_for_argo_cd_elsewhere() -> None:
    lost = a_stack("staging", argocd={"namespace": "gitops"})
    assert said(staging=lost, hub=HUB) == [
        'staging: fleet:argocd.namespace: stack "hub", which owns hub "hub", installs Argo CD into namespace "argocd", '
        'not "gitops"; write that'
    ]


def test_a_repo_that_the_hub_s_owner_does_not_let_in() -> None:
    repo = {"repo": "https://git.example/another"}
    assert said(hub=HUB, staging=a_stack("staging", gitops=repo)) == [
        'staging: fleet:gitops.repo: stack "hub", which owns hub "hub", lets Argo CD deploy from '
        "https://git.example/gitops-config only; write the same in both, or add it to the `repos` of its fleet:projects"
    ]
    assert not said(hub=HUB, staging=a_stack("staging", gitops=repo, applicationSets=[]))


def test_a_repo_that_the_hub_s_owner_lets_in_by_name() -> None:
    repo = "https://git.example/another"
    argocd = {"manifest": "install.yaml"}
    joins = a_stack("staging", gitops={"repo": repo})
    layout = joins.application_sets[0].layout
    named = "services" if layout == "services" else "platform"
    hub = a_stack("dev", argocd=argocd, applicationSets=[], projects={named: {"repos": [repo]}})
    assert not said(hub=hub, staging=joins)


def test_the_namespace_of_argo_rollouts_is_one_of_the_system_s() -> None:
    joins = a_stack("staging", argoRollouts={"manifest": "rollouts.yaml"})
    hub = a_stack("dev", argocd={"manifest": "install.yaml"}, applicationSets=[])
    assert said(hub=hub, staging=joins) == [
        'staging: fleet:argoRollouts.namespace: stack "hub", which owns hub "hub", lets services into "argo-rollouts"; '
        "add it to fleet:projects.systemNamespaces there"
    ]


def test_a_system_namespace_that_the_hub_s_owner_does_not_know() -> None:
    argocd = {"manifest": "install.yaml"}
    joins = a_stack("staging", rbac={"accountNamespace": "argocd-manager"})
    hub = a_stack("dev", argocd=argocd, applicationSets=[])
    assert said(hub=hub, staging=joins) == [
        'staging: fleet:rbac.accountNamespace: stack "hub", which owns hub "hub", lets services into "argocd-manager"; '
        "add it to fleet:projects.systemNamespaces there"
    ]
    known = {"systemNamespaces": ["argocd-manager"]}
    hub = a_stack("dev", argocd=argocd, applicationSets=[], projects=known)
    assert not said(hub=hub, staging=joins)
    joins = a_stack("staging", externalSecrets={"chart": "chart", "namespace": "eso"})
    (message,) = said(hub=hub, staging=joins)
    assert message.startswith('staging: fleet:externalSecrets.namespace: stack "hub"')


def test_a_set_that_the_hub_s_owner_does_not_let_into_its_namespace() -> None:
    argocd = {"manifest": "install.yaml"}
    addons = {"name": "dns", "layout": "directory", "path": "dns", "namespace": "kube-system"}
    joins = a_stack("staging", spoke("s", "staging"), applicationSets=[addons])
    (message,) = said(hub=a_stack("dev", argocd=argocd, applicationSets=[]), staging=joins)
    assert 'the system namespace "kube-system"' in message
    assert "fleet:projects.platform.namespaces" in message
    opened = {"platform": {"namespaces": ["kube-system"]}}
    hub = a_stack("dev", argocd=argocd, applicationSets=[], projects=opened)
    assert not said(hub=hub, staging=joins)


def test_a_set_s_namespace_that_the_hub_s_owner_lets_services_into() -> None:
    argocd = {"manifest": "install.yaml"}
    addons = {"name": "cert-manager", "layout": "directory", "path": "cert-manager"}
    joins = a_stack("staging", spoke("s", "staging"), applicationSets=[addons])
    hub = a_stack("dev", argocd=argocd, applicationSets=[])
    assert said(hub=hub, staging=joins) == [
        'staging: fleet:applicationSets[0]: stack "hub", which owns hub "hub", lets services into "cert-manager", '
        "where this set deploys; add it to fleet:projects.platformNamespaces there"
    ]
    for known in (
        {"platformNamespaces": ["cert-*"]},
        {"platformNamespaces": ["cert-manager"], "services": {"namespaces": ["cert-manager"]}},
    ):
        hub = a_stack("dev", argocd=argocd, applicationSets=[], projects=known)
        assert not said(hub=hub, staging=joins)


def test_a_directory_that_would_be_an_application_of_another_stack() -> None:
    platform = {"name": "platform-staging", "layout": "platform"}
    longer = a_stack("staging", spoke("prod-eu", "staging"), applicationSets=[platform])
    services: dict[str, Any] = {"name": "services", "layout": "services"}
    shorter = a_stack("production", spoke("prod", "production"), applicationSets=[services])
    assert said(longer=longer, shorter=shorter) == [
        "shorter: fleet:applicationSets[0].exclude: whoever adds apps/eu-platform to the repo takes Applications of "
        'stack "longer" away, whose spokes have names that go on from this stack\'s; write `exclude: [eu-platform]`'
    ]
    services["exclude"] = ["eu-platform"]
    shorter = a_stack("production", spoke("prod", "production"), applicationSets=[services])
    assert not said(longer=longer, shorter=shorter)
    unlike = a_stack("production", spoke("pro", "production"))
    assert not said(longer=longer, unlike=unlike)


def test_spokes_that_may_read_what_the_hub_logs_in_with() -> None:
    argocd = {"manifest": "install.yaml"}
    hub = a_stack(
        "dev", hub={"context": "hub", "secretStore": {}}, argocd=argocd, applicationSets=[]
    )
    greedy = {"address": "https://vault.example", "readPaths": ["*"]}
    assert said(hub=hub, staging=a_stack("staging", spoke("s", "staging"), vault=greedy)) == [
        'staging: fleet:vault.readPaths: "s" may read "*", and under "clusters/*" the hub of stack "hub" has what Argo '
        "CD logs in to spokes with; narrow readPaths, or give that store a mount of its own"
    ]
    for apart in ({"namespace": "staging"}, {"mount": "apps"}, {"address": "https://other"}):
        staging = a_stack("staging", spoke("s", "staging"), vault={**greedy, **apart})
        assert not said(hub=hub, staging=staging)


def test_one_vault_namespace_by_two_names() -> None:
    """Below a parent in one stack file, by its whole path in the other."""
    argocd = {"manifest": "install.yaml"}
    address = {"address": "https://vault.example"}
    hub = a_stack(
        "dev",
        hub={"context": "hub", "secretStore": {"namespace": "corp/hub"}},
        argocd=argocd,
        vault=address,
        applicationSets=[],
    )

    def staging(parent: str, namespace: str) -> Fleet:
        vault = {**address, "parentNamespace": parent, "namespace": namespace, "readPaths": ["*"]}
        return a_stack("staging", spoke("s", "staging"), vault=vault)

    (found,) = said(hub=hub, staging=staging("corp", "hub"))
    assert 'under "clusters/*" the hub of stack "hub" has what Argo CD logs in to' in found
    assert not said(hub=hub, staging=staging("other", "hub"))
    assert not said(hub=hub, staging=staging("corp", "corp/hub")), "which is corp/corp/hub"

    production = a_stack(
        "production", spoke("p", "production"), vault={**address, "namespace": "corp/all"}
    )
    (found,) = said(production=production, staging=staging("corp", "all"))
    assert 'which is also for "p" of stack "production"' in found
    assert not said(production=production, staging=staging("other", "all"))


def test_spokes_that_may_read_another_environment_s_secrets() -> None:
    greedy = {"address": "https://vault.example", "readPaths": ["+/db", "production/payments/*"]}
    staging = a_stack("staging", spoke("s", "staging"), vault=greedy)
    assert said(staging=staging, production=PRODUCTION) == [
        'staging: fleet:vault.readPaths: "s" may read "+/db", which is also for "prod-1" of stack "production", in '
        'environment "production"; begin readPaths with "{environment}/", or set `namespace: "{environment}"`',
    ]
    one, twin = (
        a_stack("production", spoke(name, "production"), vault=greedy, applicationSets=[])
        for name in ("prod-1", "prod-2")
    )
    assert not said(one=one, twin=twin), "one environment, one set of secrets"


def test_stacks_of_different_hubs_have_nothing_to_do_with_each_other() -> None:
    elsewhere = a_stack(
        "production",
        spoke("prod-1", "production"),
        hub={"context": "other-hub"},
        argocd={"manifest": "install.yaml", "namespace": "gitops"},
    )
    assert problems({"hub": HUB, "production": PRODUCTION, "elsewhere": elsewhere}) == {}
