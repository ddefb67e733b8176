"""Nearest neighbours from scikit-learn."""

from benchopt import BaseSolver
from sklearn.neighbors import KNeighborsClassifier


class Solver(BaseSolver):
    """Nearest neighbours."""

    name = "knn"
    sampling_strategy = "run_once"

    def set_objective(self, train_x, train_y, test_x):
        """Store a split."""
        self.train_x, self.train_y, self.test_x = train_x, train_y, test_x

    def run(self, _):
        """Fit and predict."""
        model = KNeighborsClassifier().fit(self.train_x, self.train_y)
        self.logits = model.predict_proba(self.test_x)

    def get_result(self):
        """The logits."""
        return {"logits": self.logits}
