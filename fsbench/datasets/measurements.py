"""Tables that come inside scikit-learn."""

from __future__ import annotations

import numpy as np

from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.packaged import read_labelled


def breast_cancer_info(text: str) -> DatasetInfo:
    """Wisconsin breast cancer (diagnostic)."""
    return DatasetInfo(
        text=text,
        description="breast cancer or not, from 30 measurements of cell nuclei",
        kind="table",
        shape=(30,),
        classes=("malignant", "benign"),
        class_counts=(212, 357),
        licence="CC BY 4.0",
        citation="Wolberg, Mangasarian, Street & Street 1993, Breast Cancer Wisconsin (Diagnostic), UCI; "
        "via scikit-learn",
    )


def load_breast_cancer(info: DatasetInfo) -> Dataset:
    """The measurements as they are, float32."""
    x, y = read_labelled("breast_cancer.csv", header=1)
    return Dataset(info, x.astype(np.float32), y)


def wine_info(text: str) -> DatasetInfo:
    """Wine recognition."""
    return DatasetInfo(
        text=text,
        description="three cultivars of Italian wine, from 13 chemical measurements",
        kind="table",
        shape=(13,),
        classes=("class_0", "class_1", "class_2"),
        class_counts=(59, 71, 48),
        licence="CC BY 4.0",
        citation="Aeberhard & Forina 1992, Wine, UCI; via scikit-learn",
    )


def load_wine(info: DatasetInfo) -> Dataset:
    """The measurements as they are, float32."""
    x, y = read_labelled("wine_data.csv", header=1)
    return Dataset(info, x.astype(np.float32), y)
