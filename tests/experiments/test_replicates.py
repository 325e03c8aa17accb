"""A trained replicate, as claims look at it."""

from dataclasses import replace

import numpy as np
import torch

from core import Problem
from theory_checks.checking.run import Run
from theory_checks.experiments.ladders import by_examples, by_size, of_each
from theory_checks.experiments.replicates import finished
from theory_checks.experiments.scenarios import ladder
from theory_checks.experiments.trajectories import SEARCH, Trained


def test_what_claims_look_at_is_the_replicate_of_the_seed(run: Run) -> None:
    scenario = ladder(Problem(K=2, d=8, P=5), 40, 3, M=4, J=2)
    scenario = replace(scenario, hyper=replace(scenario.hyper, T=2))
    for replicate in finished(Trained(run, SEARCH), scenario, 2):
        drawn = replicate.redraw()
        assert torch.equal(replicate.signals.features, drawn.signals.features)
        assert torch.equal(replicate.signals.centres, drawn.signals.centres)
        assert torch.equal(replicate.initial.W, drawn.start.W)
        assert not torch.equal(replicate.at.W, drawn.start.W)
        examples = replicate.training_examples
        expected = torch.einsum("npd,mjd->mnpj", examples.x.double(), replicate.at.W.double())
        # Sums of d products in single precision.
        size = torch.einsum(
            "npd,mjd->mnpj", examples.x.double().abs(), replicate.at.W.double().abs()
        )
        tolerance = (scenario.problem.d + 2) * torch.finfo(torch.float32).eps * size
        assert ((replicate.pre_activations(examples) - expected).abs() <= tolerance).all()


def test_a_measure_is_taken_of_each_replicate_at_t_1_and_kept_by_size(run: Run) -> None:
    scenario = ladder(Problem(K=2, d=8), 40, 3, M=4, J=2)
    trained, T_1 = Trained(run, SEARCH), scenario.hyper.T_1
    expected = [float(r.at.W.norm()) for r in finished(trained, scenario, T_1)]
    for most, count in ((None, 3), (2, 2)):
        measure = of_each(lambda r: float(r.at.W.norm()), trained, most)
        assert np.array_equal(measure(scenario), expected[:count])
        assert np.array_equal(by_size(measure, [scenario])[8], expected[:count])
        assert np.array_equal(by_examples(measure, [scenario])[40], expected[:count])
