"""`python -m lab.toolchain [TOOL…]`: make the tools, or those named, and print where each came from."""

import sys

from lab.toolchain import main

sys.exit(main())
