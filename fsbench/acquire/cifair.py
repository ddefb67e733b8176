"""ciFAIR-10 as a loader like torchvision's. Imports torch, so import this module only when needed."""

from __future__ import annotations

from torchvision.datasets import CIFAR10


class CiFAIR10(CIFAR10):  # type: ignore[misc]
    """CIFAR-10's training part, and its test part with near-duplicates of training images replaced.

    Barz & Denzler 2020, "Do we train on test data? Purging CIFAR of near-duplicates"; the archive is the
    one that its authors published as release 1.0.
    """

    base_folder = "ciFAIR-10"
    url = "https://github.com/cvjena/cifair/releases/download/v1.0/ciFAIR-10.zip"
    filename = "ciFAIR-10.zip"
    tgz_md5 = "ca08fd390f0839693d3fc45c4e49585f"
    test_list = [["test_batch", "01290e6b622a1977a000eff13650aca2"]]  # noqa: RUF012
