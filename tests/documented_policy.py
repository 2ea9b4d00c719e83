"""The Vault policies that the documentation has, for tests that give a token no more than that."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def documented(page: str, rule: str) -> str:
    """The one block of HCL on a page of the documentation that has `rule`."""
    text = re.sub(r"^ +", "", (DOCS / page).read_text(), flags=re.M)
    (found,) = [block for block in re.findall(r"```hcl\n(.*?)```", text, re.S) if rule in block]
    return str(found)


def for_fleet(prefix: str) -> str:
    """For `pulumi up`: with the name of a namespace before every path but those of the token itself."""
    policy = documented("your-own-clusters.md", 'path "auth/token/create"')
    return re.sub(r'path "(?!auth/token/|sys/capabilities-self)', f'path "{prefix}', policy)


def for_credential(prefix: str) -> str:
    """For `fleet credential`: with the name of a namespace before the path of the entries."""
    policy = documented("credentials.md", 'path "secret/data/clusters/*"')
    return policy.replace('path "secret/', f'path "{prefix}secret/')
