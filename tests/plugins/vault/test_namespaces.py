"""Namespaces, what is inside them, and what does not cross from one to the other."""

from __future__ import annotations

import pytest
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest

pytestmark = pytest.mark.plugins

READ = 'path "secret/data/*" { capabilities = ["read"] }'


def environment(name: str, key: str, opts: str = "") -> str:
    return f"""
def environment(name, key, **opts):
    space = vault.Namespace(name, path=name)
    inside = {{"namespace": space.path}}
    secrets = vault.Mount(f"{{name}}-secrets", path="secret", type="kv", options={{"version": "2"}}, **inside)
    policy = vault.Policy(f"{{name}}-policy", name="es", policy='''{READ}''', **inside)
    backend = vault.jwt.AuthBackend(f"{{name}}-backend", path="jwt-spoke", jwt_validation_pubkeys=[key], **inside)
    vault.jwt.AuthBackendRole(f"{{name}}-role", backend=backend.path, role_name="es", role_type="jwt",
        user_claim="sub", bound_audiences=["vault"], token_policies=[policy.name], **inside)
environment({name!r}, {key!r})
"""


def put(bao, namespace: str, value: str) -> None:
    kv = bao.client(namespace).secrets.kv.v2
    bao._until(lambda: kv.create_or_update_secret("app", {"v": value}), "a kv v2 mount")


def read(client) -> str:
    return client.secrets.kv.v2.read_secret_version("app", raise_on_deleted_version=True)["data"][
        "data"
    ]["v"]


def test_one_environment_does_not_reach_the_other(stack, bao, issuer, mount):
    a, b = f"{mount}-a", f"{mount}-b"
    other = type(issuer)(issuer.url)
    stack.up(environment(a, issuer.public_pem) + f"environment({b!r}, {other.public_pem!r})\n")
    assert stack.resources()[a]["id"] == f"{a}/"
    assert stack.resources()[a]["outputs"]["pathFq"] == a
    stack.unchanged()
    put(bao, a, "of a")
    put(bao, b, "of b")

    client = bao.login("jwt-spoke", issuer.token(), a)
    assert read(client) == "of a"
    for elsewhere in (b, None):
        client.adapter.namespace = elsewhere
        with pytest.raises(Forbidden):
            read(client)
    with pytest.raises((InvalidRequest, Forbidden)):
        bao.login("jwt-spoke", issuer.token(), b)
    stack.pulumi("destroy", "--yes", "--skip-preview")
    with pytest.raises(InvalidPath):
        bao.client().adapter.get(f"/v1/sys/namespaces/{a}")


def test_refresh_import_and_adoption_find_their_namespace(stack, bao, issuer, mount):
    stack.up(environment(mount, issuer.public_pem))
    inside = bao.client(mount)
    inside.sys.create_or_update_acl_policy("es", "# changed", pretty_print=False)
    inside.sys.create_or_update_acl_policy("extra", READ, pretty_print=False)
    inside.adapter.delete("/v1/auth/jwt-spoke/role/es")
    stack.forget({f"{mount}-policy", f"{mount}-role", f"{mount}-backend"}, adopt=True)
    assert "# changed" in stack.refresh().output
    adopted = stack.resources()
    assert adopted[f"{mount}-backend"]["outputs"]["accessor"].startswith("auth_jwt_")
    assert adopted[f"{mount}-policy"]["inputs"]["namespace"] == mount
    assert f"{mount}-role" not in adopted

    extra = f"""
vault.Policy("extra", name="extra", policy='''{READ}''', namespace={mount!r},
    opts=pulumi.ResourceOptions(import_="extra"))
"""
    stack.write(environment(mount, issuer.public_pem) + extra)
    stack.pulumi("up", "--yes", "--skip-preview", TERRAFORM_VAULT_NAMESPACE_IMPORT=mount)
    assert stack.resources()["extra"]["inputs"]["namespace"] == mount
    assert inside.sys.read_acl_policy("es")["data"]["policy"] == READ
    stack.unchanged()

    bao.client().adapter.delete(f"/v1/sys/namespaces/{mount}")
    stack.refresh()
    left = [name for name, item in stack.resources().items() if item["type"].startswith("vault:")]
    assert left == []


def test_provider_namespace_metadata_and_an_existing_namespace(stack, bao, mount):
    text = f"""
parent = vault.Namespace("parent", path={mount!r}, custom_metadata={{"team": "one"}})
provider = vault.Provider("inside", namespace=parent.path)
options = pulumi.ResourceOptions(provider=provider)
child = vault.Namespace("child", path="child", opts=options)
vault.Policy("policy", name="deep", policy='''{READ}''', namespace=child.path, opts=options)
"""
    stack.up(text)
    deep = bao.client(f"{mount}/child").sys.read_acl_policy("deep")
    assert deep["data"]["policy"] == READ
    stack.up(text.replace('"one"', '"two"'))
    found = bao.client().read(f"sys/namespaces/{mount}")["data"]
    assert found["custom_metadata"] == {"team": "two"}
    again = stack.up(text + f'\nvault.Namespace("again", path={mount!r})', expect=1).output
    assert f'namespace "{mount}" exists already' in again


def token_of(bao, namespace: str, policy: str) -> str:
    client = bao.client(namespace)
    client.sys.create_or_update_acl_policy("some", policy, pretty_print=False)
    return client.auth.token.create(policies=["some"], ttl="1h")["auth"]["client_token"]


def nested(bao, mount: str) -> tuple[str, str]:
    for parent, child in (("", mount), (mount, "production")):
        bao.client(parent or None).sys.create_namespace(child)
    return mount, f"{mount}/production"


TOKEN_RULES = """
path "auth/token/create" { capabilities = ["create", "update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
"""
POLICY_RULE = (
    'path "{}sys/policies/acl/*" {{ capabilities = ["create", "read", "update", "delete"] }}'
)


def policies(provider: str) -> str:
    return f"""
options = pulumi.ResourceOptions(provider=vault.Provider({provider}))
vault.Policy("above", name="above", policy='''{READ}''', opts=options)
vault.Policy("below", name="below", policy='''{READ}''', namespace="production", opts=options)
"""


def has(bao, namespace: str, policy: str) -> bool:
    return policy in bao.client(namespace or None).sys.list_acl_policies()["data"]["keys"]


@pytest.mark.parametrize("token", ["root", "of the parent"])
def test_a_providers_namespace_counts_whatever_the_tokens(stack, bao, mount, token):
    parent, child = nested(bao, mount)
    if token != "root":
        rules = TOKEN_RULES + POLICY_RULE.format("") + POLICY_RULE.format("production/")
        stack.environment["VAULT_TOKEN"] = token_of(bao, parent, rules)
    stack.up(policies(f'"vault-{parent}", namespace={parent!r}'))
    assert has(bao, parent, "above")
    assert has(bao, child, "below")
    stack.unchanged()
    # Where the token is looked up says the environment; where things are made, only the provider.
    stack.pulumi("refresh", "--yes", "--skip-preview", VAULT_NAMESPACE=parent)
    stack.unchanged()


@pytest.mark.parametrize("by", ["token", "environment"])
def test_without_one_everything_is_shifted(stack, bao, mount, by):
    parent, child = nested(bao, mount)
    if by == "token":
        rules = TOKEN_RULES + POLICY_RULE.format("") + POLICY_RULE.format("production/")
        stack.environment["VAULT_TOKEN"] = token_of(bao, parent, rules)
    else:
        stack.environment["VAULT_NAMESPACE"] = parent
    stack.up(policies('"vault"'))
    assert has(bao, parent, "above")
    assert has(bao, child, "below")


def test_another_parent_moves_what_there_is(stack, bao, mount):
    """As Fleet's program does it: a provider named after the parent, which is also what triggers a replacement."""
    one, _ = nested(bao, mount)
    two, _ = nested(bao, f"{mount}-two")
    places = ["", one, two]
    program = f"""
import os
parent = os.environ.get("PARENT") or None
provider = vault.Provider(f"vault-{{parent}}" if parent else "vault", namespace=parent)
options = pulumi.ResourceOptions(provider=provider, replacement_trigger=parent or "/")
vault.Policy("one", name={mount!r}, policy='''{READ}''', opts=options)
"""
    stack.up(program.replace(', replacement_trigger=parent or "/"', ""))
    stack.environment["PARENT"] = ""
    stack.unchanged(program)  # of a release that knew no trigger
    for parent in ("", one, two, "", one):
        stack.environment["PARENT"] = parent
        stack.up()
        assert [place for place in places if has(bao, place, mount)] == [parent]
        stack.unchanged()


def test_a_token_that_may_not_look_itself_up_is_of_no_use(stack, bao, mount):
    rules = 'path "auth/token/create" { capabilities = ["update"] }' + POLICY_RULE.format("")
    client = bao.client()
    client.sys.create_or_update_acl_policy(mount, rules, pretty_print=False)
    made = client.auth.token.create(policies=[mount], no_default_policy=True, ttl="1h")
    stack.environment["VAULT_TOKEN"] = made["auth"]["client_token"]
    said = stack.up(f"vault.Policy('one', name={mount!r}, policy='''{READ}''')", expect=1).output
    assert "auth/token/lookup-self" in said
