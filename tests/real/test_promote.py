"""Promotions and rollbacks on a real forge: what git, kustomize and Gitea make of them, and wrong worlds."""

from __future__ import annotations

import re

import pytest

from tests.real.release_project import IMAGE, NEW, OLD, SERVICE, Release


def test_ci_brings_an_image_to_staging(built: Release) -> None:
    assert built.image("staging") == NEW
    assert built.image("production") == OLD
    changed = built.git("diff", "--stat", "HEAD~1", "HEAD")
    assert "1 file changed, 1 insertion(+), 1 deletion(-)" in changed
    message = built.git("log", "-1", "--format=%B")
    assert message.startswith(
        "Promote payment-service to staging: v2.3.1-rc.1\n\nFleet-Action: promote\n"
    )
    assert f"Fleet-Image: {IMAGE} v2.3.0 -> v2.3.1-rc.1" in message
    assert built.git("interpret-trailers", "--parse").splitlines() == []
    head = built.git("rev-parse", "HEAD")
    again = built.fleet("promote", SERVICE, "--image", NEW, "--to", "staging")
    assert again.exit_code == 0
    assert again.output == f"payment-service in staging: {NEW} is there\n"
    built.pull()
    assert built.git("rev-parse", "HEAD") == head


def test_the_pull_request_for_production(built: Release) -> None:
    done = built.promote("--soak", "1h")
    assert done.exit_code == 0, (done.output, done.stderr)
    (pull,) = built.pulls("open")
    assert pull["title"] == "Promote payment-service to production: v2.3.1-rc.1"
    assert pull["html_url"] in done.output
    body = str(pull["body"])
    assert "On **production**: prod-1." in body
    assert f"| {IMAGE} | v2.3.0 | v2.3.1-rc.1 |" in body
    assert "staging runs it: 1 of its Applications Synced and Healthy" in body
    assert "built by https://ci.example.com/1" in body
    head = str(pull["head"]["sha"])
    assert built.statuses(head) == {
        "promotion/source-healthy": "success",
        "promotion/integration": "pending",
        "promotion/soak": "pending",
    }
    files = built.gitea.ask("GET", f"/repos/{built.repo}/pulls/{pull['number']}/files")
    assert [(one["filename"], one["changes"]) for one in files] == [
        ("apps/payment-service/overlays/production/kustomization.yaml", 2)
    ]
    again = built.promote("--tested", "https://ci.example.com/2", "--soak", "5m")
    assert again.exit_code == 0
    (same,) = built.pulls("open")
    assert same["head"]["sha"] == head, "what was approved stays approved"
    assert set(built.statuses(head).values()) == {"success"}
    built.gitea.merge(built.repo, int(pull["number"]))
    assert built.image("production") == NEW
    done = built.promote()
    assert done.exit_code == 0
    assert "production has what staging runs: v2.3.1-rc.1" in done.output
    assert len(built.pulls()) == 1


HUBS: list[tuple[dict[str, object], str]] = [
    ({"sync": "OutOfSync"}, "staging-payment-service: is OutOfSync, not Synced"),
    ({"health": "Progressing", "trouble": "waits"}, "is Progressing, not Healthy (waits)"),
    ({"revision": "0" * 40}, "is at 00000000, which main hasn't: was history rewritten?"),
    ({"images": (OLD,)}, f"runs {OLD}, not {NEW}"),
    ({"images": (OLD, NEW)}, f"runs {OLD}, {NEW}, not {NEW}"),
    ({"images": ()}, f"doesn't run {NEW}"),
    (
        {"cluster": "elsewhere"},
        "staging: Argo CD has no Application of apps/payment-service/overlays/staging",
    ),
    ({"path": "apps/other"}, "staging: Argo CD has no Application"),
    ({"repo": "https://evil.example.com/x.git"}, "staging: Argo CD has no Application"),
]


def test_it_fails_closed(built: Release) -> None:
    for hub, said in HUBS:
        built.hub = hub
        done = built.promote()
        assert done.exit_code == 1, done.output
        assert "refused: " in done.output
        assert said in done.output
    assert built.pulls() == []


def test_healthy_at_an_older_commit(built: Release) -> None:
    """Good enough where the service is the same there, and not where it isn't."""
    built.pull()
    before = built.git("rev-parse", "HEAD")
    readme = built.checkout / "README.md"
    readme.write_text(readme.read_text() + "more\n")
    built.push("Another file")
    built.hub = {"revision": before}
    assert built.promote().exit_code == 0
    base = built.checkout / f"apps/{SERVICE}/base/service.yaml"
    base.write_text(base.read_text().replace("port: 80", "port: 81"))
    built.push("Another base")
    done = built.promote()
    assert done.exit_code == 1
    assert "and apps/payment-service has changed since" in done.output


def test_an_older_pull_request_is_superseded_and_a_closed_one_stays(built: Release) -> None:
    assert built.promote().exit_code == 0
    newer = f"{IMAGE}:v2.3.2"
    assert built.fleet("promote", SERVICE, "--image", newer, "--to", "staging").exit_code == 0
    # A person's own, on a branch of their own, and one of another service: not Fleet's to close.
    built.gitea.commit(built.repo, "promote/production/auth-service/mine", "x", "x")
    body = {"head": "promote/production/auth-service/mine", "base": "main", "title": "Mine"}
    built.gitea.ask("POST", f"/repos/{built.repo}/pulls", body, token=built.people["anna"])
    assert built.promote().exit_code == 0
    first, mine, second = built.pulls()
    assert (first["state"], mine["state"], second["state"]) == ("closed", "open", "open")
    assert f"Superseded by #{second['number']}" in str(first["body"])
    built.gitea.ask("PATCH", f"/repos/{built.repo}/pulls/{second['number']}", {"state": "closed"})
    done = built.promote()
    assert done.exit_code == 1
    assert "a person has closed the pull request for" in done.output
    assert len(built.pulls()) == 3
    # Back in staging, what was superseded may come again.
    assert built.fleet("promote", SERVICE, "--image", NEW, "--to", "staging").exit_code == 0
    assert built.promote().exit_code == 0
    assert [one["state"] for one in built.pulls()] == ["closed", "open", "closed", "open"]


def test_a_commit_of_somebody_else_on_the_branch(built: Release) -> None:
    assert built.promote().exit_code == 0
    (pull,) = built.pulls()
    built.gitea.commit(built.repo, str(pull["head"]["ref"]), "clusters/x.yaml", "evil: true\n")
    done = built.promote()
    assert done.exit_code == 1
    assert "is more than images by now: commit " in done.output
    assert "clusters/x.yaml" in done.output


def test_the_overlay_was_edited_meanwhile(built: Release) -> None:
    assert built.promote().exit_code == 0
    (pull,) = built.pulls()
    built.pull()
    text = built.overlay("production").read_text()
    built.overlay("production").write_text(
        text.replace("newTag: v2.3.0", "newTag: v2.3.0-fix  # by hand")
    )
    built.push("By hand")
    assert built.promote().exit_code == 0
    (same,) = built.pulls("open")
    assert same["number"] == pull["number"]
    built.gitea.merge(built.repo, int(pull["number"]))
    assert built.image("production") == NEW
    assert "# by hand" in built.overlay("production").read_text()


def test_a_version_that_is_more_than_an_image(built: Release) -> None:
    built.pull()
    overlay = built.overlay("production")
    overlay.write_text(
        overlay.read_text()
        + "replacements:\n- source: {kind: Deployment, fieldPath: 'spec.template.spec.containers.0.image'}\n"
        "  targets: [{select: {kind: Deployment}, fieldPaths: [metadata.annotations.image], options: {create: true}}]\n"
    )
    built.push("Replacements")
    done = built.promote()
    assert done.exit_code == 1
    assert "the new version changes more than images" in done.stderr
    assert ".metadata.annotations.image" in done.stderr
    assert built.pulls() == []


def test_the_forge_goes_away(built: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    from forges.forge import ForgeAway
    from forges.gitea import Gitea

    real = Gitea.open

    def away(*_: object, **__: object) -> None:
        raise ForgeAway("it doesn't answer")

    monkeypatch.setattr(Gitea, "open", away)
    done = built.promote()
    assert done.exit_code == 1
    assert (
        "is pushed, and the pull request isn't open yet: it doesn't answer. Run the same again"
        in done.stderr
    )
    monkeypatch.setattr(Gitea, "open", real)
    assert built.promote().exit_code == 0
    assert len(built.pulls()) == 1


def test_tokens_that_may_not(built: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_FORGE_TOKEN", "0" * 40)
    done = built.promote()
    assert done.exit_code == 1
    assert "0" * 40 not in done.output + done.stderr
    assert len(done.stderr.splitlines()) == 1
    monkeypatch.setenv("FLEET_FORGE_TOKEN", built.gitea.make_token("ci", "write:repository"))
    done = built.promote()
    assert done.exit_code in (0, 1)
    monkeypatch.setenv("FLEET_FORGE_TOKEN", built.people["ci"])
    assert built.promote().exit_code == 0
    assert len(built.pulls()) == 1


def test_branch_rules_that_refuse(release: Release) -> None:
    release.gitea.protect(release.repo, enable_push=False)
    done = release.fleet("promote", SERVICE, "--image", NEW, "--to", "staging")
    assert done.exit_code == 1
    assert "main can't be pushed" in done.stderr
    assert "let the token of this pipeline push to main" in done.stderr


@pytest.mark.parametrize("how", ["merge", "squash"])
def test_rolled_back_and_held(built: Release, how: str) -> None:
    assert built.promote().exit_code == 0
    built.gitea.merge(built.repo, int(str(built.pulls()[0]["number"])), how)
    assert built.image("production") == NEW
    before = built.overlay("production").read_bytes()
    done = built.fleet("rollback", SERVICE, "-e", "production", "--reason", "incident 812")
    assert done.exit_code == 0, (done.output, done.stderr)
    again = built.fleet("rollback", SERVICE, "-e", "production", "--reason", "incident 812")
    assert again.exit_code == 0
    (pull,) = built.pulls("open")
    built.gitea.merge(built.repo, int(str(pull["number"])), how)
    assert built.image("production") == OLD
    assert built.overlay("production").read_bytes() == before.replace(b"v2.3.1-rc.1", b"v2.3.0")
    done = built.promote()
    assert done.exit_code == 1
    assert f"{NEW} is on hold in production" in done.output
    assert "incident 812" in done.output
    back = built.fleet("rollback", SERVICE, "-e", "production")
    assert back.exit_code == 0, (back.stderr, built.git("log", "-2"))
    assert "was rolled back already" in back.output, built.git("log", "-2")
    assert built.fleet("hold", SERVICE, "-e", "production", "--lift", "--now").exit_code == 0
    assert built.promote().exit_code == 0
    assert built.fleet("hold", SERVICE, "-e", "production", "--lift").output.endswith(
        "nothing is on hold\n"
    )


def test_back_to_what_ran_then(built: Release) -> None:
    built.pull()
    start = built.git("rev-parse", "HEAD~1")
    for tag in ("v3.0.0", "v3.1.0"):
        text = re.sub("newTag: .*", f"newTag: {tag}", built.overlay("production").read_text())
        built.overlay("production").write_text(text)
        built.push(f"By hand {tag}")
    done = built.fleet("rollback", SERVICE, "-e", "production", "--to", start, "--now")
    assert done.exit_code == 0, done.stderr
    assert built.image("production") == OLD
    assert (
        "production has v2.3.0 already"
        in built.fleet("rollback", SERVICE, "-e", "production", "--to", start, "--now").output
    )
    for to, said in (
        ("nonsense", "is no commit of"),
        ("2001-01-01 10:00", "has no commit as old as 2001-01-01"),
        ("--output=x", "is no commit of"),
    ):
        done = built.fleet("rollback", SERVICE, "-e", "production", f"--to={to}")
        assert done.exit_code == (2 if "is no commit of" in said else 1)
        assert said in done.stderr


def test_a_moved_tag(release: Release) -> None:
    one, other = ("a" * 64, "b" * 64)
    assert (
        release.fleet(
            "promote", SERVICE, "--image", f"{NEW}@sha256:{one}", "--to", "staging"
        ).exit_code
        == 0
    )
    done = release.fleet("promote", SERVICE, "--image", f"{NEW}@sha256:{other}", "--to", "staging")
    assert done.exit_code == 1
    assert "the tag v2.3.1-rc.1 of registry.example.com/payment-service was moved" in done.stderr


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (
            ("promote", SERVICE, "--image", NEW, "--to", "production"),
            "is a protected environment",
            2,
        ),
        (("promote", SERVICE, "--image", NEW, "--to", "stagin"), 'did you mean "staging"?', 2),
        (
            ("promote", "search", "--image", NEW, "--to", "staging"),
            "search isn't in staging yet",
            1,
        ),
        (
            ("promote", SERVICE, "--image", IMAGE, "--to", "staging"),
            "is no image with a tag or digest",
            2,
        ),
        (
            ("promote", SERVICE, "--image", "other:v1", "--to", "staging"),
            '`images:` has no entry for "other"',
            2,
        ),
        (("promote", SERVICE, "--to", "staging"), "either --image REF, or --from", 2),
        (("promote", "--from", "staging", "--to", "production"), "name a service, or say --all", 2),
        (
            ("promote", SERVICE, "--from", "staging", "--to", "production", "--soak", "long"),
            "is no duration",
            2,
        ),
        (
            ("promote", "../../clusters", "--image", NEW, "--to", "staging"),
            "is no name of a service",
            2,
        ),
        (
            ("promote", SERVICE, "--image", NEW, "--to", "staging", "--build", "x\nFleet-By: eve"),
            "--build is no address",
            2,
        ),
        (("rollback", "auth-service", "-e", "production"), "has had no other version before", 1),
    ],
)
def test_bad_input(release: Release, words: tuple[str, ...], said: str, code: int) -> None:
    done = release.fleet(*words)
    assert said in done.stderr
    assert done.exit_code == code
    assert len(done.stderr.splitlines()) == 1


def test_many_services_in_one(built: Release) -> None:
    image = "registry.example.com/auth-service:v9"
    assert (
        built.fleet("promote", "auth-service", "--image", image, "--to", "staging").exit_code == 0
    )
    done = built.fleet("promote", "--all", "--from", "staging", "--to", "production")
    assert done.exit_code == 0, (done.output, done.stderr)
    assert "2 services on the way, 0 refused" in done.output
    (pull,) = built.pulls("open")
    assert pull["title"] == "Promote 2 services to production"
    built.gitea.merge(built.repo, int(str(pull["number"])), "squash")
    assert built.image("production") == NEW
    # One of them goes back, and the other stays.
    assert built.fleet("rollback", SERVICE, "-e", "production", "--now").exit_code == 0
    assert built.image("production") == OLD
    assert "newTag: v9" in built.overlay("production", "auth-service").read_text()
