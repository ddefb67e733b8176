"""Other interpreters: a virtual environment that installs into its own, a process with other folders."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path


class PluginEnv:
    """A virtual environment in a folder; `run` is a command in it, `install` a package without network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, with_pip=False)
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        parents = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        mine = Path(
            sysconfig.get_path("purelib", "venv", vars={"base": str(folder), "platbase": str(folder)})
        )
        lines = [f"import site; site.addsitedir({parent!r})\n" for parent in sorted(parents)]
        (mine / "parent.pth").write_text("".join(lines), encoding="utf-8")

    def run(
        self, *arguments: str | Path, cwd: Path, status: int = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m arguments`; its exit status must be the expected one."""
        done = subprocess.run(
            [str(self.python), "-m", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def install(self, package: Path) -> None:
        """Install a package from its folder, with the build tools of this environment."""
        flags = ("--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir", "--quiet")
        self.run("pip", "install", *flags, package, cwd=package.parent)


def python(code: str, *folders: Path, **environment: str) -> str:
    """What code prints in a process of its own that imports from these folders first."""
    path = os.pathsep.join([*map(str, folders), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
