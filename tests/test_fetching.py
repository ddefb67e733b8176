"""Fetching: converting what loaders of torchvision and medmnist return, and handling faults."""

from __future__ import annotations

import bz2
import gzip
import inspect
import os
import shutil
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from fsbench.acquire import originals
from fsbench.acquire.fetching import _bring, fetch
from fsbench.cli import cli, main
from fsbench.datasets.about import image_sets
from fsbench.datasets.files import read_arrays
from fsbench.datasets.known import dataset_info, load_dataset
from fsbench.errors import DataError, UnknownName, UsageError

RNG = np.random.default_rng(1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that seems to be on a large empty disk, whatever this machine has left."""
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path / "data"))
    usage = types.SimpleNamespace(total=10**12, used=0, free=10**12)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    return tmp_path / "data"


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Replace a loader of torchvision or medmnist; return the list of its calls."""

    def put(build: Callable[..., Any]) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []

        def recorded(root: str, download: bool, **given: Any) -> Any:
            assert download
            (Path(root) / "raw.tar").write_bytes(b"what was downloaded")
            calls.append(given)
            return build(**given)

        class Library:
            def __getattr__(self, name: str) -> Any:
                return recorded

        monkeypatch.setattr(originals, "_library", lambda name: Library())
        return calls

    return put


class Images:
    """Arrays as torchvision's MNIST, CIFAR-10 and SVHN hold them."""

    def __init__(self, data: np.ndarray, y: np.ndarray, name: str = "targets", **more: Any) -> None:
        self.data = data
        setattr(self, name, y)
        vars(self).update(more)


class Pictures:
    """Separate pictures, as torchvision's Flowers102, DTD and others give them."""

    def __init__(self, pictures: list[Image.Image], y: list[int]) -> None:
        self.pictures, self.y = pictures, y
        self.classes = [f"class {label}" for label in sorted(set(y))]

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, number: int) -> tuple[Image.Image, int]:
        return self.pictures[number], self.y[number]


def random_images(n: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, 256, (n, *shape), dtype=np.uint8)


def left_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_grey_arrays_of_two_parts_are_converted(folder: Path, offer: Any) -> None:
    data = {True: random_images(20, 28, 28), False: random_images(10, 28, 28)}
    y = [int(each) for each in np.arange(20) % 10]
    calls = offer(lambda train: Images(data[train], np.array(y[: len(data[train])]), classes=["x"] * 10))
    file = fetch("kmnist")
    assert calls == [{"train": True}, {"train": False}]
    assert left_in(folder) == ["kmnist.npz"]
    dataset = load_dataset("kmnist")
    assert np.array_equal(dataset.x[:, 0], np.concatenate([data[True], data[False]]))
    assert dataset.y.tolist() == y + y[:10]
    assert dataset.info.test_counts == (1,) * 10
    assert dataset.info.classes[:2] == ("o", "ki")
    again = fetch("kmnist")
    assert (again, len(calls)) == (file, 2)


@pytest.mark.parametrize("shape", [(32, 32, 3), (3, 32, 32)])
def test_coloured_arrays_with_channels_last_or_first_are_converted(
    shape: tuple[int, ...], folder: Path, offer: Any
) -> None:
    data, y = random_images(200, *shape), np.arange(200) % 100
    names = [f"kind {number}" for number in range(100)]
    offer(lambda train: Images(data, list(map(int, y)), classes=names))
    fetch("cifar100")
    dataset = load_dataset("cifar100")
    expected = data if shape[0] == 3 else data.transpose(0, 3, 1, 2)
    assert np.array_equal(dataset.x[:200], expected)
    assert dataset.info.classes == tuple(names)


def test_labels_under_another_name_and_parts_by_split_argument_are_read(folder: Path, offer: Any) -> None:
    calls = offer(lambda split: Images(random_images(10, 3, 96, 96), np.arange(10), "labels"))
    fetch("stl10")
    assert calls == [{"split": "train"}, {"split": "test"}]
    assert dataset_info("stl10").n == 20


def test_medmnists_arrays_labels_and_three_parts_are_converted(folder: Path, offer: Any) -> None:
    sizes = {"train": 16, "val": 8, "test": 12}

    def build(split: str) -> Any:
        n = sizes[split]
        return types.SimpleNamespace(imgs=random_images(n, 28, 28, 3), labels=(np.arange(n) % 8)[:, None])

    offer(build)
    fetch("bloodmnist")
    info = dataset_info("bloodmnist")
    assert (info.n, sum(info.test_counts), info.shape) == (36, 12, (3, 28, 28))


def test_pictures_of_any_size_and_mode_are_fitted_into_a_square(folder: Path, offer: Any) -> None:
    def picture(number: int) -> Image.Image:
        wide = Image.new("RGB", (60 + number, 300), (0, 0, 255))
        wide.paste((255, 0, 0), (0, 100, 60 + number, 200))
        return wide.convert(["RGB", "RGBA", "P", "L"][number % 4])

    progress: list[tuple[int, int]] = []
    offer(lambda split: Pictures([picture(number) for number in range(102)], list(range(102))))
    fetch("flowers102", tell=lambda done, total: progress.append((done, total)))
    dataset = load_dataset("flowers102")
    assert dataset.x.shape == (306, 3, 128, 128)
    assert dataset.info.test_counts == (1,) * 102
    middle = dataset.x[0, :, 64, 64]
    assert middle.tolist() == [255, 0, 0]
    assert progress[:2] == [(1, 102), (2, 102)]


def test_a_dataset_of_one_part_has_no_test_part(folder: Path, offer: Any) -> None:
    offer(
        lambda: Pictures(
            [Image.new("RGB", (64, 64), (n, n, n)) for n in range(20)], [n % 10 for n in range(20)]
        )
    )
    fetch("eurosat")
    assert dataset_info("eurosat").test_counts == ()


def test_usps_is_rounded(folder: Path, tmp_path: Path, offer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = image_sets()["usps"]
    monkeypatch.setitem(known.fingerprints, "usps", "")  # type: ignore[index]
    grey = RNG.integers(-1000, 1001, (20, 256)) / 1000
    grey[0, :2] = -1, 1
    lines = [
        f"{number % 10 + 1} " + " ".join(f"{place + 1}:{value:.3f}" for place, value in enumerate(row)) + " "
        for number, row in enumerate(grey)
    ]
    source = tmp_path / "files"
    source.mkdir()
    for name in ("usps.bz2", "usps.t.bz2"):
        (source / name).write_bytes(bz2.compress("\n".join(lines).encode() + b"\n"))
    offer(lambda train: None)
    with pytest.raises(DataError, match="has other data than fsbench knows"):
        fetch("usps", source)
    del known.fingerprints["usps"]  # type: ignore[attr-defined]
    try:
        x, y, _ = read_arrays(fetch("usps", source))
    finally:
        monkeypatch.undo()
    assert np.abs(x[:20].reshape(20, 256) - (grey + 1) * 127.5).max() <= 0.5
    assert x[0, 0, 0, :2].tolist() == [0, 255]
    assert y.tolist() == [number % 10 for number in range(20)] * 2


def test_omniglot_is_in_the_order_of_names_with_bright_ink(tmp_path: Path) -> None:
    for half, alphabet, character in (
        ("images_evaluation", "Aa", "character01"),
        ("images_background", "Zz", "character02"),
        ("images_background", "Zz", "character01"),
        ("images_background", "Bb", "character01"),
    ):
        place = tmp_path / "omniglot-py" / half / alphabet / character
        place.mkdir(parents=True)
        for drawer in (2, 1):
            page = np.full((105, 105), True)
            page[drawer, ord(alphabet[0])] = False
            Image.fromarray(page).save(place / f"0001_{drawer:02}.png")
    x, y, names = originals._omniglot(tmp_path, lambda done, total: None)
    assert names == ("Bb/character01", "Zz/character01", "Zz/character02", "Aa/character01")
    assert y.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [(int(r), int(c)) for r, c in (np.argwhere(image[0])[0] for image in x)] == [
        (drawer, ord(alphabet)) for alphabet in "BZZA" for drawer in (1, 2)
    ]
    assert set(np.unique(x)) == {0, 255}


FAULTS: list[tuple[Any, str]] = [
    (OSError(28, "No space left on device"), "cannot fetch kmnist: .*No space left on device; try again"),
    (
        RuntimeError("File not found or\n corrupted."),
        "cannot fetch kmnist: File not found or corrupted.; try",
    ),
    (EOFError(), "cannot fetch kmnist: EOFError; try again, or get .* --from .in Python: originals="),
    (
        Images(random_images(20, 28, 28).astype(np.float32), np.arange(20)),
        r"the loader gave float32 \[20, 1, 28",
    ),
    (Images(random_images(20, 32, 32), np.arange(20)), r"the loader gave uint8 \[20, 1, 32, 32\]"),
    (Images(random_images(20, 28, 28), np.arange(20) % 9), "it has labels 0 to 8, expected each of 0 to 9"),
    (Images(random_images(20, 28, 28), np.arange(20) % 10 + 1), "it has labels 1 to 10, expected each of 0"),
    (Images(random_images(20, 28, 28), np.arange(20) % 10 - 1), "it has labels -1 to 8"),
]


@pytest.mark.parametrize(("fault", "message"), FAULTS)
def test_a_fault_is_one_line_and_leaves_nothing_behind(
    fault: Any, message: str, folder: Path, offer: Any
) -> None:
    def build(train: bool) -> Any:
        if isinstance(fault, Exception):
            raise fault
        return fault

    offer(build)
    with pytest.raises(DataError, match=message) as caught:
        fetch("kmnist")
    assert "\n" not in str(caught.value)
    assert left_in(folder) == []


def test_an_interrupt_leaves_nothing_behind_and_a_damaged_file_is_fetched_again(
    folder: Path, offer: Any
) -> None:
    def stop(train: bool) -> Any:
        raise KeyboardInterrupt

    offer(stop)
    with pytest.raises(KeyboardInterrupt):
        fetch("kmnist")
    assert left_in(folder) == []
    (folder / "kmnist.npz").write_bytes(b"half a file")
    offer(lambda train: Images(random_images(20, 28, 28), np.arange(20) % 10))
    fetch("kmnist")
    assert load_dataset("kmnist").info.n == 40


def test_a_file_with_one_wrong_byte_is_fetched_again_and_an_intact_one_is_not(
    folder: Path, offer: Any
) -> None:
    calls = offer(lambda train: Images(random_images(20, 28, 28), np.arange(20) % 10))
    path = fetch("kmnist")
    first, whole = len(calls), path.read_bytes()
    fetch("kmnist")
    assert (len(calls), path.read_bytes()) == (first, whole)
    spoiled = bytearray(whole)
    spoiled[len(whole) // 2] ^= 1
    path.write_bytes(bytes(spoiled))
    fetch("kmnist")
    assert len(calls) == 2 * first
    assert load_dataset("kmnist").info.n == 40


def test_unexpected_content_is_refused(folder: Path, offer: Any) -> None:
    offer(lambda train: Images(random_images(20, 28, 28), np.arange(20) % 10))
    with pytest.raises(DataError, match="cannot fetch mnist: it has other data than fsbench knows"):
        fetch("mnist")
    assert left_in(folder) == []


def test_leftovers_of_a_killed_fetch_are_removed_and_files_of_a_running_one_stay(
    folder: Path, offer: Any
) -> None:
    gone = 2**22 + 1
    for name in (f".fetch-kmnist-{gone}-a", f".fetch-kmnist-{os.getpid()}-b", f".fetch-mnist-{gone}-c"):
        (folder / name).mkdir(parents=True)
        (folder / name / "raw.tar").write_bytes(b"half")
    (folder / f".kmnist.npz.partial-{gone}").write_bytes(b"half")
    offer(lambda train: Images(random_images(20, 28, 28), np.arange(20) % 10))
    fetch("kmnist")
    assert left_in(folder) == sorted(
        [f".fetch-kmnist-{os.getpid()}-b", f".fetch-mnist-{gone}-c", "kmnist.npz"]
    )


def test_too_little_disk_space_is_reported_before_the_download(
    folder: Path, offer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = offer(lambda split: None)
    usage = types.SimpleNamespace(total=0, used=0, free=3_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"has 3000 MB free; fetching food101 needs about 15191 MB"):
        fetch("food101")
    assert calls == []


def test_a_missing_library_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(originals, "_library", missing)
    with pytest.raises(DataError, match=r"bloodmnist needs medmnist: pip install 'fsbench\[medmnist\]'"):
        fetch("bloodmnist")


def test_names_that_cannot_be_downloaded_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="wine is not downloaded: it comes with a Python package"):
        fetch("wine")
    with pytest.raises(UsageError, match="keel-yeast4 is not downloaded: it comes with a Python package"):
        fetch("keel-yeast4")
    with pytest.raises(UnknownName, match="did you mean 'mnist'"):
        fetch("mnsit")
    with pytest.raises(
        UsageError, match="is not a folder; name the folder with the original files of kmnist"
    ):
        fetch("kmnist", tmp_path / "nothing")


def test_every_loader_accepts_the_arguments_it_is_given() -> None:
    for name, about in image_sets().items():
        library, _, kind = about.loader.partition(":")
        if library == "medmnist":
            pytest.importorskip("medmnist")
        accepted = inspect.signature(getattr(originals._library(library), kind).__init__).parameters
        given = originals._PARTS.get(kind, ({"split": ""},) if library == "medmnist" else ({"train": True},))
        for part in given:
            assert {*part, "root", "download"} <= set(accepted), name


def test_cifair_is_cifar10_with_another_test_part() -> None:
    from torchvision.datasets import CIFAR10

    from fsbench.acquire.cifair import CiFAIR10

    assert issubclass(CiFAIR10, CIFAR10)
    assert CiFAIR10.train_list == CIFAR10.train_list
    assert CiFAIR10.test_list != CIFAR10.test_list
    assert CiFAIR10.base_folder != CIFAR10.base_folder


def test_the_command_fetches_and_lists(folder: Path, offer: Any, tmp_path: Path) -> None:
    offer(lambda train: Images(random_images(20, 28, 28), np.arange(20) % 10))
    result = CliRunner().invoke(cli, ["data", "fetch", "kmnist"])
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == str(folder / "kmnist.npz")
    listed = CliRunner().invoke(cli, ["data", "list"]).output
    assert str(folder) in listed
    assert "kmnist.npz" in listed
    assert main(["data", "fetch", "kmnist", "mnist", "--from", str(tmp_path)]) == 2


def test_the_data_folder_can_be_given_on_the_command_line(folder: Path, tmp_path: Path) -> None:
    before = os.environ["FSBENCH_DATA_DIR"]
    try:
        listed = CliRunner().invoke(cli, ["data", "list", "--data-dir", str(tmp_path / "other")]).output
        assert "".join(listed.split()).startswith("datafolder:" + str(tmp_path / "other"))
    finally:
        os.environ["FSBENCH_DATA_DIR"] = before


def test_missing_datasets_can_be_listed_and_cited(folder: Path) -> None:
    listed = " ".join(CliRunner().invoke(cli, ["list", "datasets"]).output.split())
    for words in ("food101", "4997 MB to download", "keel-yeast4", "licence: CC BY-SA 3.0", "damaged"):
        assert (words in listed) == (words != "damaged")
    folder.mkdir()
    (folder / "mnist.npz").write_bytes(b"nonsense")
    assert "damaged" in CliRunner().invoke(cli, ["list", "datasets"]).output
    cited = CliRunner().invoke(cli, ["cite", "kshot(stl10, k=5), keel-yeast4"]).output
    assert "Coates, Lee & Ng" in cited
    assert "KEEL" in cited


@pytest.mark.parametrize("first", ["plain", "packed"])
def test_original_files_are_never_written_to(first: str, tmp_path: Path) -> None:
    originals, archives = tmp_path / "originals", tmp_path / "archives"
    originals.mkdir()
    for kind in (first, "packed" if first == "plain" else "plain"):
        if kind == "plain":
            (originals / "a-ubyte").write_bytes(b"original")
        else:
            (originals / "a-ubyte.gz").write_bytes(gzip.compress(b"other"))
    (originals / "b-ubyte.gz").write_bytes(gzip.compress(b"b"))
    _bring(image_sets()["mnist"], originals, archives)
    assert (originals / "a-ubyte").read_bytes() == (archives / "a-ubyte").read_bytes() == b"original"
    assert (archives / "b-ubyte").read_bytes() == b"b"


def test_an_encrypted_file_is_damaged_and_fetched_again(folder: Path, offer: Any) -> None:
    offer(lambda train: Images(random_images(20, 28, 28), np.arange(20) % 10))
    path = fetch("kmnist")
    spoiled = bytearray(path.read_bytes())
    for place in range(len(spoiled)):
        if spoiled[place : place + 4] == b"PK\x01\x02":
            spoiled[place + 8] |= 1  # the flag of a password
    path.write_bytes(bytes(spoiled))
    with pytest.raises(DataError, match="remove it, then fetch or prepare it again"):
        load_dataset("kmnist")
    fetch("kmnist")
    assert load_dataset("kmnist").info.n == 40
