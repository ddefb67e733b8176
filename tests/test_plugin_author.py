"""What a plugin author does: follow docs/plugins.md, install the plugin, see it on the leaderboard."""

from __future__ import annotations

import errno
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from plugin_env import PluginEnv

import fsbench
from fsbench.errors import UsageError
from fsbench.scaffold import KINDS, command, new_plugin
from fsbench.strategy import Strategy
from fsbench.testing import check_conformance

DOCS = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)(?: title=\"(.+?)\")?\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILES = {title: code for _, title, code in BLOCK.findall(DOCS) if title}
SNIPPETS = [code for kind, title, code in BLOCK.findall(DOCS) if kind == "python" and not title]
COMMANDS = [
    shlex.split(line) for kind, _, code in BLOCK.findall(DOCS) if kind == "sh" for line in code.splitlines()
]
QUICK = [
    "--tasks",
    "kshot(wine, k=5)",
    "--seeds",
    "1",
    "--recipe",
    "steps=20",
    "--jobs",
    "1",
    "--baseline",
    "erm",
]


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    return PluginEnv(tmp_path_factory.mktemp("stranger"))


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_the_plugin_of_the_docs_is_short():
    lines = FILES["fsbench_smoothing.py"].splitlines()
    assert len([line for line in lines if line.strip()]) <= 15


@pytest.mark.slow
def test_the_docs_lead_an_author_to_the_leaderboard(env, tmp_path):
    package = write(tmp_path / "fsbench-smoothing", FILES)
    env.install(package)
    shown = {}
    for program, *arguments in COMMANDS:
        if program == "fsbench":
            shown[arguments[0]] = env.run("fsbench", *arguments, cwd=tmp_path)
    assert "fsbench-smoothing" in shown["list"].stdout
    assert "failed" not in shown["plugin"].stdout
    assert "smoothing(amount=0.3)" in shown["run"].stdout
    assert "kshot(wine, k=5)" in shown["run"].stdout
    tested = env.run("pytest", "-q", package, cwd=tmp_path).stdout
    assert re.search(r"\d+ passed", tested)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_passes_its_own_tests_and_is_used(env, tmp_path, kind):
    name = f"my_{kind}"
    said = env.run("fsbench", "plugin", "new", name, "--kind", kind, cwd=tmp_path).stdout
    package = tmp_path / f"fsbench-my-{kind}"
    assert f"fsbench-my-{kind}" in said
    env.install(package)
    failing = env.run("pytest", "-qx", package, cwd=tmp_path, status=1).stdout
    assert "still says TODO" in failing
    code = package / f"src/fsbench_my_{kind}/__init__.py"
    code.write_text(code.read_text(encoding="utf-8").replace("TODO: ", ""), encoding="utf-8")
    env.install(package)
    passing = env.run("pytest", "-q", package, cwd=tmp_path).stdout
    assert re.search(r"\d+ passed", passing)
    assert "failed" not in passing
    program, *arguments = shlex.split(command(name, kind))
    assert command(name, kind) in said
    given = [a.replace("backbone=", "steps=20, backbone=") for a in arguments]
    tasks = [] if "--tasks" in given else QUICK[:2]
    recipe = [] if "--recipe" in given else QUICK[4:6]
    plugins = [] if "--plugins" in given else ["--plugins", "erm"]
    board = env.run(program, *given, *tasks, *recipe, *plugins, *QUICK[2:4], *QUICK[6:], cwd=tmp_path).stdout
    assert "erm" in board


@pytest.mark.slow
def test_a_broken_plugin_is_reported_and_does_not_hide_others(tmp_path):
    env = PluginEnv(tmp_path / "env")
    pyproject = FILES["pyproject.toml"].replace("smoothing", "broken")
    env.install(
        write(
            tmp_path / "p", {"pyproject.toml": pyproject, "fsbench_broken.py": "import nowhere_to_be_found"}
        )
    )
    reason = "No module named 'nowhere_to_be_found'"
    ran = env.run("fsbench", "run", "--plugins", "erm", *QUICK, cwd=tmp_path)
    assert "erm" in ran.stdout
    assert len([line for line in ran.stderr.splitlines() if reason in line and "fsbench-broken" in line]) == 1
    strict = env.run("fsbench", "run", "--strict", *QUICK, cwd=tmp_path, status=1)
    assert reason in strict.stderr
    assert strict.stdout == ""
    listed = env.run("fsbench", "list", "plugins", cwd=tmp_path).stdout
    assert "fsbench-broken" in listed
    assert "nowhere_to_be_found" in listed


@pytest.mark.slow
@pytest.mark.parametrize("code", SNIPPETS, ids=lambda code: re.findall(r"(?:class|def) (\w+)", code)[0])
def test_every_example_conforms(code):
    namespace: dict[str, object] = {"__name__": "example"}
    exec(compile(code, "docs/plugins.md", "exec", dont_inherit=True), namespace)
    strategies = [
        each
        for each in namespace.values()
        if isinstance(each, type) and issubclass(each, Strategy) and each is not Strategy
    ]
    for strategy in strategies:
        assert [r for r in check_conformance(strategy) if r.status == "failed"] == []
    if "fsbench_trial_finished" in namespace:
        record = fsbench.Record("k", "ok", "t", 0, 0, "erm", "r", metrics={"accuracy": 1.0})
        namespace["fsbench_trial_finished"](record)


def test_the_scaffold_writes_these_files(tmp_path):
    folder = new_plugin("my-own_thing", tmp_path)
    assert folder.name == "fsbench-my-own-thing"
    code = (folder / "src/fsbench_my_own_thing/__init__.py").read_text(encoding="utf-8")
    assert 'name = "my-own_thing"' in code
    assert "class MyOwnThing(Strategy)" in code
    assert len([line for line in code.splitlines() if line.strip()]) <= 16
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == ["fsbench>=0.1,<0.2"]
    assert project["license"] == "MIT"
    assert project["authors"]
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == [
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "src/fsbench_my_own_thing/__init__.py",
        "tests/test_my_own_thing.py",
    ]
    assert "pip install -e '.[test]'" in (folder / "README.md").read_text(encoding="utf-8")
    assert not any("$" in p.read_text(encoding="utf-8") for p in folder.rglob("*") if p.is_file())


def test_the_scaffold_does_not_overwrite(tmp_path):
    (tmp_path / "fsbench-mine").mkdir()
    with pytest.raises(UsageError, match="already exists"):
        new_plugin("mine", tmp_path)
    assert list((tmp_path / "fsbench-mine").iterdir()) == []


NO_NAMES = ["", "Mine", "1st", "a b", "../up", "a--b", "über", "x_"]
RESERVED = ["all", "class", "none", "strategy", "dataset", "tuned", "split", "labeled-set"]
TAKEN = ["erm", "focal", "plugins"]


@pytest.mark.parametrize("name", NO_NAMES + RESERVED + TAKEN)
def test_wrong_scaffold_names_are_refused(name, tmp_path):
    with pytest.raises(UsageError, match="plugin name"):
        new_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_half_written_package_is_removed(tmp_path, monkeypatch):
    def full(path, *arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UsageError, match=r"cannot write .*: No space left"):
        new_plugin("mine", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [("dataset", "wine"), ("protocol", "kshot"), ("backbone", "mlp"), ("metric", "accuracy")],
)
def test_scaffold_names_of_each_kind(kind, name, tmp_path):
    with pytest.raises(UsageError, match=f"{kind} '{name}' exists already, in fsbench; choose another"):
        new_plugin(name, tmp_path, kind)
    other = "strategy" if kind != "strategy" else "dataset"
    assert new_plugin(name, tmp_path, other).is_dir()


def test_scaffold_in_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(UsageError, match="cannot write"):
        new_plugin("mine", tmp_path / "nowhere")
