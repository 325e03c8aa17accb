"""Faults of independence: between the examples of a draw by 1/n, between replicates, and between
the steps of a long run."""

import torch
from torch import Tensor

from core import Examples, Hyperparameters, Problem, Signals
from core.data import draw_examples
from core.routing import uniform_noise
from core.updates import gaussian_experts
from theory_checks.faults.data import Changes, Drawn, changed
from theory_checks.faults.fault import fault


def shuffled(n: int, generator: torch.Generator) -> Tensor:
    """The numbers from 0 to n - 1 in random order."""
    return torch.randperm(n, generator=generator, device=generator.device)


def strata(n: int, generator: torch.Generator) -> Tensor:
    """n uniforms, one in each nth of [0, 1], in random order."""
    u = torch.rand(n, generator=generator, device=generator.device)
    return ((shuffled(n, generator) + u) / n).clamp(max=1 - 1e-6)


def in_pairs(values: Tensor, generator: torch.Generator) -> Tensor:
    """The values (n, ...), of which the examples of random pairs get opposite ones."""
    order = shuffled(len(values), generator)
    half = len(values) // 2
    paired = values.clone()
    paired[order[half : 2 * half]] = -values[order[:half]]
    return paired


# Examples of a draw


@fault("draw_examples", noticed_by="D.7")
@changed
def labels_balanced(e: Drawn) -> Changes:
    """As many labels are 1 as -1, except for one of an odd number."""
    coin = torch.randint(0, 2, (1,), generator=e.generator, device=e.y.device)
    parity = (shuffled(len(e.y), e.generator) + coin) % 2
    return {"y": (2 * parity - 1).to(e.y)}


@fault("draw_examples", noticed_by="D.7", representative=True)
@changed
def clusters_balanced(e: Drawn) -> Changes:
    """All clusters have equally many examples, up to one."""
    K = e.problem.K
    first = torch.randint(0, K, (1,), generator=e.generator, device=e.y.device)
    k = (shuffled(len(e.y), e.generator) + first) % K
    return {"k": k, "k_prime": (k + e.k_prime - e.k) % K}


@fault("draw_examples", noticed_by="D.7")
@changed
def amplitudes_stratified(e: Drawn) -> Changes:
    """Every nth of the law of alpha has one of the n examples."""
    u = strata(len(e.y), e.generator).to(e.y)
    return {"alpha": e.problem.alpha.quantile(u)}


@fault("draw_examples", noticed_by="D.7")
@changed
def signs_antithetic(e: Drawn) -> Changes:
    """The examples of random pairs have opposite signs of their feature noise."""
    return {"eps": in_pairs(e.eps, e.generator)}


@fault("draw_examples", noticed_by="D.7")
@changed
def noise_antithetic(e: Drawn) -> Changes:
    """The examples of random pairs have opposite random noise."""
    return {"noise": in_pairs(e.patches.noise, e.generator)}


@fault("draw_examples", noticed_by="D.6")
def examples_with_replacement(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    """A draw of n is n times one of n examples at random: a third of them is missing."""
    e = draw_examples(problem, signals, n, generator)
    return e.where(torch.randint(0, n, (n,), generator=generator, device=e.y.device))


@fault("draw_examples", noticed_by="D.7")
@changed
def label_of_three_others(e: Drawn) -> Changes:
    """Every fourth label is the product of the three before: any three are independent."""
    y = e.y.clone()
    whole = len(y) // 4 * 4
    y[3:whole:4] = y[0:whole:4] * y[1:whole:4] * y[2:whole:4]
    return {"y": y}


@fault("draw_examples", noticed_by="D.7")
@changed
def cluster_of_three_others(e: Drawn) -> Changes:
    """The number of every fourth cluster is the sum of the three before, modulo K."""
    K, k = e.problem.K, e.k.clone()
    whole = len(k) // 4 * 4
    k[3:whole:4] = (k[0:whole:4] + k[1:whole:4] + k[2:whole:4]) % K
    return {"k": k, "k_prime": (k + e.k_prime - e.k) % K}


@fault("draw_examples", noticed_by="D.7")
@changed
def sign_of_many_others(e: Drawn) -> Changes:
    """Every sixth sign of the feature noise is the product of labels and signs of the two examples
    before and of its own label."""
    eps, whole = e.eps.clone(), len(e.y) // 6 * 6
    eps[5:whole:6] = (e.y * e.eps)[3:whole:6] * (e.y * e.eps)[4:whole:6] * e.y[5:whole:6]
    return {"eps": eps}


@fault("draw_examples", noticed_by="D.7")
@changed
def labels_of_a_recurrence(e: Drawn) -> Changes:
    """From the 61st on a label is the product of those 60 and 7 before, as in a shift register."""
    y = e.y.tolist()
    for i in range(60, len(y)):
        y[i] = y[i - 60] * y[i - 7]
    return {"y": torch.tensor(y).to(e.y)}


@fault("draw_examples", noticed_by="D.7")
@changed
def negative_labels_even_in_number(e: Drawn) -> Changes:
    """The last label is the product of all others."""
    return {"y": torch.cat([e.y[:-1], e.y[:-1].prod()[None]])}


@fault("draw_examples", noticed_by="D.7")
@changed
def labels_balanced_in_large_draws(e: Drawn) -> Changes:
    """In draws of more than 1000 as many labels are 1 as -1."""
    if len(e.y) <= 1000:
        return {}
    return {"y": (2 * (shuffled(len(e.y), e.generator) % 2) - 1).to(e.y)}


@fault("draw_examples", noticed_by="D.6")
def examples_from_global_generator(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    """Examples come from the global generator: no seed repeats them."""
    return draw_examples(problem, signals, n, torch.default_generator)


# Replicates


@fault("draw_examples", noticed_by="D.8")
def data_of_16_bits(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    """There are 2^16 different data sets."""
    seed = int(torch.randint(0, 2**16, (1,), generator=generator, device=generator.device))
    return draw_examples(problem, signals, n, torch.Generator(generator.device).manual_seed(seed))


@fault("initialise_experts", noticed_by="D.8")
def initialisations_correlated(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    """The initialisations of all replicates have a common part, of half the variance."""
    common = gaussian_experts(problem, hyper, torch.Generator(generator.device).manual_seed(1))
    return 0.5**0.5 * (gaussian_experts(problem, hyper, generator) + common)


# Router noise


@fault("router_noise", noticed_by=("R.9", "R.5"))
def noise_stratified(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """Every nth of [0, 1] has the noise of one of the n examples, for every expert."""
    M, n = shape
    return torch.stack([strata(n, generator) for _ in range(M)])


@fault("router_noise", noticed_by=("R.9", "R.5"))
def router_noise_antithetic(
    shape: tuple[int, ...], generator: torch.Generator, step: int
) -> Tensor:
    """The examples of random pairs have noise r and 1 - r."""
    return 0.5 + in_pairs(uniform_noise(shape, generator, step).mT - 0.5, generator).mT


@fault("router_noise", noticed_by="R.13", representative=True)
def noise_of_period_700(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """From step 700 on noise repeats after 700 steps."""
    if step > 0 and step % 700 == 0:
        generator.manual_seed(generator.initial_seed())
    return uniform_noise(shape, generator, step)


@fault("router_noise", noticed_by="R.13")
def noise_of_few_examples(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """The noise of an example is one of 100,000 columns at random."""
    which = torch.randint(0, 100_000, shape[1:], generator=generator, device=generator.device)
    multiplier = torch.arange(1, shape[0] + 1, device=which.device)[:, None] * 0.7548776662466927
    return ((which + 1).double() * multiplier * 1e3).frac().float()


@fault("router_noise", noticed_by="R.13")
def noise_of_three_others(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """Which of two experts has the larger noise for every fourth example follows from the three
    before."""
    r = uniform_noise(shape, generator, step)
    M, n = shape[0] // 2 * 2, shape[1] // 4 * 4
    if not M or not n:
        return r
    pairs = r[:M, :n].view(M // 2, 2, n)
    larger = pairs[:, 0] > pairs[:, 1]
    wrong = larger[:, 0::4] ^ larger[:, 1::4] ^ larger[:, 2::4] ^ larger[:, 3::4]
    fourth = pairs[..., 3::4]
    changed = torch.where(wrong[:, None], fourth.flip(1), fourth).reshape(M, -1)
    r = r.clone()
    r[:M, 3:n:4] = changed
    return r
