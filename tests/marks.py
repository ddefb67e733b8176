"""What some tests need of the machine."""

from __future__ import annotations

import shutil
import sys

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes and signals as Linux has them")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")
