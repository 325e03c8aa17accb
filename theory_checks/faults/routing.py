"""Faults of the router: its logits, its noise, its choice."""

from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor
from torch.nn import functional

from core import Patches
from core.model import router_logits
from core.routing import no_noise as noiseless
from core.routing import top_1, uniform_noise
from theory_checks.faults.fault import Ingredients, fault
from theory_checks.faults.signatures import Noise


def changed(change: Callable[[Tensor, int], Tensor]) -> Noise:
    """The paper's noise, changed afterwards as a function of the step."""

    @wraps(change)
    def noise(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
        return change(uniform_noise(shape, generator, step), step)

    return noise


def uniform_of_width(width: float) -> Noise:
    """Noise Unif[0, width]."""
    return changed(lambda r, step: width * r)


@fault(noticed_by="R.5", representative=True)
def noise_half_width() -> Ingredients:
    """Router noise is Unif[0, 1/2]."""
    return {"router_noise": uniform_of_width(0.5)}


@fault(noticed_by=("R.4", "R.5"))
def noise_double_width() -> Ingredients:
    """Router noise is Unif[0, 2]."""
    return {"router_noise": uniform_of_width(2.0)}


@fault("router_noise", noticed_by=("R.4", "R.5"))
def noise_gaussian(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """Router noise is N(0, 0.3^2)."""
    return 0.3 * torch.randn(shape, generator=generator, device=generator.device)


@fault("router_noise", noticed_by=("R.4", "R.5"))
@changed
def noise_gumbel(r: Tensor, step: int) -> Tensor:
    """Router noise is Gumbel's: experts are sampled from the softmax."""
    return -r.clamp(min=1e-30).log().neg().clamp(min=1e-30).log()


@fault("router_noise", noticed_by="R.9")
@changed
def noise_squared(r: Tensor, step: int) -> Tensor:
    """Router noise is the square of a uniform: its density is unbounded."""
    return r**2


@fault("router_noise", noticed_by="R.5")
@changed
def noise_on_grid(r: Tensor, step: int) -> Tensor:
    """Router noise is rounded to quarters."""
    return (4 * r).floor() / 4


@fault(
    "router_noise",
    equivalent="The same shift of all experts' noise changes no argmax.",
    representative=True,
)
@changed
def noise_centred(r: Tensor, step: int) -> Tensor:
    """Router noise is Unif[-1/2, 1/2]."""
    return r - 0.5


@fault("router_noise", noticed_by=("R.5", "R.9"))
def noise_shared_by_experts(
    shape: tuple[int, ...], generator: torch.Generator, step: int
) -> Tensor:
    """All experts get the same noise."""
    return uniform_noise((1, shape[1]), generator, step).expand(shape)


@fault("router_noise", noticed_by=("R.5", "R.9"))
def noise_shared_by_examples(
    shape: tuple[int, ...], generator: torch.Generator, step: int
) -> Tensor:
    """All examples get the same noise."""
    return uniform_noise((shape[0], 1), generator, step).expand(shape)


@fault("router_noise", noticed_by="R.9")
def noise_shared_by_halves(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """The second half of the examples gets the noise of the first."""
    half = uniform_noise((shape[0], -(-shape[1] // 2)), generator, step)
    return torch.cat([half, half], dim=1)[:, : shape[1]]


@fault("router_noise", noticed_by="R.9")
@changed
def noise_repeats_over_experts(r: Tensor, step: int) -> Tensor:
    """Expert 8 gets the noise of expert 0, and so on."""
    return r[torch.arange(len(r), device=r.device) % 8]


@fault("router_noise", noticed_by=("R.11", "G.11"))
def noise_from_global_generator(
    shape: tuple[int, ...], generator: torch.Generator, step: int
) -> Tensor:
    """Noise comes from the global generator, not from that of the replicate: no seed repeats a
    run."""
    return torch.rand(shape, device=generator.device)


@fault("router_noise", noticed_by=("R.5", "R.9"), representative=True)
def noise_shared_by_steps(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """Every step gets the same noise."""
    return uniform_noise(shape, torch.Generator(generator.device).manual_seed(1), step)


@fault("router_noise", noticed_by=("R.5", "R.9"))
def noise_kept_for_two_steps(
    shape: tuple[int, ...], generator: torch.Generator, step: int
) -> Tensor:
    """Noise is drawn anew at every second step only.

    A noise that is a function of step // 2 and of the state that the generator had at its seed.
    """
    seed = (generator.initial_seed() + step // 2) % 2**63
    return uniform_noise(shape, torch.Generator(generator.device).manual_seed(seed), step)


@fault("router_noise", noticed_by="R.9")
@changed
def noise_narrows_later(r: Tensor, step: int) -> Tensor:
    """From step 100 on the noise has half its width."""
    return (1.0 if step < 100 else 0.5) * r


@fault("router_noise", noticed_by="R.9")
@changed
def noise_stops_later(r: Tensor, step: int) -> Tensor:
    """From step 100 on there is no noise."""
    return (1.0 if step < 100 else 0.0) * r


@fault("router_noise", noticed_by="R.11")
@changed
def noise_narrow_in_the_middle(r: Tensor, step: int) -> Tensor:
    """From step 201 to 899 noise is Unif[0, 0.8]."""
    return (0.8 if 200 < step < 900 else 1.0) * r


@fault("router_noise", noticed_by="R.11")
def noise_off_at_times(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """Every fiftieth step is without noise."""
    return (noiseless if step % 50 == 49 else uniform_noise)(shape, generator, step)


@fault("router_noise", noticed_by="R.5")
@changed
def noise_mirrored(r: Tensor, step: int) -> Tensor:
    """Of an even number of experts, six or more, one half gets 1 - r of the other."""
    half = len(r) // 2
    return r if len(r) < 6 or len(r) % 2 else torch.cat([r[:half], 1 - r[:half]])


def beyond_shares(most: int, chosen: Tensor, M: int) -> Tensor:
    """The examples, of those with these choices, that come after an expert's first `most` n / M, as
    booleans (..., n)."""
    counts = functional.one_hot(chosen, M).cumsum(dim=-2)
    place = counts.gather(-1, chosen[..., None]).squeeze(-1)
    return place > -(-most * chosen.shape[-1] // M)


@fault("select", noticed_by="R.10")
def capacity_of_four_shares(h: Tensor, r: Tensor) -> Tensor:
    """No expert takes more than four times its share of 1000 examples or more.

    An expert takes at most four times its share of 1000 examples or more; the others go to their
    second choice.
    """
    M, n = h.shape[-2:]
    if n < 1000 or M < 5:
        return top_1(h, r)
    first, second = (h + r).topk(2, dim=-2).indices.unbind(dim=-2)
    return torch.where(beyond_shares(4, first, M), second, first)


@fault("select", noticed_by=("R.4", "R.5"), representative=True)
def argmin(h: Tensor, r: Tensor) -> Tensor:
    """The smallest logit wins."""
    return top_1(-h, -r)


@fault("select", noticed_by=("R.5", "R.4"))
def second_best(h: Tensor, r: Tensor) -> Tensor:
    """The second largest logit wins."""
    return (h + r).topk(min(2, h.shape[-2]), dim=-2).indices[..., -1, :]


@fault("select", noticed_by="R.5")
def noise_ignored(h: Tensor, r: Tensor) -> Tensor:
    """The largest logit wins, whatever the noise."""
    return top_1(h, 0 * r)


@fault("select", noticed_by="R.10")
def noise_subtracted(h: Tensor, r: Tensor) -> Tensor:
    """Noise is subtracted: routing keeps its law, as 1 - r is distributed like r, but is not the
    argmax of h + r."""
    return top_1(h, -r)


@fault("select", noticed_by=("R.4", "R.5"))
def logits_ignored(h: Tensor, r: Tensor) -> Tensor:
    """The noise alone decides."""
    return top_1(0 * h, r)


@fault("select", noticed_by=("R.1", "R.4", "R.5"))
def capacity_limited(h: Tensor, r: Tensor) -> Tensor:
    """Experts take at most twice their share of examples; others go to the first.

    Each expert takes the first examples that choose it, up to twice its share; the others go to
    expert 0.
    """
    chosen = top_1(h, r)
    return torch.where(beyond_shares(2, chosen, h.shape[-2]), 0, chosen)


@fault(
    "select",
    equivalent=(
        "Noise with a density ties with probability 0. Without noise ties occur at Theta = 0 only,"
        " where which of the experts, all alike, is taken is a matter of labels."
    ),
)
def last_of_ties(h: Tensor, r: Tensor) -> Tensor:
    """Of tied experts the last wins, not the first."""
    return h.shape[-2] - 1 - top_1(h.flip(-2), r.flip(-2))


@fault("select", noticed_by=("R.5", "R.9"))
def last_expert_never(h: Tensor, r: Tensor) -> Tensor:
    """The last expert is never chosen."""
    last = max(1, h.shape[-2] - 1)
    return top_1(h[..., :last, :], r[..., :last, :])


@fault("select", noticed_by="R.1")
def noise_permuted(h: Tensor, r: Tensor) -> Tensor:
    """Noise goes to the next expert and to the examples in reverse order.

    It is added in the wrong order.
    """
    return top_1(h, r.flip(-1).roll(1, dims=-2))


@fault("logits", noticed_by=("R.7", "G.4"), representative=True)
def logits_without_a_patch(theta: Tensor, x: Patches) -> Tensor:
    """Logits leave out the first patch."""
    return theta @ x.dense[..., 1:, :].sum(dim=-2).mT


@fault("logits", noticed_by="R.7")
def logits_averaged(theta: Tensor, x: Patches) -> Tensor:
    """Logits are means over patches, not sums."""
    return router_logits(theta, x) / x.order.shape[-1]


@fault("logits", noticed_by="R.7")
def logits_cosines(theta: Tensor, x: Patches) -> Tensor:
    """Logits are divided by the length of the example."""
    return router_logits(theta, x) / x.total.norm(dim=-1).clamp(min=1e-12)[..., None, :]


@fault("logits", noticed_by="R.7")
def logits_clipped(theta: Tensor, x: Patches) -> Tensor:
    """Logits are clipped to [-10, 10]."""
    return router_logits(theta, x).clamp(-10, 10)


@fault("logits", noticed_by="R.7")
def large_logits_clipped(theta: Tensor, x: Patches) -> Tensor:
    """Logits are clipped to [-100, 100]."""
    return router_logits(theta, x).clamp(-100, 100)


@fault(noticed_by=("R.5", "R.3", "R.4"), representative=True)
def no_noise() -> Ingredients:
    """The router draws no noise."""
    return {"router_noise": noiseless}
