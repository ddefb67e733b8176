"""`python -m fsbench` is the command `fsbench`."""

from __future__ import annotations

import sys

from fsbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
