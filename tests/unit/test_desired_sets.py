from __future__ import annotations

from typing import Any

import pytest

from stacks.desired import contract, sets
from stacks.model.fleet import ApplicationSet, Fleet

SECRET_TYPE = "argocd.argoproj.io/secret-type"


def _fleet(environments: list[str] | None = None, delivery: str = "argocd") -> Fleet:
    return Fleet.model_validate(
        {
            "environments": environments or ["production", "staging"],
            "hub": {"context": "hub"},
            "gitops": {"repo": "https://git.example.com/gitops-config.git"},
            "vault": {"address": "https://vault.example.com"},
            "externalSecrets": {"chart": "external-secrets", "delivery": delivery},
            "spokes": [
                {"name": "prod-1", "environment": "production", "region": "eu", "tier": "gold"}
            ],
        }
    )


def _set(**block: Any) -> ApplicationSet:
    return ApplicationSet.model_validate({"name": "one", "layout": "platform", **block})


def _labels(stack: str = "lab") -> dict[str, str]:
    fleet = _fleet()
    return contract.labels(fleet, stack, fleet.spokes[0])


def test_a_selector_with_an_environment_stands_as_it_is() -> None:
    one = _set(selector={"environment": "production"})
    assert sets.selector(_fleet(), one) == {"matchLabels": {"environment": "production"}}


def test_a_selector_without_one_takes_the_stack_s_environments() -> None:
    within = {"key": "environment", "operator": "In", "values": ["production", "staging"]}
    assert sets.selector(_fleet(), _set(selector={"tier": "gold"})) == {
        "matchLabels": {"tier": "gold"},
        "matchExpressions": [within],
    }
    assert sets.selector(_fleet(), _set()) == {
        "matchLabels": {SECRET_TYPE: "cluster"},
        "matchExpressions": [within],
    }


@pytest.mark.parametrize(
    ("selector", "taken"),
    [
        ({}, True),
        ({"tier": "gold"}, True),
        ({"tier": "gold", "region": "eu"}, True),
        ({"tier": "gold", "region": "us"}, False),
        ({"environment": "staging"}, False),
        ({"fleet_stack": "lab"}, True),
    ],
)
def test_what_a_set_takes(selector: dict[str, str], taken: bool) -> None:
    assert sets.takes(_fleet(), _set(selector=selector), _labels()) is taken


def test_a_set_takes_no_spoke_of_another_stack_s_environments() -> None:
    assert not sets.takes(_fleet(["dev"]), _set(), _labels())


@pytest.mark.parametrize(
    ("operator", "values", "taken"),
    [
        ("In", ["a", "b"], {"a"}),
        ("NotIn", ["a"], {"c", None}),
        ("Exists", None, {"a", "c"}),
        ("DoesNotExist", None, {None}),
    ],
)
def test_operators(operator: str, values: list[str] | None, taken: set[str | None]) -> None:
    expression: dict[str, Any] = {"key": "team", "operator": operator}
    if values:
        expression["values"] = values
    for value in ("a", "c", None):
        labels = {"team": value} if value else {}
        found = sets.matches({"matchExpressions": [expression]}, labels)
        assert found is (value in taken), value


def test_labels_and_expressions_must_both_be_met() -> None:
    both = {
        "matchLabels": {"tier": "gold"},
        "matchExpressions": [{"key": "team", "operator": "Exists"}],
    }
    assert sets.matches(both, {"tier": "gold", "team": "a"})
    assert not sets.matches(both, {"tier": "gold"})
    assert not sets.matches(both, {"team": "a"})
    assert sets.matches({}, {}), "an empty selector takes everything"


def test_an_unknown_operator() -> None:
    expression = {"key": "a", "operator": "Gt", "values": ["1"]}
    with pytest.raises(ValueError, match='"Gt" is no operator'):
        sets.matches({"matchExpressions": [expression]}, {"a": "2"})


@pytest.mark.parametrize(
    ("block", "name"),
    [
        ({"layout": "platform"}, "prod-1-platform"),
        ({"layout": "services"}, None),
        ({"layout": "directory", "path": "x"}, "prod-1-one"),
        ({"layout": "directory", "path": "x", "application": "addons"}, "prod-1-addons"),
    ],
)
def test_application_names(block: dict[str, str], name: str | None) -> None:
    assert sets.application_name(_set(**block), "prod-1") == name


@pytest.mark.parametrize(
    ("template", "labels", "annotations"),
    [
        ("addons/{{.name}}/{{ .server }}", set(), set()),
        ("{{.metadata.annotations.addons_repo_path}}", set(), {"addons_repo_path"}),
        ("a/{{ .metadata.labels.tier | lower }}", {"tier"}, set()),
        ('{{index .metadata.annotations "example.com/ref"}}', set(), {"example.com/ref"}),
        ("{{- index $.metadata.labels `tier` -}}", {"tier"}, set()),
        (
            "{{if .metadata.labels.tier}}{{index .metadata.annotations  `a` }}{{end}}",
            {"tier"},
            {"a"},
        ),
        (".metadata.labels.tier", set(), set()),
    ],
)
@pytest.mark.parametrize("field", ["path", "revision"])
def test_references(field: str, template: str, labels: set[str], annotations: set[str]) -> None:
    found = sets.references(_set(layout="directory", **{"path": "x", field: template}))
    assert found.labels == {"environment"} | labels
    assert found.annotations == annotations


def test_references_without_templates() -> None:
    found = sets.references(_set())
    assert (found.labels, found.annotations) == ({"environment"}, set())


def test_external_secrets_are_delivered_to_spokes_of_this_stack_alone() -> None:
    chosen = sets.external_secrets_selector("lab")
    assert sets.matches(chosen, _labels("lab"))
    assert not sets.matches(chosen, _labels("other"))
    assert not sets.matches(chosen, {**_labels("lab"), "external_secrets_delivery": "pulumi"})
    assert sets.external_secrets_set("lab") == "external-secrets-lab"


@pytest.mark.parametrize(
    ("fleet_wide", "of_the_spoke", "needed"),
    [
        ("argocd", None, True),
        ("pulumi", "argocd", True),
        ("argocd", "pulumi", False),
        ("pulumi", None, False),
    ],
)
def test_delivery_needs_a_set_where_any_spoke_has_it(
    fleet_wide: str, of_the_spoke: str | None, needed: bool
) -> None:
    fleet = _fleet(delivery=fleet_wide)
    spoke = fleet.spokes[0].model_copy(update={"delivery": of_the_spoke})
    fleet = fleet.model_copy(update={"spokes": [spoke]})
    assert sets.delivers_external_secrets(fleet) is needed
    assert not sets.delivers_external_secrets(fleet.model_copy(update={"spokes": []}))
