"""A real OpenBao over TLS, the real `pulumi`, and token issuers: the ground of the vault tests."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import http.server
import ipaddress
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hvac
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from rich.console import Console

CHECKOUT = Path(__file__).resolve().parents[3]
TEST_ADDRESS = ipaddress.ip_address("127.0.0.1")
TIMEOUT_SECONDS = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((str(TEST_ADDRESS), 0))
        return int(probe.getsockname()[1])


@dataclass
class Authority:
    """A self-signed certificate for 127.0.0.1, its own CA."""

    folder: Path
    certificate: Path = field(init=False)
    key: Path = field(init=False)

    def __post_init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vault plugin tests")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(TEST_ADDRESS)]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .sign(key, hashes.SHA256())
        )
        self.certificate, self.key = self.folder / "tls.crt", self.folder / "tls.key"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(private_pem(key))


def private_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Issuer:
    """Signs tokens as a cluster's ServiceAccount issuer does."""

    url: str
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    @property
    def public_pem(self) -> str:
        return (
            self.key.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode()
        )

    def jwks(self) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "alg": "RS256",
                    "use": "sig",
                    "kid": "one",
                    "n": base64url(numbers.n.to_bytes(256, "big")),
                    "e": base64url(numbers.e.to_bytes(3, "big")),
                }
            ]
        }

    def token(
        self, *, subject: str = "system:serviceaccount:es:es", audience: str = "vault", **more: Any
    ) -> str:
        now = int(time.time())
        header = {"alg": "RS256", "typ": "JWT", "kid": "one"}
        claims = {
            "iss": self.url,
            "sub": subject,
            "aud": [audience],
            "iat": now,
            "nbf": now - 5,
            "exp": now + 600,
            **more,
        }
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{base64url(signature)}"


@dataclass
class Bao:
    """One OpenBao with raft storage, initialized and unsealed."""

    folder: Path
    binary: Path
    authority: Authority
    port: int = field(default_factory=free_port)
    token: str = ""
    unseal_key: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def client(self, namespace: str | None = None, token: str | None = None) -> hvac.Client:
        return hvac.Client(
            url=self.address,
            token=self.token if token is None else token,
            verify=str(self.authority.certificate),
            namespace=namespace,
        )

    def start(self) -> None:
        data = self.folder / "data"
        data.mkdir()
        config = self.folder / "bao.hcl"
        config.write_text(
            f"""
storage "raft" {{
  path = "{data}"
  node_id = "one"
  performance_multiplier = 1
}}
listener "tcp" {{
  address = "127.0.0.1:{self.port}"
  tls_cert_file = "{self.authority.certificate}"
  tls_key_file = "{self.authority.key}"
}}
api_addr = "{self.address}"
cluster_addr = "https://127.0.0.1:{free_port()}"
ui = false
"""
        )
        with (self.folder / "bao.log").open("wb") as log:
            self.process = subprocess.Popen(
                [str(self.binary), "server", f"-config={config}", "-log-level=warn"],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        client = self.client(token="")
        made = self._until(lambda: client.sys.initialize(1, 1), "initialized")
        self.token, self.unseal_key = made["root_token"], made["keys_base64"][0]
        self.unseal()

    def unseal(self) -> None:
        self._until(lambda: self.client().sys.submit_unseal_key(self.unseal_key), "unsealed")
        self._until(lambda: self.client().sys.list_auth_methods(), "active")

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(10)

    def login(self, mount: str, jwt: str, namespace: str | None = None) -> hvac.Client:
        client = self.client(namespace, token="")
        client.token = client.auth.jwt.jwt_login("es", jwt, path=mount)["auth"]["client_token"]
        return client

    def _until(self, ask: Callable[[], Any], what: str) -> Any:
        until = time.monotonic() + 30
        while True:
            try:
                return ask()
            except Exception:
                if time.monotonic() > until:
                    log = (self.folder / "bao.log").read_text()[-2000:]
                    pytest.fail(f"OpenBao was not {what} in 30 s: {log}")
                time.sleep(0.1)


@dataclass
class Result:
    """What one `pulumi` command said."""

    code: int
    output: str


@dataclass
class Stack:
    """A tiny Pulumi project whose program is replaced from step to step."""

    folder: Path
    environment: dict[str, str]

    def write(self, program: str) -> None:
        lines = ["import pulumi", "import pulumi_vault as vault", program]
        (self.folder / "__main__.py").write_text("\n".join(lines) + "\n")

    def pulumi(self, *args: str, expect: int | None = 0, **environment: str) -> Result:
        done = subprocess.run(
            ["pulumi", *args, "--non-interactive", "--color=never"],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if expect is not None:
            assert (done.returncode != 0) == bool(expect), done.stdout
        assert "Traceback" not in done.stdout, done.stdout
        return Result(done.returncode, done.stdout)

    def up(self, program: str | None = None, *args: str, expect: int = 0) -> Result:
        if program is not None:
            self.write(program)
        return self.pulumi("up", "--yes", "--skip-preview", "--diff", *args, expect=expect)

    def unchanged(self, program: str | None = None) -> None:
        if program is not None:
            self.write(program)
        self.pulumi("preview", "--diff", "--expect-no-changes")

    def refresh(self, *args: str, **environment: str) -> Result:
        return self.pulumi("refresh", "--yes", "--skip-preview", "--diff", *args, **environment)

    @property
    def checkpoint(self) -> Path:
        return self.folder / "state/.pulumi/stacks/vault-tests/test.json"

    def state(self) -> dict[str, Any]:
        """Return the deployment as the file backend keeps it, secrets encrypted."""
        latest: dict[str, Any] = json.loads(self.checkpoint.read_text())["checkpoint"]["latest"]
        return latest

    def forget(self, names: set[str], *, adopt: bool = False) -> None:
        """Lose resources from the state, or (`adopt`) all that is known of them but ID and inputs.

        The latter is what a recovery makes of the creates that a killed `pulumi` left pending.
        """
        document = json.loads(self.checkpoint.read_text())
        latest = document["checkpoint"]["latest"]
        lost = [item for item in latest["resources"] if item["urn"].rpartition("::")[2] in names]
        if not adopt:
            latest["resources"] = [item for item in latest["resources"] if item not in lost]
        for item in lost:
            item.pop("outputs")
        self.checkpoint.write_text(json.dumps(document))

    def resources(self) -> dict[str, dict[str, Any]]:
        found = self.state().get("resources", [])
        return {item["urn"].rpartition("::")[2]: item for item in found}


@pytest.fixture(scope="session")
def tools() -> str:
    """Return a PATH with pulumi, its Python host, and the lab's plugin."""
    from lab.toolchain import ensure

    box = ensure(["pulumi", "pulumi-language-python", "openbao"], console=Console(stderr=True))
    parts = [str(CHECKOUT / "lab/plugins/bin"), str(Path(sys.executable).parent), box.path_env()]
    return os.pathsep.join([*parts, "/usr/bin", "/bin"])


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


def start_bao(folder: Path, tools: str, authority: Authority) -> Bao:
    binary = shutil.which("bao", path=tools)
    assert binary, "bao is not among the lab's tools"
    server = Bao(folder, Path(binary), authority)
    try:
        server.start()
    except BaseException:
        server.stop()
        raise
    return server


@pytest.fixture(scope="session")
def bao(
    tmp_path_factory: pytest.TempPathFactory, tools: str, authority: Authority
) -> Iterator[Bao]:
    server = start_bao(tmp_path_factory.mktemp("bao"), tools, authority)
    yield server
    server.stop()


def pulumi_environment(folder: Path, tools: str, bao: Bao) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "PATH": tools,
        "PULUMI_HOME": str(folder / "pulumi-home"),
        "PULUMI_BACKEND_URL": f"file://{folder}/state",
        "PULUMI_STACK": "test",
        "PULUMI_CONFIG_PASSPHRASE": "tests",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # Both ask servers that a closed machine can't reach: three seconds a call.
        "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "VIRTUAL_ENV": str(Path(sys.executable).parent.parent),
        "VAULT_ADDR": bao.address,
        "VAULT_TOKEN": bao.token,
        "VAULT_CACERT": str(bao.authority.certificate),
    }


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, tools: str, bao: Bao) -> Path:
    """Return a project with an empty stack, to copy from."""
    folder = tmp_path_factory.mktemp("template")
    for name in ("state", "pulumi-home"):
        (folder / name).mkdir()
    # A file in its place: Pulumi goes without its log of every property.
    (folder / "pulumi-home/logs").write_text("")
    runtime = {"name": "python", "options": {"toolchain": "pip"}}
    (folder / "Pulumi.yaml").write_text(json.dumps({"name": "vault-tests", "runtime": runtime}))
    stack = Stack(folder, pulumi_environment(folder, tools, bao))
    stack.write("")
    stack.pulumi("stack", "init", "test")
    stack.up()
    return folder


@pytest.fixture
def stack(tmp_path: Path, tools: str, bao: Bao, template: Path) -> Stack:
    """Return an empty stack of this test's own; OpenBao ends with the session, so may it."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Stack(tmp_path, pulumi_environment(tmp_path, tools, bao))


@pytest.fixture
def mount(request: pytest.FixtureRequest) -> str:
    """Return a name of this test's own, for mounts, policies and namespaces."""
    return "t" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:8]


@pytest.fixture
def issuer() -> Issuer:
    return Issuer("https://spoke-a.lab")


@pytest.fixture
def oidc_issuer(authority: Authority) -> Iterator[Issuer]:
    """Serve an issuer's discovery document and keys over TLS, as an API server does."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            documents = {
                "/.well-known/openid-configuration": {
                    "issuer": served.url,
                    "jwks_uri": f"{served.url}/openid/v1/jwks",
                    "response_types_supported": ["id_token"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                },
                "/openid/v1/jwks": served.jwks(),
            }
            body = json.dumps(documents.get(self.path, {})).encode()
            self.send_response(200 if self.path in documents else 404)
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
    served = Issuer(f"https://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield served
    with contextlib.suppress(OSError):
        server.shutdown()
        server.server_close()
