"""Faults of core that no ingredient can express: of the gradients, the evaluation, the replicates,
the patches and what is measured."""

from theory_checks.faults.fault import core_edit

# Gradients: training.py and products.py


@core_edit("gradients", "training.py", noticed_by=("G.3", "G.11", "R.6"))
def expert_gradient_without_gate() -> tuple[str, str]:
    """The gradient in W lacks the factor pi."""
    return "signed * pi_value", "signed"


@core_edit("gradients", "training.py", noticed_by=("G.3", "G.11", "R.6"))
def gate_of_the_first_expert() -> tuple[str, str]:
    """Every example is weighted with the gate of expert 0."""
    return "routed.unsqueeze(-2)", "torch.zeros_like(routed).unsqueeze(-2)"


@core_edit("gradients", "training.py", noticed_by=("G.3", "G.11", "R.6"))
def gate_of_the_likeliest_expert() -> tuple[str, str]:
    """Every example is weighted with its largest gate, which router noise may not have chosen."""
    return (
        "subject.gate(h).gather(-2, routed.unsqueeze(-2)).squeeze(-2)",
        "subject.gate(h).amax(dim=-2)",
    )


@core_edit("gradients", "training.py", noticed_by="G.3")
def slope_at_the_ungated_margin() -> tuple[str, str]:
    """The slope of the loss is taken at y f, not at y pi f."""
    return (
        "loss_slope(subject.loss, y * pi_value * f_value)",
        "loss_slope(subject.loss, y * f_value)",
    )


@core_edit("gradients", "training.py", noticed_by="G.3")
def router_gradient_of_the_noise_free_winner() -> tuple[str, str]:
    """The gradient in theta is that of the gate of the expert that would win without noise."""
    return (
        "(weight * pi).sum()",
        "(weight * routed_gate(subject, h, subject.select(h.detach(), torch.zeros_like(h)))).sum()",
    )


@core_edit("gradients", "training.py", noticed_by=("G.3", "R.5", "R.6", "G.11"))
def training_routes_without_noise() -> tuple[str, str]:
    """Training sends examples to the argmax of the logits, whatever the noise."""
    return "subject.select(h.detach(), r)", "subject.select(h.detach(), torch.zeros_like(r))"


@core_edit("gradients", "training.py", noticed_by=("G.3", "R.6"))
def gradient_of_the_sum_of_losses() -> tuple[str, str]:
    """L is the sum of the losses, not their mean, which only the router's step shows."""
    return "sign * y / y.shape[-1]", "sign * y"


@core_edit("gradients", "training.py", noticed_by=("G.3", "R.6"))
def router_gradient_without_sign_of_f() -> tuple[str, str]:
    """The gradient in theta has the factor |f| instead of f."""
    return "signed * f_value.sign()", "signed"


@core_edit("gradients", "training.py", noticed_by="G.11")
def gradients_scaled_by_the_largest_of_all_experts() -> tuple[str, str]:
    """The slopes of an expert are divided by the largest of all experts, below which those of an
    expert that has fitted its examples vanish."""
    return (
        "log_pull.new_full((R, M), -torch.inf).scatter_reduce_(1, routed, log_pull, 'amax')",
        "log_pull.amax(dim=-1, keepdim=True).expand(R, M)",
    )


@core_edit("gradients", "training.py", noticed_by=("G.2", "G.11"))
def gradients_not_scaled() -> tuple[str, str]:
    """The slopes of an expert are not divided by the largest one, so that small gradients
    underflow."""
    return "_relative(log_pull, log_of_expert.gather(1, routed))", "log_pull.exp()"


@core_edit("gradients", "training.py", noticed_by="G.3")
def small_slopes_raised() -> tuple[str, str]:
    """Contributions below eps^(1/4) of the largest one are raised to that."""
    return "torch.finfo(log_pull.dtype).eps ** 3", "torch.finfo(log_pull.dtype).eps ** 0.25"


@core_edit("gradients", "training.py", noticed_by=("G.3", "R.6"))
def router_is_not_differentiated() -> tuple[str, str]:
    """Autograd does not see that the logits depend on theta, so the router never learns."""
    return "h = subject.logits(theta, x)", "h = subject.logits(theta.detach(), x)"


@core_edit("gradients", "training.py", noticed_by="G.3")
def router_follows_the_moved_experts() -> tuple[str, str]:
    """The router's gradient is taken after the experts have moved."""
    return (
        "subject.router_update(parameters.theta, grad_theta, hyper.eta_r, router_state)",
        "subject.router_update(parameters.theta,"
        " gradients(subject, Parameters(parameters.theta, W), x, y, noise(t))[1],"
        " hyper.eta_r, router_state)",
    )


@core_edit("gradients", "training.py", noticed_by=("G.3", "G.9"))
def descent_with_the_gradients_at_the_start() -> tuple[str, str]:
    """Every step uses the gradients at the initial parameters."""
    return (
        "gradients(subject, parameters, x, y, noise(t))",
        "gradients(subject, start, x, y, noise(t))",
    )


@core_edit("gradients", "training.py", noticed_by=("G.3", "G.9"))
def descent_with_the_noise_of_step_0() -> tuple[str, str]:
    """Every step routes with the noise of step 0."""
    return "noise(t)", "noise(0)"


@core_edit("gradients", "training.py", noticed_by=("G.2", "G.3"))
def experts_at_the_rate_of_the_router() -> tuple[str, str]:
    """The experts' update is given eta_r."""
    return "hyper.eta", "hyper.eta_r"


@core_edit("gradients", "products.py", noticed_by="G.3")
def amplitudes_missing_from_the_gradient() -> tuple[str, str]:
    """The gradient through a patch along a signal lacks its amplitude."""
    return (
        "self.x.multiple * weight[..., None]",
        "weight[..., None].expand_as(self.x.multiple)",
    )


@core_edit("gradients", "products.py", noticed_by="G.3")
def random_noise_missing_from_the_gradient() -> tuple[str, str]:
    """The gradient in W lacks what random-noise patches add."""
    return (
        "grad_W.index_add_(0, self.owner, table[cells:].view(-1, TILE, J).mT.bmm(self.noise))",
        "grad_W",
    )


@core_edit("gradients", "products.py", noticed_by="G.3")
def tiles_overwrite_the_gradient() -> tuple[str, str]:
    """Each tile of random-noise patches overwrites the gradient of its expert, instead of adding
    to it."""
    return (
        "grad_W.index_add_(0, self.owner, table[cells:].view(-1, TILE, J).mT.bmm(self.noise))",
        "grad_W.index_copy_(0, self.owner, table[cells:].view(-1, TILE, J).mT.bmm(self.noise))",
    )


@core_edit("gradients", "products.py", noticed_by="G.3")
def amplitudes_missing_from_pre_activations() -> tuple[str, str]:
    """The inner product of a patch along a signal lacks its amplitude."""
    return (
        "_weighted_sums(table, self.row, each, self.x.multiple.flatten())",
        "_weighted_sums(table, self.row, each, torch.ones_like(self.x.multiple).flatten())",
    )


@core_edit("gradients", "products.py", noticed_by="G.3")
def random_noise_of_other_patches() -> tuple[str, str]:
    """Experts get the random-noise patches of other examples than those routed to them."""
    return (
        "x.vector.flatten().index_select(0, others)",
        "x.vector.flatten().index_select(0, others.sort().values)",
    )


# Replicates, side by side and one after the other: training.py, seeds.py, data.py


@core_edit("replicates", "training.py", noticed_by="G.11")
def replicates_share_a_noise_generator() -> tuple[str, str]:
    """The router noise of all replicates comes from the generator of the first."""
    return (
        "[subject.router_noise((hyper.M, hyper.n), g, t) for g in generators]",
        "[subject.router_noise((hyper.M, hyper.n), generators[0], t) for g in generators]",
    )


@core_edit("replicates", "training.py", noticed_by="G.11")
def experts_doubled_after_they_are_drawn() -> tuple[str, str]:
    """Training starts from 2 W^(0)."""
    return (
        "Parameters(theta.to(dtype), W.to(dtype))",
        "Parameters(theta.to(dtype), 2 * W.to(dtype))",
    )


@core_edit("replicates", "training.py", noticed_by="G.11")
def examples_of_other_signals() -> tuple[str, str]:
    """The examples of a replicate are drawn with features and centres swapped."""
    return (
        "subject.draw_examples(problem, signals, hyper.n, generator)",
        "subject.draw_examples(problem, Signals(signals.centres, signals.features), hyper.n,"
        " generator)",
    )


@core_edit("seeds", "training.py", noticed_by="R.5")
def one_seed_of_noise_for_all_replicates() -> tuple[str, str]:
    """The router noise of every replicate has the same seed."""
    return "child(seed, 1)", "np.random.SeedSequence(1)"


@core_edit("seeds", "training.py", noticed_by="D.8")
def router_noise_from_the_stream_of_the_data() -> tuple[str, str]:
    """The router noise of a replicate comes from the same random numbers as its signals and
    examples."""
    return "child(seed, 1)", "child(seed, 0)"


@core_edit("replicates", "data.py", noticed_by="G.10")
def replicates_share_signals() -> tuple[str, str]:
    """Patches of every replicate lie along the signals of the first."""
    return "self.which + dictionaries.shape[-1] * self.replicate", "self.which"


@core_edit("replicates", "data.py", noticed_by="G.10")
def replicates_share_experts() -> tuple[str, str]:
    """Random-noise patches of every replicate go to the experts of the first."""
    return (
        "self.vector.minimum(self.replicate + self.dictionary[..., 0].numel())",
        "self.vector.clamp(max=self.dictionary[..., 0].numel())",
    )


@core_edit("replicates", "training.py", noticed_by="G.10")
def stacked_replicates_are_copies() -> tuple[str, str]:
    """Records that are stacked are all the first one."""
    return "torch.stack(tensors)", "torch.stack([tensors[0]] * len(tensors))"


@core_edit("replicates", "training.py", noticed_by="G.10")
def every_chunk_has_the_first_replicates() -> tuple[str, str]:
    """Of replicates that are trained in several chunks, each chunk has the first ones."""
    return (
        "items[len(items) * i // chunks : len(items) * (i + 1) // chunks]",
        "items[: len(items) * (i + 1) // chunks - len(items) * i // chunks]",
    )


@core_edit("replicates", "training.py", noticed_by="G.10")
def chunks_of_theta_in_reverse() -> tuple[str, str]:
    """Theta of the last chunk is returned as that of the first replicates."""
    return (
        "torch.cat([p.theta for p in parts])",
        "torch.cat([p.theta for p in reversed(parts)])",
    )


@core_edit("replicates", "training.py", noticed_by="L.1", representative=True)
def trajectory_returns_the_last_experts() -> tuple[str, str]:
    """Whatever step is asked for, the experts of the last step are returned."""
    return "self.W[:, s]", "self.W[:, -1]"


@core_edit("seeds", "seeds.py", noticed_by="R.5")
def seeds_forget_their_parents() -> tuple[str, str]:
    """Seeds below different seeds of a run are the same."""
    return "(*seed.spawn_key, *path)", "path"


@core_edit("seeds", "seeds.py", noticed_by=("D.3", "D.6", "I.4", "R.9", "R.11"))
def state_of_8_words() -> tuple[str, str]:
    """The state of a generator repeats the same 8 words."""
    return (
        "seed.generate_state(MT_WORDS, np.uint32)",
        "np.resize(seed.generate_state(8, np.uint32), MT_WORDS)",
    )


@core_edit("seeds", "seeds.py", noticed_by="D.8")
def as_few_as_256_streams() -> tuple[str, str]:
    """There are 256 streams of random numbers."""
    return (
        "seed.generate_state(MT_WORDS, np.uint32)",
        "np.random.SeedSequence(int(seed.generate_state(1)[0]) % 256).generate_state("
        "MT_WORDS, np.uint32)",
    )


# Evaluation and stages: training.py, measures.py, updates.py


@core_edit(
    "evaluation",
    "training.py",
    noticed_by=("R.12", "N.1", "N.2", "A.3", "A.4"),
    representative=True,
)
def evaluation_by_the_last_choice() -> tuple[str, str]:
    """Outside training an example goes to the expert with the smallest logit."""
    return "subject.select(h, torch.zeros_like(h))", "subject.select(-h, torch.zeros_like(h))"


@core_edit(
    "evaluation", "training.py", noticed_by=("R.12", "N.1", "N.2", "A.3"), representative=True
)
def evaluation_routes_the_batch() -> tuple[str, str]:
    """Outside training all examples go to the expert with the largest mean logit."""
    return (
        "subject.select(h, torch.zeros_like(h))",
        "subject.select(h.mean(dim=-1, keepdim=True).expand_as(h), torch.zeros_like(h))",
    )


@core_edit("evaluation", "training.py", noticed_by=("R.12", "N.1", "N.2"), representative=True)
def margin_without_label() -> tuple[str, str]:
    """The margin is F(x), not y F(x)."""
    return "y * routed_gate(subject, h, routed)", "routed_gate(subject, h, routed)"


@core_edit("evaluation", "training.py", noticed_by="R.12")
def evaluation_without_gate() -> tuple[str, str]:
    """Outside training the layer returns f_m, without the factor pi_m."""
    return "y * routed_gate(subject, h, routed) * f", "y * f"


@core_edit("evaluation", "training.py", noticed_by="R.12")
def evaluation_with_noise() -> tuple[str, str]:
    """Outside training examples are routed with noise, too."""
    return "subject.select(h, torch.zeros_like(h))", "subject.select(h, torch.rand_like(h))"


@core_edit("evaluation", "training.py", noticed_by=("G.11", "C.6"), representative=True)
def training_error_is_always_0() -> tuple[str, str]:
    """A training example counts as an error only if its margin is 0."""
    return (
        "margins(subject, parameters, x, y)[0]",
        "margins(subject, parameters, x, y)[0].abs()",
    )


@core_edit("evaluation", "training.py", noticed_by="G.11")
def training_error_of_all_replicates() -> tuple[str, str]:
    """The training error of every replicate is the mean over all of them."""
    return (
        "is_error(margins(subject, parameters, x, y)[0]).float().mean(dim=-1)",
        "is_error(margins(subject, parameters, x, y)[0]).float().mean().expand(len(y))",
    )


@core_edit("evaluation", "training.py", noticed_by="G.11")
def every_look_is_at_step_0() -> tuple[str, str]:
    """The training error is reported as that of step 0, whatever the step."""
    return "looked_at.append(t)", "looked_at.append(0)"


@core_edit("evaluation", "training.py", noticed_by="G.11")
def looks_a_step_late() -> tuple[str, str]:
    """The training error is measured a step after every tenth."""
    return "t % plan.look_every == 0", "t % plan.look_every == 1"


@core_edit("evaluation", "training.py", noticed_by="G.11")
def watched_a_step_late() -> tuple[str, str]:
    """What is watched begins at step 1 and ends a step later."""
    return "t <= plan.watch_until", "0 < t <= plan.watch_until + 1"


@core_edit("replicates", "training.py", noticed_by="G.11")
def no_initialisation_is_rejected() -> tuple[str, str]:
    """The condition on the initialisation is asked, but never heard."""
    return "not accept(exact, W)", "not (accept(exact, W) or True)"


@core_edit("replicates", "training.py", noticed_by="G.11")
def rejected_initialisations_are_not_counted() -> tuple[str, str]:
    """Every replicate is said to have needed one initialisation."""
    return (
        "tuple(r.initialisations for r in replicates)",
        "tuple(1 for _ in replicates)",
    )


@core_edit("evaluation", "measures.py", noticed_by="S.3")
def a_margin_of_0_is_no_error() -> tuple[str, str]:
    """An error is yF < 0."""
    return "~(margin > 0)", "margin < 0"


@core_edit("stages", "updates.py", noticed_by=("G.11", "E.2", "A.5"), representative=True)
def exploration_twice_as_long() -> tuple[str, str]:
    """T_1 is 2 sigma_0^(1/2) / eta."""
    return "self.sigma_0**0.5 / self.eta", "2 * self.sigma_0**0.5 / self.eta"


@core_edit("stages", "updates.py", noticed_by="G.11")
def exploration_as_long_as_a_linear_one() -> tuple[str, str]:
    """T_1 is sigma_0 / eta."""
    return "self.sigma_0**0.5 / self.eta", "self.sigma_0 / self.eta"


@core_edit("stages", "updates.py", noticed_by="G.11")
def exploration_ends_a_step_late() -> tuple[str, str]:
    """T_1 is rounded up."""
    return "int(self.sigma_0**0.5 / self.eta)", "-int(-(self.sigma_0**0.5) // self.eta)"


# Patches and laws: data.py


@core_edit("patches", "data.py", noticed_by=("R.7", "G.3"))
def sum_of_patches_without_noise() -> tuple[str, str]:
    """The sum of an example's patches lacks the random-noise patches."""
    return "along.add_(self.noise.sum(dim=-2).mT)", "along"


@core_edit(
    "patches",
    "data.py",
    equivalent="The three signals of an example are different vectors, so nothing is overwritten.",
)
def pieces_overwrite_in_the_sum_of_patches() -> tuple[str, str]:
    """In the sum of patches, of several pieces along one signal only one counts."""
    return (
        "coordinates.scatter_add_(-1, self.which, self.coefficient)",
        "coordinates.scatter_(-1, self.which, self.coefficient)",
    )


@core_edit("patches", "data.py", noticed_by=("D.5", "R.7", "G.3"))
def amplitudes_of_other_patches() -> tuple[str, str]:
    """The amplitudes are in the order of the pieces, not of the patches."""
    return (
        "torch.cat([self.coefficient, ones], dim=-1).gather(-1, self.order)",
        "torch.cat([self.coefficient, ones], dim=-1)",
    )


@core_edit("patches", "data.py", noticed_by=("D.5", "R.7", "G.3"))
def patches_without_amplitude() -> tuple[str, str]:
    """Patches as vectors lack their amplitudes."""
    return "patches.mul_(self.multiple[..., None])", "patches"


@core_edit("patches", "data.py", noticed_by=("D.5", "S.1"))
def positions_not_inverted() -> tuple[str, str]:
    """The position of a piece is read off the order instead of its inverse."""
    return "self.order.argsort(dim=-1)", "self.order"


@core_edit("patches", "data.py", noticed_by="D.2")
def distribution_function_below_an_atom() -> tuple[str, str]:
    """The distribution function of a discrete law is P(A < a), not P(A <= a)."""
    return (
        "np.searchsorted(np.asarray(self.values), np.asarray(amplitude), side='right')",
        "np.searchsorted(np.asarray(self.values), np.asarray(amplitude), side='left')",
    )


@core_edit("patches", "data.py", noticed_by="D.2")
def quantiles_of_another_law() -> tuple[str, str]:
    """Draws of a uniform law favour small amplitudes."""
    return "(self.high - self.low) * u", "(self.high - self.low) * u**1.2"


@core_edit("patches", "data.py", noticed_by="S.1")
def chosen_examples_keep_the_labels_of_others() -> tuple[str, str]:
    """Examples that are picked out get the first labels, not their own."""
    return (
        "getattr(self, f.name)[chosen]",
        "self.y[: len(self.k[chosen])] if f.name == 'y' else getattr(self, f.name)[chosen]",
    )


# What is measured: measures.py, routing.py


@core_edit("routing probabilities", "routing.py", noticed_by=("R.1", "R.4"))
def too_few_nodes() -> tuple[str, str]:
    """The integral of p_m is computed with one node too few where M is odd."""
    return "(M + 1) // 2", "max(1, M // 2)"


@core_edit("routing probabilities", "routing.py", noticed_by=("R.1", "R.4"))
def probability_above_1() -> tuple[str, str]:
    """P(r < u) is not capped at 1."""
    return (
        "(u - h[..., m, None, None]).clamp(max=1)",
        "u - h[..., m, None, None]",
    )


@core_edit("routing probabilities", "routing.py", noticed_by=("R.1", "R.4"))
def winner_above_its_noise() -> tuple[str, str]:
    """The integral of p_m goes beyond h_m + 1, which expert m cannot reach."""
    return (
        "torch.where(u < h[..., m, None, None] + 1, all_below / below(m), 0)",
        "all_below / below(m)",
    )


@core_edit("measures", "measures.py", noticed_by=("I.6", "I.2"))
def gap_of_absolute_values() -> tuple[str, str]:
    """The cluster gap is that of max_j |a_mjk|."""
    return "a.amax(dim=-2).topk(2, dim=-1)", "a.abs().amax(dim=-2).topk(2, dim=-1)"


@core_edit("measures", "measures.py", noticed_by=("I.6", "I.2"))
def gap_of_filters() -> tuple[str, str]:
    """The cluster gap is the ratio of the two largest entries, also within a cluster."""
    return "a.amax(dim=-2).topk(2, dim=-1)", "a.flatten(-2).topk(2, dim=-1)"


@core_edit("measures", "measures.py", noticed_by=("I.6", "I.2"))
def gap_to_a_negative_score() -> tuple[str, str]:
    """The cluster gap is the ratio of two scores also where the second is negative."""
    return "torch.where(second > 0, largest / second, torch.inf)", "largest / second"


@core_edit("measures", "measures.py", noticed_by=("I.6", "I.1"))
def some_group_occupied() -> tuple[str, str]:
    """E_init is said to hold as soon as one group is not empty."""
    return (
        "torch.nn.functional.one_hot(groups(a), a.shape[-1]).sum(dim=-2).gt(0).all(dim=-1)",
        "torch.nn.functional.one_hot(groups(a), a.shape[-1]).sum(dim=-2).gt(0).any(dim=-1)",
    )


@core_edit("measures", "measures.py", noticed_by=("I.6", "X.2"), representative=True)
def groups_by_absolute_values() -> tuple[str, str]:
    """The group of an expert is that of its largest |a_mjk|."""
    return (
        "a.amax(dim=-2).argmax(dim=-1)",
        "a.abs().amax(dim=-2).argmax(dim=-1)",
    )


@core_edit("measures", "measures.py", noticed_by=("I.6", "A.4", "L.2"), representative=True)
def entropy_of_idle_experts() -> tuple[str, str]:
    """The dispatch entropy is the mean over experts, whatever share of the examples they get."""
    return "(share * entropy).sum(dim=-1)", "entropy.mean(dim=-1)"


@core_edit("measures", "measures.py", noticed_by=("I.6", "A.4", "N.3"), representative=True)
def dispatch_counts_in_another_order() -> tuple[str, str]:
    """The table of experts and clusters is filled along the other axis."""
    return "routed * K + k", "k * M + routed"


@core_edit("measures", "measures.py", noticed_by=("I.6", "A.1", "A.2", "A.5"), representative=True)
def alignments_of_the_router_swapped() -> tuple[str, str]:
    """The router's alignment with features is taken for that with centres, and vice versa."""
    return (
        "return theta @ signals.features.mT, theta @ signals.centres.mT",
        "return theta @ signals.centres.mT, theta @ signals.features.mT",
    )


@core_edit("measures", "measures.py", noticed_by=("I.6", "E.3", "E.4", "E.6"), representative=True)
def experts_aligned_with_centres() -> tuple[str, str]:
    """a_mjk is the alignment with the cluster's centre, not with its feature."""
    return "signals.features[..., None, :, :].mT", "signals.centres[..., None, :, :].mT"


@core_edit("measures", "measures.py", noticed_by="I.6")
def groups_by_the_sum_over_filters() -> tuple[str, str]:
    """The group of an expert is that of its largest sum over j of a_mjk."""
    return "a.amax(dim=-2).argmax(dim=-1)", "a.sum(dim=-2).argmax(dim=-1)"


@core_edit("measures", "measures.py", noticed_by="I.6")
def gap_of_excluded_experts() -> tuple[str, str]:
    """An expert without a positive score has an infinite gap instead of none."""
    return "torch.where(largest > 0, gap, torch.nan)", "gap"


@core_edit("measures", "measures.py", noticed_by="I.6")
def entropy_in_bits() -> tuple[str, str]:
    """The dispatch entropy is in bits."""
    return (
        "torch.special.entr(mix).sum(dim=-1)",
        "torch.special.entr(mix).sum(dim=-1) / torch.tensor(2.0).log()",
    )


@core_edit("measures", "measures.py", noticed_by="I.6")
def errors_among_all_examples() -> tuple[str, str]:
    """The error on a cluster is a share of all examples, not of the cluster's."""
    return "member.sum(dim=-2)", "member.shape[-2]"
