"""What a file from a stranger must not set off."""

from __future__ import annotations

import os
from typing import Any


class Trap:
    """Leaves a trace if it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("trapped",)
