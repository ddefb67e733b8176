"""One step of plain training."""

import torch
from benchopt import BaseSolver
from torch import nn


class Solver(BaseSolver):
    """A small network after one step of AdamW."""

    name = "erm"
    sampling_strategy = "run_once"

    def set_objective(self, train_x, train_y, test_x):
        """Store a split."""
        self.train_x, self.train_y = torch.from_numpy(train_x), torch.from_numpy(train_y)
        self.test_x = torch.from_numpy(test_x)

    def run(self, _):
        """Train and predict."""
        torch.manual_seed(0)
        width = self.train_x.shape[1]
        model = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))
        optimizer = torch.optim.AdamW(model.parameters())
        nn.functional.cross_entropy(model(self.train_x), self.train_y).backward()
        optimizer.step()
        with torch.inference_mode():
            self.logits = model(self.test_x).numpy()

    def get_result(self):
        """The logits."""
        return {"logits": self.logits}
