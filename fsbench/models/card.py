"""What a saved model says about itself: the file `model.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fsbench.errors import DataError
from fsbench.files import read_json, sha256
from fsbench.own.form import Form

FILE = "model.json"
FORMAT = 1


@dataclass(frozen=True)
class Card:
    """The card of a model.

    `strategy` is its spec, `full_spec` and `recipe` are those of a trial. `inputs` says how inputs are read,
    and `preparation` in words what is done with them. `classes` are in the order of the probabilities,
    `labels` counts the labels of each class that it was fitted on, `held_back` those of all classes that the
    strategy got as its validation part. `data` has the fingerprints of the datasets. `calibration` has the
    temperature and how it was found, `estimate` what is known about the model's quality, if anything. `onnx`
    says where the same network is as ONNX, or why it is not. `files` are the SHA-256 of the other files.
    """

    strategy: str
    full_spec: str
    recipe: str
    seed: int
    kind: str
    inputs: Form
    preparation: str
    classes: tuple[str, ...]
    labels: Mapping[str, int]
    held_back: int
    uses: tuple[str, ...]
    data: Mapping[str, str]
    calibration: Mapping[str, Any]
    estimate: Mapping[str, Any] | None
    onnx: Mapping[str, str]
    notes: tuple[str, ...]
    versions: Mapping[str, str]
    created: str
    files: Mapping[str, str]

    @property
    def temperature(self) -> float:
        """By what logits are divided."""
        return float(self.calibration["temperature"])

    def write(self, folder: Path) -> None:
        """Write the card into the folder of its model."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Card:
        """The card in a folder. Raises DataError for anything that `write` did not write."""
        if not (folder / FILE).is_file():
            raise DataError(f"{folder} is not a saved model: it has no {FILE}; `fsbench fit` writes one")
        values = read_json(folder / FILE)
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            raise DataError(f"{folder / FILE} is of another version of fsbench; fit the model again")
        try:
            tuples = {name: tuple(values[name]) for name in ("classes", "uses", "notes")}
            found = cls(**{**values, **tuples, "inputs": Form.from_dict(values["inputs"])})
            _check(found)
        except (TypeError, KeyError, ValueError, AttributeError, DataError) as error:
            why = " ".join(str(error).split())[:200]
            raise DataError(f"{folder / FILE} is damaged: {why}") from None
        return found

    def check_files(self, folder: Path) -> None:
        """Raise DataError if a file of the model is missing or differs from the one that was written."""
        for name, digest in self.files.items():
            path = folder / name
            if not path.is_file() or sha256(path) != digest:
                raise DataError(f"{path} is missing or not the file that {FILE} describes; copy it again")


def _check(card: Card) -> None:
    """Raise ValueError for values of which predictions cannot be made."""
    texts = (card.strategy, card.kind, card.preparation, *card.classes)
    if len(card.classes) < 2 or not all(isinstance(each, str) for each in texts):
        raise ValueError("expected a strategy, a kind, and two or more classes as texts")
    mappings = (card.labels, card.data, card.calibration, card.onnx, card.versions, card.files)
    if not all(isinstance(each, dict) for each in mappings):
        raise ValueError("expected names with values")
    if not 0 < card.temperature < float("inf"):
        raise ValueError(f"the temperature is {card.temperature}; expected a number above 0")
    if wrong := [name for name in card.files if Path(name).name != name]:
        raise ValueError(f"{wrong[0]!r} is not a file of the model's folder")
