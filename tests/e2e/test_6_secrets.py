"""A canary in Vault and the spokes' tokens are found nowhere that a person or a log might look."""

from __future__ import annotations

import gzip
import secrets
from pathlib import Path

from tests.e2e.fleet_lab import SPOKES, FleetLab, wait_until


def test_no_secret_leaks(lab: FleetLab) -> None:
    canary = f"canary-{secrets.token_hex(16)}"
    (lab.home / "canary").write_text(canary)
    try:
        lab.bao(
            "kv", "patch", "-mount=secret", "payment-service/db", f"password=@{lab.home / 'canary'}",
            namespace="staging",
        )  # fmt: skip
    finally:
        (lab.home / "canary").unlink()
    lab.kubectl(
        "staging", "annotate", "--overwrite", "-n", "payment-service",
        "externalsecret/payment-db-credentials", f"force-sync={canary[-4:]}",
    )  # fmt: skip
    wait_until(
        "the canary on the spoke",
        lambda: (
            lab.secret("staging", "payment-service", "payment-db-credentials")["password"] == canary
        ),
    )
    wanted = {"the canary": canary, "Vault's token": lab.env["VAULT_TOKEN"]}
    for spoke in SPOKES:
        token = lab.secret(spoke, "kube-system", "argocd-manager-token")["token"]
        assert len(token) > 100
        wanted[f"the token of {spoke}"] = token

    places = {
        "pulumi stack export": lab.run("pulumi", "stack", "export", "--stack", "lab").output,
        "pulumi preview --diff": lab.run("pulumi", "preview", "--diff", "--stack", "lab").output,
        "pulumi stack output": lab.run(
            "pulumi", "stack", "output", "--json", "--stack", "lab"
        ).output,
        "objects on the hub": lab.kubectl(
            "hub",
            "get",
            "applications,applicationsets,appprojects,configmaps,events",
            "-A",
            "-o",
            "yaml",
        ),
        "metadata of the hub's Secrets": lab.kubectl(
            "hub", "get", "secrets", "-A", "-o", "jsonpath={range .items[*]}{.metadata}{end}"
        ),
    }
    for spoke in SPOKES:
        places[f"metadata on {spoke}"] = lab.kubectl(
            spoke, "get", "secrets,externalsecrets,clustersecretstores,events", "-A", "-o",
            "jsonpath={range .items[*]}{.metadata}{.status}{.message}{end}",
        )  # fmt: skip
    for log in _logs(lab.home):
        places[str(log)] = _text(log)
    assert len(places) > 20, "the logs are really read"
    leaks = [
        f"{what} in {place}"
        for what, text in wanted.items()
        for place, content in places.items()
        if text in content
    ]
    assert not leaks


def _logs(home: Path) -> list[Path]:
    return [
        path
        for folder in (home / "logs", home / "pulumi" / "logs")
        if folder.is_dir()
        for path in folder.rglob("*")
        if path.is_file()
    ]


def _text(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode(
        errors="replace"
    )
