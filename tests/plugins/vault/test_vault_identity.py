"""The program's own identity of a cluster in Vault, and the logins that it allows and refuses."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hvac.exceptions import Forbidden, InternalServerError, InvalidRequest

from tests.plugins.vault.conftest import CHECKOUT, TEST_ADDRESS, Authority, Issuer

pytestmark = pytest.mark.plugins


def program(mount: str, issuer: str, *, more: str = "", **settings: Any) -> str:
    fleet = {
        "hub": {"context": "hub"},
        "gitops": {"repo": "https://git.lab/gitops-config.git"},
        "vault": {
            "address": "https://vault.lab",
            "authPath": "{cluster}",
            "role": "es",
            "mount": f"{mount}-kv",
            **settings,
        },
        "externalSecrets": {"chart": "chart", "namespace": "es", "serviceAccount": "es"},
        "spokes": [
            {"name": mount, "environment": "production", "region": "eu", "issuer": issuer},
        ],
    }
    return f"""
import sys
sys.path.insert(0, {str(CHECKOUT)!r})
from components.vault_identity import VaultIdentity, VaultIdentityArgs, kv_mounts
from stacks.desired import vault_identity as identity
from stacks.model.fleet import Fleet

fleet = Fleet.model_validate({fleet!r})
provider = vault.Provider("vault")
args = dict(server="https://127.0.0.1:1", ca_pem="", public_keys=[]) | dict({more})
VaultIdentity("a", VaultIdentityArgs(
    fleet=fleet, identity=identity.of_spoke(fleet, fleet.spokes[0]), provider=provider, **args))
kv_mounts(fleet, provider)
"""


def before_it_was_a_component(mount: str, issuer: Issuer) -> str:
    return f"""
class SecretStore(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("fleet:index:SecretStore", name, None, None)
        opts = pulumi.ResourceOptions(parent=self, provider=vault.Provider("vault"))
        vault.Policy(f"{{name}}-policy", name="{mount}-es", policy='path "a" {{ capabilities = ["read"] }}', opts=opts)
        mount = vault.jwt.AuthBackend(f"{{name}}-auth", path={mount!r}, bound_issuer={issuer.url!r},
            jwt_validation_pubkeys=[{issuer.public_pem.strip()!r}], opts=opts)
        vault.jwt.AuthBackendRole(f"{{name}}-role", backend=mount.path, role_name="es",
            user_claim="sub", role_type="jwt", bound_audiences=["vault"], opts=opts)
SecretStore("a")
"""


def logs_in(bao, mount: str, token: str) -> bool:
    try:
        bao.login(mount, token)
    except (InvalidRequest, Forbidden, InternalServerError):
        return False
    return True


def test_rotating_the_keys_that_sign_a_spoke_s_tokens(stack, bao, issuer, mount, tmp_path):
    new = Issuer(issuer.url)
    for name, one in (("old", issuer), ("new", new)):
        (tmp_path / f"{name}.pem").write_text(one.public_pem)

    def up(*keys: str) -> str:
        files = [str(tmp_path / f"{key}.pem") for key in keys]
        output: str = stack.up(program(mount, issuer.url, more=f"public_keys={files!r}")).output
        return output

    stack.up(before_it_was_a_component(mount, issuer))
    accessor = stack.resources()["a-auth"]["outputs"]["accessor"]
    up("old")
    stack.unchanged()
    assert stack.resources()["a-auth"]["outputs"]["accessor"] == accessor, "taken over as it was"
    assert "fleet:index:VaultIdentity" in stack.resources()["a-auth"]["urn"]
    assert bao.login(mount, issuer.token()).lookup_token()["data"]["creation_ttl"] == 600
    assert not logs_in(bao, mount, new.token())

    assert "replace" not in up("old", "new")
    stack.unchanged()
    assert logs_in(bao, mount, issuer.token())
    assert logs_in(bao, mount, new.token())

    up("new")
    assert not logs_in(bao, mount, issuer.token())
    assert logs_in(bao, mount, new.token())
    assert not logs_in(bao, mount, new.token(subject="system:serviceaccount:es:other"))


@dataclass
class Reviewer:
    """An API server's TokenReview: a token is good where its audience is asked for, and nobody is told without one."""

    url: str = ""
    issuer: Issuer = field(default_factory=lambda: Issuer("https://spoke-a.lab"))
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def review(self, bearer: str, spec: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append((bearer, spec))
        claims, own = (self._claims(one) for one in (spec["token"], bearer))
        if self.issuer.url not in own["aud"]:
            return 401, {"kind": "Status", "code": 401, "message": "Unauthorized"}
        common = [one for one in spec.get("audiences") or [self.issuer.url] if one in claims["aud"]]
        user = {"username": claims["sub"], "uid": "1", "groups": ["system:serviceaccounts"]}
        status = {"authenticated": bool(common), "audiences": common, "user": user}
        kind = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1"}
        return 201, {**kind, "spec": spec, "status": status}

    def _claims(self, token: str) -> dict[str, Any]:
        body = token.split(".")[1]
        found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return found

    def token(self, *audiences: str, account: str = "es") -> str:
        owner = {"namespace": "es", "serviceaccount": {"name": account, "uid": "1"}}
        return self.issuer.token(
            subject=f"system:serviceaccount:es:{account}",
            aud=list(audiences),
            **{"kubernetes.io": owner},
        )


@pytest.fixture
def reviewer(authority: Authority) -> Iterator[Reviewer]:
    known = Reviewer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            bearer = self.headers["Authorization"].removeprefix("Bearer ")
            code, answer = known.review(bearer, asked["spec"])
            body = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer((str(TEST_ADDRESS), 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    known.url = f"https://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield known
    with contextlib.suppress(OSError):
        server.shutdown()
        server.server_close()


def test_kubernetes_auth_reviews_a_token_with_itself(stack, bao, reviewer, authority, mount):
    more = f"server={reviewer.url!r}, ca_pem={authority.certificate.read_text()!r}"
    stack.up(program(mount, reviewer.issuer.url, more=more, auth="kubernetes"))
    stack.unchanged()
    config = bao.client().read(f"auth/{mount}/config")["data"]
    assert config["disable_local_ca_jwt"] is True
    assert not config.get("token_reviewer_jwt_set")

    good = reviewer.token("vault", reviewer.issuer.url)
    login = bao.login(mount, good).lookup_token()["data"]
    assert login["policies"] == ["default", f"{mount}-es"]
    bearer, spec = reviewer.asked[-1]
    assert bearer == spec["token"] == good
    assert spec["audiences"] == ["vault"]
    refused = {
        "not good at the API server": reviewer.token("vault"),
        "not for Vault": reviewer.token(reviewer.issuer.url),
        "another account": reviewer.token("vault", reviewer.issuer.url, account="other"),
    }
    for reason, token in refused.items():
        assert not logs_in(bao, mount, token), reason


def test_engines_outlive_the_stack_and_their_secrets_with_them(stack, bao, issuer, mount, tmp_path):
    (tmp_path / "key.pem").write_text(issuer.public_pem)
    keys = f"public_keys=[{str(tmp_path / 'key.pem')!r}]"
    stack.up(program(mount, issuer.url, more=keys, manageMount=True))
    stack.unchanged()
    path = f"{mount}-kv/data/production/db"
    bao.client().write_data(path, data={"data": {"password": "x"}})
    assert bao.login(mount, issuer.token()).read(path)["data"]["data"] == {"password": "x"}
    stack.pulumi("destroy", "--yes", "--skip-preview")
    assert f"{mount}/" not in bao.client().sys.list_auth_methods()["data"]
    assert bao.client().read(path)["data"]["data"] == {"password": "x"}
