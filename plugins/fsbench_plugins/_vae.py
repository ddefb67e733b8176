"""A conditional variational autoencoder of flat inputs."""

from __future__ import annotations

import torch
from torch import nn


class ConditionalVae(nn.Module):
    """Perceptrons that encode inputs `[N, F]` under a condition `[N, K]` in a normal of `latent` dimensions.

    Inputs are normal around the decoded mean, with one deviation that is learnt (Rybkin et al. 2021).
    """

    def __init__(self, inputs: int, conditions: int, latent: int, hidden: int) -> None:
        super().__init__()
        self.latent = latent
        self.encoder = nn.Sequential(
            nn.Linear(inputs + conditions, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent + conditions, hidden), nn.ReLU(), nn.Linear(hidden, inputs)
        )
        self.log_deviation = nn.Parameter(torch.zeros(()))

    def decode(self, z: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Means `[N, F]` of codes `[N, L]` under conditions `[N, K]`."""
        mean: torch.Tensor = self.decoder(torch.cat([z, condition], 1))
        return mean

    def bound(self, x: torch.Tensor, condition: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The lower bound `[N]` on `log p(x | condition)`, without its constant; `noise` is `[N, L]`."""
        mean, log_variance = self.encoder(torch.cat([x, condition], 1)).chunk(2, 1)
        z = mean + (log_variance / 2).exp() * noise
        errors = ((x - self.decode(z, condition)) / self.log_deviation.exp()).square().sum(1)
        divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum(1) / 2
        bound: torch.Tensor = -errors / 2 - x.shape[1] * self.log_deviation - divergence
        return bound
