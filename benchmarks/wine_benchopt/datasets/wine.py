"""Splits of wine."""

import numpy as np
from benchopt import BaseDataset
from sklearn.datasets import load_wine


class Dataset(BaseDataset):
    """Five training samples per class, the others for testing, standardised on the training part."""

    name = "wine"
    parameters = {"seed": [0]}  # noqa: RUF012 - as benchopt requires

    def get_data(self):
        """Draw one split."""
        x, y = load_wine(return_X_y=True)
        rng = np.random.default_rng(self.seed)
        train = np.concatenate([rng.permutation(np.flatnonzero(y == label))[:5] for label in range(3)])
        test = np.setdiff1d(np.arange(len(y)), train)
        mean, scale = x[train].mean(0), x[train].std(0)
        x = ((x - mean) / np.where(scale == 0, 1, scale)).astype(np.float32)
        return {"train_x": x[train], "train_y": y[train], "test_x": x[test], "test_y": y[test]}
