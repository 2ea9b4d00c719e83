"""`fleet lint`: what Argo CD would stumble over in a gitops-config repo, told before the merge."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleet import __version__
from fleet.options import JsonOption, StacksOption, counted, fail, stack_names
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError
from stacks.loading.load import load_file
from stacks.model.errors import StackError
from stacks.model.fleet import Fleet

if TYPE_CHECKING:
    from gitops.finding import Finding


def lint(
    directory: Annotated[
        Path | None,
        typer.Argument(help="A checkout of the gitops-config repo; may be left out with --team."),
    ] = None,
    stack: StacksOption = None,
    team: Annotated[
        list[str] | None,
        typer.Option(
            "--team",
            metavar="NAME=DIR",
            help="A checkout of the repo that a team has of its own; may be given again.",
        ),
    ] = None,
    crds: Annotated[
        list[Path] | None,
        typer.Option(
            "--crds",
            help="A file with CRDs of kinds that the repo uses and doesn't bring; may be given again.",
        ),
    ] = None,
    base: Annotated[
        str,
        typer.Option(
            help="A commit or branch, such as origin/main: no version may have moved by hand since."
        ),
    ] = "",
    as_json: JsonOption = False,
    as_sarif: Annotated[
        bool, typer.Option("--sarif", help="Print SARIF, which forges show in pull requests.")
    ] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Build everything anew, and keep nothing.")
    ] = False,
) -> None:
    """Check a gitops-config repo against the stack files, without asking any cluster: what would fail at sync?

    Every overlay and every directory that an ApplicationSet reads is built by the kustomize on PATH. Then:
      directory        all that the ApplicationSets read is there, for every spoke and environment
      team             services are where the set of their team looks for them
      application      no two Applications of one name, over all repos, and no service left out by its name
      build            Kustomize builds it
      schema           objects are valid, for Kubernetes 1.36 and the CRDs that are known
      secret, image    no Secret with content; no image without a tag, or with latest
      namespace        services deploy into namespaces that the platform makes
      network-policy   namespaces with Pods have one
      external-secret  the spoke has the store, and its policy in Vault lets it read the path
      promotion        with --base: no image's version moved but by `fleet promote` and `fleet rollback`
      project, rbac    the AppProject and the rights of argocd-manager let it through

    Name all the stacks that share the hub, that one which owns it too: it makes the AppProjects. Clusters and contexts
    are not needed, environment variables that the stack files name are. CRDs that `externalSecrets.crds` or
    `argoRollouts.manifest` names are known where they are files here. What was built before, and is unchanged, is taken
    from ~/.cache/fleet/lint. A resource by URL is fetched by kustomize, as Argo CD would: lint nobody's pull request
    where that must not be.

    Of a team's repo alone it can't be told whether the platform makes its namespaces. Not looked into: Helm charts, a
    set's `path` by a template that does more than name a field, repos of teams that no --team names.

    Exit codes: 0 nothing is wrong, or warnings only; 1 something is; 2 bad input.

    Examples:
      fleet lint ../gitops-config
      fleet lint ../gitops-config -s hub -s production --crds crds/rollouts.yaml
      fleet lint ../gitops-config --team payments=../payments-config --team identity=../identity-config
      fleet lint --team payments=. --sarif > lint.sarif

    --json prints one object: ok, and findings [{path, line, rule, severity, message}].

    """
    # Imported late: `--help` needs no schemas.
    from gitops import lint as linting
    from gitops.git import GitError
    from gitops.kustomize import KustomizeError
    from gitops.sarif import sarif
    from gitops.tree import TreeError

    checkouts = {
        name: Path(path)
        for name, path in places(team or [], "NAME=DIR", "payments=../payments-config").items()
    }
    if directory is None and not checkouts:
        fail("name the checkout of the gitops-config repo, or of a team's by --team NAME=DIR")
    stacks = stack_fleets(stack or stack_names())
    if not any(fleet.owns_hub for fleet in stacks.values()):
        said = "warning: none of these stacks owns the hub, so the AppProjects aren't checked"
        typer.echo(said, err=True)
    try:
        found = linting.lint(
            directory,
            stacks,
            _crds(stacks, crds or []),
            None if no_cache else cache_folder(),
            checkouts,
            base,
        )
    except (TreeError, KustomizeError, GitError) as error:
        fail(str(error))
    errors = [one for one in found if one.severity == "error"]
    if as_sarif:
        typer.echo(json.dumps(sarif(found, __version__), indent=2))
    elif as_json:
        typer.echo(json.dumps({"ok": not errors, "findings": _json(found)}, indent=2))
    else:
        _say(", ".join(map(str, [*filter(None, [directory]), *checkouts.values()])), found, errors)
    raise typer.Exit(1 if errors else 0)


def places(given: list[str], form: str, example: str) -> dict[str, str]:
    """What `--team NAME=…` says, by the team's name; ends the command where it says nothing of the `form`."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, place = text.partition("=")
        if not (name and equals and place):
            fail(f'--team "{text}": write {form}, e.g. {example}')
        if found.setdefault(name, place) != place:
            fail(f'--team: "{name}" is given twice')
    return found


def _say(directory: str, found: list[Finding], errors: list[Finding]) -> None:
    for one in found:
        typer.echo(f"{'' if one.severity == 'error' else 'warning: '}{one}")
    warnings = len(found) - len(errors)
    tail = f", {counted(warnings, 'warning')}" if warnings else ""
    typer.echo(f"{directory}: {counted(len(errors), 'error') if errors else 'ok'}{tail}")


def _json(found: list[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "path": one.path,
            "line": one.line,
            "rule": one.rule,
            "severity": one.severity,
            "message": one.message,
        }
        for one in found
    ]


def stack_fleets(names: list[str]) -> dict[str, Fleet]:
    """The fleets of these stack files, as far as they can be known without contexts."""
    if not names:
        fail("no stack files here: run this in the project's folder")
    try:
        kubeconfig = Kubeconfig.read()
    except KubeconfigError:
        kubeconfig = Kubeconfig("no kubeconfig", {}, {}, {})
    found = {}
    for name in names:
        try:
            found[name] = load_file(name, kubeconfig=kubeconfig)
        except StackError as error:
            if not error.fleet:
                fail(str(error))
            # Contexts and servers, which nothing here asks for: `fleet check` tells of those.
            found[name] = error.fleet
    return found


def _crds(stacks: dict[str, Fleet], given: list[Path]) -> list[dict[str, Any]]:
    import yaml

    from stacks.loading.yaml_speed import LOADER

    files = [*given]
    for fleet in stacks.values():
        eso, rollouts = fleet.external_secrets, fleet.argo_rollouts
        named_here = [eso.crds, eso.manifests] if eso else []
        for named in [*named_here, rollouts.manifest if rollouts else None]:
            if named and "://" not in named and Path(named).is_file():
                files.append(Path(named))
    found: list[dict[str, Any]] = []
    for path in dict.fromkeys(files):
        try:
            documents = list(yaml.load_all(path.read_text(), Loader=LOADER))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            fail(f"--crds: {path} can't be read: {' '.join(str(error).split())[:200]}")
        found += [one for one in documents if isinstance(one, dict)]
    return found


def cache_folder() -> Path:
    """Where what Kustomize has built is kept: this user's alone."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fleet" / "lint"
