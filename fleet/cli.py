"""The way into the command line."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it with code 130 and one line, even while it is still loading."""
    try:
        # Imported here: most of the start is imports, and Ctrl-C may come during them.
        from fleet.commands import app

        app()
    except KeyboardInterrupt:
        _interrupted()
        sys.exit(130)
    except SystemExit as ending:
        if ending.code == 130:
            _interrupted()
        raise


def _interrupted() -> None:
    sys.stderr.write("interrupted\n")
