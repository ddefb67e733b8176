"""What a run removes, and what it must leave alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fsbench.errors import StoreError
from fsbench.scratch import FOLDER, Scratch, sweep
from fsbench.store import Store

OWN = "run-0123456789abcdef"
links = pytest.mark.skipif(os.name == "nt", reason="links need rights there")


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "results") as opened:
        yield opened


@pytest.fixture
def elsewhere(tmp_path) -> Path:
    """A folder outside the results with files like those of a killed run, and others."""
    folder = tmp_path / "elsewhere"
    for name in (OWN, "photos"):
        (folder / name).mkdir(parents=True)
        (folder / name / "precious").write_text("mine")
        (folder / name / "alive").touch()
    return folder


def contents(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def leave_behind(store: Store) -> Path:
    """Make the files that a killed run leaves."""
    scratch = Scratch(store)
    with scratch:
        scratch.path.rename(store.folder / "kept")
    scratch.path.parent.mkdir(exist_ok=True)
    (store.folder / "kept").rename(scratch.path)
    (scratch.path / "split" / "deep").mkdir(parents=True)
    (scratch.path / "split" / "deep" / "x.npy").write_text("left behind")
    return scratch.path


def use(store: Store) -> None:
    with Scratch(store):
        pass


@pytest.mark.parametrize("clean", [sweep, use])
def test_leftovers_of_killed_runs_are_removed(store, clean):
    leave_behind(store)
    (store.folder / FOLDER / "run-00000000000000ff").mkdir()  # killed before it wrote its lock
    clean(store)
    assert os.listdir(store.folder) == ["fsbench.sqlite"]


def test_folders_of_a_running_run_are_left_alone(store):
    with Scratch(store) as mine, Store(store.folder) as other_store:
        (mine.path / "data").write_text("in use")
        with Scratch(other_store) as other:
            assert other.path != mine.path
            assert (mine.path / "data").read_text() == "in use"
        sweep(other_store)
        assert (mine.path / "data").read_text() == "in use"
    assert os.listdir(store.folder) == ["fsbench.sqlite"]


@links
def test_nothing_is_removed_where_the_folder_is_a_link(store, elsewhere):
    before = contents(elsewhere)
    (store.folder / FOLDER).symlink_to(elsewhere, target_is_directory=True)
    sweep(store)
    with pytest.raises(
        StoreError, match=r"\.splits is a link; expected a folder that fsbench creates and removes"
    ):
        use(store)
    assert contents(elsewhere) == before
    assert (store.folder / FOLDER).is_symlink()


@links
def test_a_link_inside_is_not_followed(store, elsewhere):
    before = contents(elsewhere)
    left = leave_behind(store)
    (left / "split" / "away").symlink_to(elsewhere, target_is_directory=True)
    link = store.folder / FOLDER / "run-fedcba9876543210"
    link.symlink_to(elsewhere / OWN, target_is_directory=True)
    (store.folder / FOLDER / "run-00000000000000ff").symlink_to("nowhere")
    use(store)
    assert contents(elsewhere) == before
    assert not left.exists()
    assert link.is_symlink()


@links
def test_a_folder_that_became_a_link_during_the_run_is_left_alone(store, elsewhere):
    before = contents(elsewhere)
    with Scratch(store) as scratch:
        scratch.path.rename(store.folder / "moved")
        scratch.path.symlink_to(elsewhere, target_is_directory=True)
    assert contents(elsewhere) == before


@links
def test_a_lock_that_is_a_link_does_not_mark_a_run(store, elsewhere):
    foreign = store.folder / FOLDER / OWN
    foreign.mkdir(parents=True)
    (foreign / "alive").symlink_to(elsewhere / OWN / "alive")
    use(store)
    assert (foreign / "alive").is_symlink()


@pytest.mark.parametrize("clean", [sweep, use])
@pytest.mark.parametrize(
    ("name", "lock"),
    [("photos", None), ("photos", b""), ("0123456789abcdef", b""), (OWN, None), (OWN, b"no database" * 99)],
)
def test_folders_without_the_mark_of_a_run_stay_unchanged(store, clean, name, lock):
    foreign = store.folder / FOLDER / name
    foreign.mkdir(parents=True)
    (foreign / "precious").write_text("mine")
    if lock is not None:
        (foreign / "alive").write_bytes(lock)
    (store.folder / FOLDER / "a-file").write_text("mine too")
    before = contents(store.folder)
    clean(store)
    assert contents(store.folder) == before
    assert lock is None or (foreign / "alive").read_bytes() == lock


def test_a_results_folder_that_is_reached_by_a_link_works(tmp_path):
    if os.name == "nt":
        pytest.skip("links need rights there")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    with Store(tmp_path / "link") as store:
        leave_behind(store)
        use(store)
    assert os.listdir(tmp_path / "real") == ["fsbench.sqlite"]
