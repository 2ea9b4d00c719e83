"""The command line: thin, over `stacks`; the `lab` commands over `lab`.

Run it as `fleet …` or `python -m fleet …`. It never imports Pulumi: what Pulumi has to do, the `pulumi` CLI does.
"""

from __future__ import annotations

__version__ = "0.1.0"
