"""A body pretrained as the encoder of an autoencoder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from fsbench import Context, Stream, param
from fsbench_plugins._pretext import Loss, Pretext

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Autoencoder(Pretext):
    """Starts from the encoder of a denoising autoencoder of the unlabelled inputs (Vincent et al. 2010).

    The body encodes an input with Gaussian noise of standard deviation `noise`, and a perceptron with
    `hidden` units decodes the features into the input without noise; the loss is the mean squared error. Then
    the decoder is dropped, and the network is trained on the labels as always. With `noise` 0 it is a plain
    autoencoder (Hinton & Salakhutdinov 2006).
    """

    name = "autoencoder"
    results_version = "3"
    cite = (
        "Vincent, P., Larochelle, H., Lajoie, I., Bengio, Y. and Manzagol, P.-A. (2010). Stacked denoising "
        "autoencoders: learning useful representations in a deep network with a local denoising criterion. "
        "JMLR 11. Hinton, G. E. and Salakhutdinov, R. R. (2006). Reducing the dimensionality of data with "
        "neural networks. Science 313."
    )

    noise: float = param(0.2, low=0.0, tune=(0.0, 0.5))
    hidden: int = param(256, low=1)
    pretext_steps: int = param(300, low=0, tune=(100, 3000))

    def pretext(self, model: nn.Module, ctx: Context) -> tuple[nn.Module, Loss]:
        """The decoder, features `[B, D]` to inputs `[B, F]`, and the error of its reconstruction."""
        from torch import nn

        features, inputs = cast(int, model.num_features), math.prod(ctx.task.input_shape)
        decoder = nn.Sequential(nn.Linear(features, self.hidden), nn.ReLU(), nn.Linear(self.hidden, inputs))

        def loss(x: torch.Tensor, stream: Stream) -> torch.Tensor:
            noisy = x + self.noise * stream.normal(*x.shape)
            found = decoder(model.forward_features(noisy))  # type: ignore[operator]
            error: torch.Tensor = (found - x.flatten(1)).square().mean()
            return error

        return decoder, loss
