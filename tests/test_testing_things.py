"""The conformance kit catches faults of protocols, metrics and datasets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from fsbench.registry import get_registry
from fsbench.testing import conformance
from fsbench.testing.demands import require_own_randomness

KSHOT = get_registry().brought["fsbench_protocols"]["kshot"].thing
ACCURACY = get_registry().brought["fsbench_metrics"]["accuracy"].thing


def protocol(**members) -> type:
    made = type("Odd", (KSHOT,), {"name": "odd", "__doc__": "Odd.", **members})
    return dataclass(frozen=True)(made)


def says(**facts) -> type:
    return protocol(info=lambda self: replace(KSHOT.info(self), **facts))


def influence(change) -> object:
    return replace(ACCURACY, influence=lambda logits, y: change(ACCURACY.influence(logits, y)))


WRONG = {
    "labels": (
        says(labels_per_class=8),
        "draws what it says",
        "info says balanced and labels_per_class=8; draw gives 5 labels of a class",
    ),
    "few labels": (
        says(labels_per_class=4, balanced=False),
        "draws what it says",
        "labels_per_class=4, which is that of the largest class; draw gives 50 labels of 10 classes",
    ),
    "validation labels": (
        says(num_val=0),
        "draws what it says",
        "info says num_val=0, draw gives 20 validation labels",
    ),
    "one split": (
        protocol(draw=lambda self, seed: KSHOT.draw(self, 0)),
        "other seeds, other splits",
        "seeds 0 to 2 give one split; draw from a generator of the seed",
    ),
    "a large influence": (
        influence(lambda values: 1000 * values),
        "says the influence of samples",
        "expected about what leaving it out takes from the value",
    ),
    "an influence with the wrong sign": (
        influence(lambda values: -values),
        "says the influence of samples",
        "with the same sign",
    ),
    "an influence of another shape": (
        influence(lambda values: values[0]),
        "says the influence of samples",
        "its influence has the shape [40]; expected [1, 40]",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_faults_are_caught(case):
    thing, name, message = WRONG[case]
    (check,) = (check for check in conformance(thing) if check.name == name)
    with pytest.raises(AssertionError) as caught:
        check()
    assert message in str(caught.value)


def test_a_protocol_for_two_classes_passes():
    def check(self):
        KSHOT.check(self)
        self.require(self.data.num_classes == 2, f"{self.data.num_classes} classes; expected 2")

    for each in conformance(protocol(check=check)):
        each()


def test_seeding_a_global_generator_is_caught_whatever_its_state_was():
    np.random.seed(0)
    before = np.random.get_state()[1].tolist()
    with pytest.raises(AssertionError, match="global random state of numpy"):
        require_own_randomness(lambda: np.random.seed(0))
    assert np.random.get_state()[1].tolist() == before
