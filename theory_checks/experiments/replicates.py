"""What claims about training look at: one trained replicate at a time, its groups of experts, fresh
examples, errors."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from core import Examples, Parameters, Signals, Subject
from core.measures import (
    cluster_gap,
    dispatch_counts,
    dispatch_entropy,
    error_by_cluster,
    feature_alignment,
    groups,
    is_error,
    router_alignment,
)
from core.seeds import child, generator_from
from core.training import Replicate, margins, stack
from theory_checks.evidence import Statement, given
from theory_checks.experiments.scenarios import Scenario
from theory_checks.experiments.trajectories import Trained

CLEAR_GAP = 1.1
LARGE_GAP = 1.3
FRESH = 4000  # fresh examples a replicate is tried on: an error of 0.1 % shows in four of them


@dataclass(frozen=True)
class Finished:
    """A replicate and its parameters at one step.

    signals: v_k and c_k, each (K, d)
    initial: Theta (M, d) and W (M, J, d) at step 0
    at: the same at step t
    redraw: draws the replicate from the seed again, since the examples of all replicates together
        are too large to keep
    """

    subject: Subject
    scenario: Scenario
    seed: np.random.SeedSequence
    signals: Signals
    initial: Parameters
    at: Parameters
    redraw: Callable[[], Replicate]

    @property
    def training_examples(self) -> Examples:
        """The n training examples, drawn anew each time."""
        return self.redraw().examples

    @cached_property
    def start(self) -> Tensor:
        """a_mjk at t = 0, (M, J, K)."""
        return feature_alignment(self.signals, self.initial.W)

    @cached_property
    def group(self) -> Tensor:
        """The cluster k whose M_k each expert is in, (M,)."""
        return groups(self.start)

    @cached_property
    def gap(self) -> Tensor:
        """The cluster gap of each expert, (M,); 0 for those that the definition excludes."""
        return cluster_gap(self.start).nan_to_num(0.0)

    @property
    def router(self) -> tuple[Tensor, Tensor]:
        """<theta_m, v_k> and <theta_m, c_k>, both (M, K)."""
        return router_alignment(self.signals, self.at.theta)

    @cached_property
    def fresh(self) -> Examples:
        """FRESH new examples."""
        return self.subject.draw_examples(
            self.scenario.problem, self.signals, FRESH, generator_from(child(self.seed, 2))
        )

    @cached_property
    def fresh_logits(self) -> Tensor:
        """h_m of the fresh examples, (M, FRESH)."""
        return self.subject.logits(self.at.theta, self.fresh.patches)

    def margins(self, examples: Examples) -> tuple[Tensor, Tensor]:
        """yF of the examples and the expert each is routed to, without noise, both (n,)."""
        one = Parameters(self.at.theta[None], self.at.W[None])
        margin, routed = margins(self.subject, one, stack([examples.patches]), examples.y[None])
        return margin[0], routed[0]

    @cached_property
    def outcome(self) -> tuple[Tensor, Tensor]:
        """`margins` of the fresh examples."""
        return self.margins(self.fresh)

    @property
    def error(self) -> float:
        """How often the mixture is wrong on the fresh examples, without router noise."""
        return float(is_error(self.outcome[0]).double().mean())

    @property
    def dispatched(self) -> Tensor:
        """How many fresh examples of each cluster go to each expert, without noise, (M, K)."""
        return dispatch_counts(
            self.outcome[1], self.fresh.k, self.scenario.hyper.M, self.scenario.problem.K
        )

    @property
    def entropy(self) -> float:
        """Dispatch entropy of the fresh examples, nats."""
        return float(dispatch_entropy(self.dispatched))

    @cached_property
    def noisily_routed(self) -> Tensor:
        """The expert each fresh example is routed to with noise, (FRESH,)."""
        h = self.fresh_logits
        noise = self.subject.router_noise(
            tuple(h.shape), generator_from(child(self.seed, 4)), self.scenario.hyper.T
        )
        return self.subject.select(h, noise)

    def pre_activations(self, examples: Examples) -> Tensor:
        """<w_mj, x^(p)> of all experts on all examples, (M, n, P, J)."""
        W, x = self.at.W.to(examples.y.dtype), examples.patches
        # (M, D + n (P - Q), J)
        table = torch.cat([vectors @ W.mT for vectors in (x.dictionary, x.noise.flatten(0, 1))], -2)
        return (
            table.index_select(1, x.vector.flatten())
            .unflatten(1, x.vector.shape)
            .mul_(x.multiple[..., None])
        )

    def expert_margins(self, examples: Examples) -> Tensor:
        """y f_m(x) of every expert on every example, (M, n)."""
        return examples.y * self.subject.respond(self.pre_activations(examples))

    @cached_property
    def errors(self) -> Tensor:
        """Error of every expert on every cluster, on the fresh examples, (M, K)."""
        margins = self.expert_margins(self.fresh)
        return error_by_cluster(margins, self.fresh.k.expand_as(margins), self.scenario.problem.K)

    @property
    def own_error(self) -> Tensor:
        """Error of every expert on its own cluster, (M,)."""
        return self.errors.gather(1, self.group[:, None]).squeeze(1)


def finished(trained: Trained, scenario: Scenario, step: int) -> Iterator[Finished]:
    """All replicates of a scenario with their parameters at a step that was kept (0, T_1 or T)."""
    trajectory = trained.trajectory(scenario)
    initial, kept = trajectory.parameters(0), trajectory.parameters(step)
    for i, seed in enumerate(trained.seeds(scenario)):
        yield Finished(
            trained.run.subject,
            scenario,
            seed,
            signals=Signals(trajectory.signals.features[i], trajectory.signals.centres[i]),
            initial=Parameters(initial.theta[i], initial.W[i]),
            at=Parameters(kept.theta[i], kept.W[i]),
            redraw=partial(trained.replicate, scenario, seed),
        )


def spread_over(
    replicates: Sequence[Finished], size: int, generator: torch.Generator
) -> Iterator[tuple[Finished, Examples]]:
    """`size` new examples, each of a replicate at random: replicate by replicate, those without any
    left out."""
    count = len(replicates)
    which = torch.randint(0, count, (size,), generator=generator).bincount(minlength=count)
    for replicate, n in zip(replicates, which.tolist(), strict=True):
        if n:
            problem, signals = replicate.scenario.problem, replicate.signals
            yield replicate, replicate.subject.draw_examples(problem, signals, n, generator)


def given_occupied_groups(
    statement: Statement, trained: Trained, *scenarios: Scenario
) -> Statement:
    """The statement given E_init, with the number of initialisations that it took."""
    drawn = [n for scenario in scenarios for n in trained.trajectory(scenario).initialisations]
    return given(statement, met=len(drawn), tried=sum(drawn), hypotheses="E_init")


def at_end_of_exploration(trained: Trained, scenario: Scenario) -> list[Finished]:
    """All replicates at T_1."""
    return list(finished(trained, scenario, scenario.hyper.T_1))


def at_the_end(trained: Trained, scenario: Scenario) -> list[Finished]:
    """All replicates at T."""
    return list(finished(trained, scenario, scenario.hyper.T))
