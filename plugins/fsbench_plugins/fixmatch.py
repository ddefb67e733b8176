"""FixMatch: confident predictions on inputs become labels of their strongly augmented versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, StepOutput, param
from fsbench_plugins._unlabelled import UsesUnlabelled

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Fixmatch(UsesUnlabelled):
    """Pseudo-labels of sure predictions, learnt on strongly changed inputs (Sohn et al. 2020).

    The auxiliary loss is `weight` times the mean over unlabelled inputs of the cross-entropy between the
    prediction on a strong view and the likeliest class of the input as other components augment it; inputs
    whose largest probability is below `threshold` count as zero. If none ever reaches it, training is on the
    labels only, and a note says so. Strong views of images are those of `augmentation` with `strength`, in
    place of the paper's RandAugment; of tables, a share `corruption` of the values is from another row.
    Strong views pass the network by themselves; in the paper, batch normalisation sees all inputs at once.
    """

    name = "fixmatch"
    cite = (
        "Sohn, K., Berthelot, D., Li, C.-L., Zhang, Z., Carlini, N., Cubuk, E. D., Kurakin, A., Zhang, H. "
        "and Raffel, C. (2020). FixMatch: simplifying semi-supervised learning with consistency and "
        "confidence. NeurIPS 33."
    )
    family = "semi_supervised"
    kinds = frozenset({"image", "table"})

    weight: float = param(1.0, low=0.0, tune=(0.3, 3.0))
    threshold: float = param(0.95, low=0.0, high=1.0, tune=(0.7, 0.99))
    strength: float = param(2.0, low=0.0, high=5.0, tune=(1.0, 3.0))
    corruption: float = param(0.3, low=0.0, high=1.0, tune=(0.1, 0.6))
    steps: int = param(400, low=0, tune=(200, 2000))

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The loss of the strong views; zero for a batch without unlabelled inputs."""
        import torch

        from fsbench_plugins._views import view

        if out.unlabeled_logits is None or out.batch.raw_unlabeled is None:
            return 0.0
        strong = view(out.batch.raw_unlabeled, self.strength, self.corruption, ctx.task, ctx.rng)
        with ctx.autocast():
            logits = out.model(strong)
        loss = sure_cross_entropy(logits.float(), out.unlabeled_logits, self.threshold)
        most: torch.Tensor = ctx.memory(lambda: loss.new_zeros(()))
        torch.maximum(most, loss.detach(), out=most)
        if ctx.step + 1 == ctx.recipe.steps and most == 0:
            ctx.note(
                f"no guess was as sure as {self.threshold} in a training of {ctx.recipe.steps} steps, so it "
                "was on the labels only"
            )
        return self.weight * loss


def sure_cross_entropy(logits: torch.Tensor, guesses: torch.Tensor, threshold: float) -> torch.Tensor:
    """The cross-entropy of logits `[U, C]` against the classes of `guesses [U, C]`, if they are sure."""
    from torch.nn.functional import cross_entropy

    sure, labels = guesses.detach().softmax(-1).max(-1)
    return ((sure >= threshold) * cross_entropy(logits, labels, reduction="none")).mean()
