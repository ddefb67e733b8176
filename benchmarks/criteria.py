"""How well a search chooses on `shift` tasks: by source validation, and by criteria without target labels.

    python -m benchmarks.criteria [SPEC ...] [--tasks TASKS] [--recipe CHANGES] [--n 12] [--splits 2]
        [--known FOLDER]

For each task, split seed (from 1000, which no suite has) and strategy, the configurations of a search of size
`n` are trained. Printed is the balanced accuracy on the target's test part of the configuration that each
criterion chooses, with the defaults, the mean and the best of all beside it, and the rank correlation of each
criterion with that accuracy. Criteria see the logits of the source's validation part and its labels, or the
logits of the unlabelled target inputs. `--known` keeps the logits of every fit in a folder.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.metrics import balanced_accuracy_score

from fsbench.composition import Composition
from fsbench.engine.trial import run_trial
from fsbench.identity import trial_key
from fsbench.recipes.recipe import parse_overrides, recipe_text, task_recipe
from fsbench.registry import get_registry
from fsbench.tasks.drawing import Split, join, stack
from fsbench.tasks.expressions import Task, parse_tasks
from fsbench.tasks.parts import cell
from fsbench.tasks.splits import draw_split, materialise, open_split
from fsbench.tuning.criteria import infomax
from fsbench.tuning.space import Configuration, Space
from fsbench.types import Recipe

TASKS = "shift(mnist5k(size=8), digits, share=0.5), shift(digits, mnist5k(size=8), share=0.5)"
SPECS = ("erm", "dann")
FIRST_SEED = 1000

Logits = Mapping[str, np.ndarray]
"""Logits `[N, C]` of the parts val, unlabeled and test, and the labels `[N]` of val and test."""


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities `[N, C]`."""
    powers = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def entropy(p: np.ndarray) -> np.ndarray:
    """The entropy of the last axis, in nats."""
    return -(p * np.log(np.maximum(p, 1e-300))).sum(-1)


def source_validation(fit: Logits) -> float:
    """Balanced accuracy on the source's validation part."""
    return float(balanced_accuracy_score(fit["val_y"], fit["val"].argmax(1)))


def information(fit: Logits) -> float:
    """The mutual information of inputs and predicted classes."""
    return infomax(fit["unlabeled"][None].astype(np.float64))


def certainty(fit: Logits) -> float:
    """Minus the mean entropy of predictions."""
    return float(-entropy(softmax(fit["unlabeled"])).mean())


def neighbourhood_density(fit: Logits) -> float:
    """Soft neighbourhood density of predictions, with a temperature of 0.05 (Saito et al. 2021)."""
    p = softmax(fit["unlabeled"])
    unit = p / np.linalg.norm(p, axis=1, keepdims=True)
    similar = unit @ unit.T / 0.05
    np.fill_diagonal(similar, -np.inf)
    return float(entropy(softmax(similar)).mean())


def nuclear_norm(fit: Logits) -> float:
    """The nuclear norm of the predictions, as in batch nuclear-norm maximisation (Cui et al. 2020)."""
    return float(np.linalg.norm(softmax(fit["unlabeled"]), "nuc"))


CRITERIA: dict[str, Callable[[Logits], float]] = {
    "source validation": source_validation,
    "infomax": information,
    "certainty": certainty,
    "neighbourhood density": neighbourhood_density,
    "nuclear norm": nuclear_norm,
}


def whole(split: Split) -> Split:
    """A split whose test part has the validation, the unlabelled and the test samples, in this order."""
    assert split.unlabeled is not None
    return replace(split, test=stack([join([cell(split.val), split.unlabeled, cell(split.test)])]))


def fits(
    task: Task, seed: int, strategy: Composition, recipe: Recipe, n: int, known: Path
) -> Iterator[tuple[Configuration, Logits]]:
    """The logits of every configuration."""
    split = draw_split(task, seed)
    assert split.unlabeled is not None
    ends = np.cumsum([split.val.y.size, split.unlabeled.y.size])
    labels = {"val_y": split.val.y[0], "test_y": split.test.y[0]}
    with tempfile.TemporaryDirectory() as folder:
        materialise(task, whole(split), Path(folder) / "split")
        opened = open_split(str(Path(folder) / "split"))
        space = Space(get_registry(), strategy, recipe, (task.text, seed, 0))
        for each in map(space.draw, range(n)):
            assert each.composition is not None
            spec, used = each.composition.full_spec, recipe_text(each.recipe)
            file = known / f"{trial_key(task.text, seed, 0, spec, used)}.npy"
            if not file.exists():
                identity = (task.text, seed, 0)
                found = run_trial(identity, each.composition, each.recipe, opened, torch.device("cpu"))
                np.save(file, found.predictions[0])
            parts = np.split(np.load(file), ends)
            yield each, dict(zip(("val", "unlabeled", "test"), parts, strict=True)) | labels


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("specs", nargs="*", default=list(SPECS))
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--recipe", default="", help="changes to the default recipe")
    parser.add_argument("--n", type=int, default=12)
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--known", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as nowhere:
        known = given.known or Path(nowhere)
        known.mkdir(parents=True, exist_ok=True)
        for strategy in get_registry().parse(", ".join(given.specs)):
            for task in parse_tasks(given.tasks):
                recipe = task_recipe(task.info, changes=parse_overrides(given.recipe))
                seeds = range(FIRST_SEED, FIRST_SEED + given.splits)
                compare(task, strategy, recipe, given.n, seeds, known)


def compare(task: Task, strategy: Composition, recipe: Recipe, n: int, seeds: range, known: Path) -> None:
    """Print what each criterion chooses, as means over the split seeds."""
    rows: dict[str, list[tuple[float, float]]] = {}
    references = []
    for seed in seeds:
        found = [logits for _, logits in fits(task, seed, strategy, recipe, n, known)]
        accuracy = np.array([100 * balanced_accuracy_score(f["test_y"], f["test"].argmax(1)) for f in found])
        references.append((accuracy[0], accuracy.mean(), accuracy.max()))
        for name, criterion in CRITERIA.items():
            values = np.array([criterion(f) for f in found])
            rows.setdefault(name, []).append((accuracy[values.argmax()], spearmanr(values, accuracy)[0]))
    default, mean, best = np.mean(references, axis=0)
    print(f"\n# {strategy.text}, {task.text}, {n} configurations, {len(seeds)} splits")
    print(f"defaults {default:.1f}, mean {mean:.1f}, best {best:.1f}")
    for name, pairs in rows.items():
        chosen, correlation = np.mean(pairs, axis=0)
        print(f"{name:24} chooses {chosen:5.1f}, rank correlation {correlation:5.2f}", flush=True)


if __name__ == "__main__":
    main()
