"""LP-FT: first the head on a frozen body, then everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fsbench_plugins.transfer import Transfer


@dataclass(frozen=True)
class LpFt(Transfer):
    """Linear probing, then fine-tuning (Kumar et al. 2022): `transfer` that starts with the head alone.

    The head is trained on the frozen body for the fraction `head_share` of the recipe's steps, then
    everything for the rest, so that the first gradients of a random head do not distort the features.
    """

    name = "lp_ft"
    cite = (
        "Kumar, A., Raghunathan, A., Jones, R., Ma, T. and Liang, P. (2022). Fine-tuning can distort "
        "pretrained features and underperform out-of-distribution. ICLR."
    )
    in_core = False

    mode: Literal["frozen_then_finetune"] = "frozen_then_finetune"
