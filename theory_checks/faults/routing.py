"""Faults of the router: its logits, its noise, its choice."""

from functools import partial

import torch
from torch import Tensor

from core import Patches
from core.model import router_logits
from core.routing import no_noise, top_1, uniform_noise
from theory_checks.faults.fault import fault
from theory_checks.faults.signatures import Noise


def uniform_of_width(width: float) -> Noise:
    """Noise Unif[0, width]."""

    def noise(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
        return width * uniform_noise(shape, generator, step)

    return noise


def gaussian(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    return 0.3 * torch.randn(shape, generator=generator, device=generator.device)


def gumbel(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    return (
        -uniform_noise(shape, generator, step).clamp(min=1e-30).log().neg().clamp(min=1e-30).log()
    )


def squared(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    return uniform_noise(shape, generator, step) ** 2


def on_a_grid(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    return (4 * uniform_noise(shape, generator, step)).floor() / 4


def centred(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    return uniform_noise(shape, generator, step) - 0.5


def shared_by_experts(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    return uniform_noise((1, shape[1]), generator, step).expand(shape)


def shared_by_examples(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    return uniform_noise((shape[0], 1), generator, step).expand(shape)


def shared_by_halves(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    half = uniform_noise((shape[0], -(-shape[1] // 2)), generator, step)
    return torch.cat([half, half], dim=1)[:, : shape[1]]


def repeating_over_experts(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    return uniform_noise(shape, generator, step)[
        torch.arange(shape[0], device=generator.device) % 8
    ]


def of_the_global_generator(
    shape: tuple[int, ...], generator: torch.Generator, step: int
) -> Tensor:
    return torch.rand(shape, device=generator.device)


def shared_by_steps(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    return uniform_noise(shape, torch.Generator(generator.device).manual_seed(1), step)


def kept_for_two_steps(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """A noise that is a function of step // 2 and of the state that the generator had at its
    seed."""
    seed = (generator.initial_seed() + step // 2) % 2**63
    return uniform_noise(shape, torch.Generator(generator.device).manual_seed(seed), step)


def narrows_later(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    return (1.0 if step < 100 else 0.5) * uniform_noise(shape, generator, step)


def stops_later(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    return (uniform_noise if step < 100 else no_noise)(shape, generator, step)


def narrow_in_the_middle(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    return (0.8 if 200 < step < 900 else 1.0) * uniform_noise(shape, generator, step)


def off_every_fiftieth_step(
    shape: tuple[int, ...], generator: torch.Generator, step: int
) -> Tensor:
    return (no_noise if step % 50 == 49 else uniform_noise)(shape, generator, step)


def mirrored_over_experts(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """Of an even number of experts, six or more, the second half gets 1 - r."""
    r = uniform_noise(shape, generator, step)
    half = shape[0] // 2
    return r if shape[0] < 6 or shape[0] % 2 else torch.cat([r[:half], 1 - r[:half]])


def of_limited_capacity(h: Tensor, r: Tensor) -> Tensor:
    """An expert takes at most four times its share of 1000 examples or more; the others go to their
    second choice."""
    M, n = h.shape[-2:]
    if n < 1000 or M < 5:
        return top_1(h, r)
    first, second = (h + r).topk(2, dim=-2).indices.unbind(dim=-2)
    place = (
        torch.nn.functional.one_hot(first, M)
        .cumsum(dim=-2)
        .gather(-1, first[..., None])
        .squeeze(-1)
    )
    return torch.where(place > -(-4 * n // M), second, first)


def least(h: Tensor, r: Tensor) -> Tensor:
    return (h + r).min(dim=-2).indices


def second_best(h: Tensor, r: Tensor) -> Tensor:
    score = h + r
    return score.topk(min(2, score.shape[-2]), dim=-2).indices[..., -1, :]


def noise_ignored(h: Tensor, r: Tensor) -> Tensor:
    return h.max(dim=-2).indices


def noise_subtracted(h: Tensor, r: Tensor) -> Tensor:
    return (h - r).max(dim=-2).indices


def logits_ignored(h: Tensor, r: Tensor) -> Tensor:
    return (0 * h + r).max(dim=-2).indices


def within_capacity(h: Tensor, r: Tensor) -> Tensor:
    """Each expert takes the first examples that choose it, up to twice its share; the others go to
    expert 0."""
    chosen = (h + r).max(dim=-2).indices
    M, n = h.shape[-2:]
    place = (
        torch.nn.functional.one_hot(chosen, M)
        .cumsum(dim=-2)
        .gather(-1, chosen[..., None])
        .squeeze(-1)
    )
    return torch.where(place > -(-2 * n // M), 0, chosen)


def last_of_ties(h: Tensor, r: Tensor) -> Tensor:
    score = h + r
    return score.shape[-2] - 1 - score.flip(-2).max(dim=-2).indices


def without_the_last_expert(h: Tensor, r: Tensor) -> Tensor:
    score = h + r
    return score[..., : max(1, score.shape[-2] - 1), :].max(dim=-2).indices


def over_examples(h: Tensor, r: Tensor) -> Tensor:
    """The noise is added in the wrong order of experts."""
    return (h + r.flip(-1).roll(1, dims=-2)).max(dim=-2).indices


def without_the_first_patch(theta: Tensor, x: Patches) -> Tensor:
    return theta @ x.dense[..., 1:, :].sum(dim=-2).mT


def mean_over_patches(theta: Tensor, x: Patches) -> Tensor:
    return router_logits(theta, x) / x.order.shape[-1]


def cosines(theta: Tensor, x: Patches) -> Tensor:
    return router_logits(theta, x) / x.total.norm(dim=-1).clamp(min=1e-12)[..., None, :]


def clipped(theta: Tensor, x: Patches) -> Tensor:
    return router_logits(theta, x).clamp(-10, 10)


fault = partial(fault, "routing")

FAULTS = (
    fault(
        "NO_NOISE",
        "The router draws no noise.",
        "R.5",
        "R.3",
        "R.4",
        representative=True,
        router_noise=no_noise,
    ),
    fault("NOISE_GAUSSIAN", "Router noise is N(0, 0.3^2).", "R.4", "R.5", router_noise=gaussian),
    fault(
        "NOISE_GUMBEL",
        "Router noise is Gumbel's: experts are sampled from the softmax.",
        "R.4",
        "R.5",
        router_noise=gumbel,
    ),
    fault(
        "NOISE_HALF_WIDTH",
        "Router noise is Unif[0, 1/2].",
        "R.5",
        representative=True,
        router_noise=uniform_of_width(0.5),
    ),
    fault(
        "NOISE_DOUBLE_WIDTH",
        "Router noise is Unif[0, 2].",
        "R.4",
        "R.5",
        router_noise=uniform_of_width(2.0),
    ),
    fault(
        "NOISE_SQUARED",
        "Router noise is the square of a uniform: its density is unbounded.",
        "R.9",
        router_noise=squared,
    ),
    fault("NOISE_ON_GRID", "Router noise is rounded to quarters.", "R.5", router_noise=on_a_grid),
    fault(
        "NOISE_CENTRED",
        "Router noise is Unif[-1/2, 1/2].",
        equivalent="The same shift of all experts' noise changes no argmax.",
        representative=True,
        router_noise=centred,
    ),
    fault(
        "NOISE_NARROW_IN_THE_MIDDLE",
        "At steps 201 to 899 noise is Unif[0, 0.8].",
        "R.11",
        router_noise=narrow_in_the_middle,
    ),
    fault(
        "NOISE_OFF_AT_TIMES",
        "Every fiftieth step is without noise.",
        "R.11",
        router_noise=off_every_fiftieth_step,
    ),
    fault(
        "NOISE_MIRRORED",
        "Of an even number of experts, six or more, one half gets 1 - r of the other.",
        "R.5",
        router_noise=mirrored_over_experts,
    ),
    fault(
        "CAPACITY_OF_FOUR_SHARES",
        "No expert takes more than four times its share of 1000 examples or more.",
        "R.10",
        select=of_limited_capacity,
    ),
    fault(
        "NOISE_SHARED_BY_EXPERTS",
        "All experts get the same noise.",
        "R.5",
        "R.9",
        router_noise=shared_by_experts,
    ),
    fault(
        "NOISE_SHARED_BY_EXAMPLES",
        "All examples get the same noise.",
        "R.5",
        "R.9",
        router_noise=shared_by_examples,
    ),
    fault(
        "NOISE_SHARED_BY_HALVES",
        "The second half of the examples gets the noise of the first.",
        "R.9",
        router_noise=shared_by_halves,
    ),
    fault(
        "NOISE_SHARED_BY_STEPS",
        "Every step gets the same noise.",
        "R.5",
        "R.9",
        representative=True,
        router_noise=shared_by_steps,
    ),
    fault(
        "NOISE_KEPT_FOR_TWO_STEPS",
        "Noise is drawn anew at every second step only.",
        "R.5",
        "R.9",
        router_noise=kept_for_two_steps,
    ),
    fault(
        "NOISE_NARROWS_LATER",
        "From step 100 on the noise has half its width.",
        "R.9",
        router_noise=narrows_later,
    ),
    fault(
        "NOISE_STOPS_LATER", "From step 100 on there is no noise.", "R.9", router_noise=stops_later
    ),
    fault("ARGMIN", "The least logit wins.", "R.4", "R.5", representative=True, select=least),
    fault("SECOND_BEST", "The second largest logit wins.", "R.5", "R.4", select=second_best),
    fault(
        "NOISE_IGNORED", "The largest logit wins, whatever the noise.", "R.5", select=noise_ignored
    ),
    fault(
        "NOISE_SUBTRACTED",
        "Noise is subtracted: routing has its law all the same, as 1 - r has that of r, but is not"
        " the argmax of h + r.",
        "R.10",
        select=noise_subtracted,
    ),
    fault("LOGITS_IGNORED", "The noise alone decides.", "R.4", "R.5", select=logits_ignored),
    fault(
        "LAST_OF_TIES",
        "Of tied experts the last wins, not the first.",
        equivalent=(
            "Noise with a density ties with probability 0. Without noise ties occur at Theta = 0"
            " only, where which of the experts, all alike, is taken is a matter of labels."
        ),
        select=last_of_ties,
    ),
    fault(
        "LAST_EXPERT_NEVER",
        "The last expert is never chosen.",
        "R.5",
        "R.9",
        select=without_the_last_expert,
    ),
    fault(
        "NOISE_PERMUTED",
        "Noise goes to the next expert and to the examples in reverse order.",
        "R.1",
        select=over_examples,
    ),
    fault(
        "LOGITS_WITHOUT_A_PATCH",
        "Logits leave out the first patch.",
        "R.7",
        "G.4",
        representative=True,
        logits=without_the_first_patch,
    ),
    fault(
        "LOGITS_AVERAGED",
        "Logits are means over patches, not sums.",
        "R.7",
        logits=mean_over_patches,
    ),
    fault(
        "LOGITS_COSINES", "Logits are divided by the length of the example.", "R.7", logits=cosines
    ),
    fault(
        "NOISE_REPEATS_OVER_EXPERTS",
        "Expert 8 gets the noise of expert 0, and so on.",
        "R.9",
        router_noise=repeating_over_experts,
    ),
    fault(
        "NOISE_FROM_GLOBAL_GENERATOR",
        "Noise comes from the global generator, not from that of the replicate: no seed repeats a"
        " run.",
        "R.11",
        "G.11",
        router_noise=of_the_global_generator,
    ),
    fault(
        "CAPACITY_LIMITED",
        "Experts take at most twice their share of examples; others go to the first.",
        "R.1",
        "R.4",
        "R.5",
        select=within_capacity,
    ),
    fault("LOGITS_CLIPPED", "Logits are clipped to [-10, 10].", "R.7", logits=clipped),
)
