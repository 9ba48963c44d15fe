"""Training: steps, optimizers, rates and dropout."""

from reference.parity.faults.case import Case, Noted

CASES: dict[str, Noted] = {
    "mean_of_means": Case(
        "meta-pytorch/torchtune",
        "pull/1875",
        "each batch of a group counted the same, as in most training loops of the time",
        "comparison",
        "loss curves with accumulation and without it did not meet, and now do",
    ),
    "last_batch_only": Case(
        "tatsu-lab/alpaca_farm",
        "issues/57",
        "gradients were set to zero before each batch of a group",
        "reading",
        "a reader suspected it; models from before and after the mistake did equally well",
    ),
    "clipping_before_unscaling": Case(
        "rwth-i6/returnn",
        "pull/1595",
        "gradients were clipped, and given noise, while a scale for float16 was still on them",
        "reading",
        "PyTorch's documentation says to unscale first",
    ),
    "dropped_last_group": Case(
        "tracel-ai/burn",
        "issues/5695",
        "batches that did not fill a group never moved the weights",
        "reading",
        "a user read three training loops, and wrote a test that shows it",
    ),
    "decay_on_norms": Case(
        "huggingface/transformers",
        "issues/4360",
        "in TensorFlow the pattern that spares layer norms matched none of them",
        "reading",
        "a user printed what it matched",
    ),
    "no_decay": Case(
        "fastai/fastai2",
        "issues/246",
        "a list that began with the decay was replaced where it should have been added to",
        "symptom",
        "a user turned the decay up, and nothing changed",
    ),
    "no_bias_correction": Case(
        "ml-explore/mlx",
        "pull/1640",
        "MLX's Adam had no bias correction; now it has one that must be asked for",
        "comparison",
        "a model learned a trivial task in PyTorch, and not in MLX",
    ),
    "corrections_in_float32": Case(
        "tenstorrent/tt-metal",
        "issues/55935",
        "coefficients of Adam were kept in bfloat16, where 0.999 and 0.9999 are not what they "
        "were",
        "reading",
        "its tests asked for a high correlation, which a wrong coefficient has too",
    ),
    "epsilon_inside_the_root": Case(
        "FluxML/Flux.jl",
        "pull/448",
        "Adam's epsilon was under the root",
        "reading",
        "a reader compared it with the paper and with PyTorch",
    ),
    "warm_up_off_by_one": Case(
        "verl-project/verl",
        "issues/3674",
        "with a warm-up the first step had the rate 0",
        "reading",
        "a user saw the order of two calls, and did not know what to expect",
    ),
    "dropout_left_on": Case(
        "ipolharvard/ethos-ares",
        "issues/20",
        "a model was evaluated for a paper while it still dropped",
        "reading",
        "a reader looked for a call of eval() and found none",
    ),
    "dropout_without_scaling": Case(
        "kaldi-asr/kaldi",
        "pull/2815",
        "what was kept was scaled by one over the share that is dropped, and not of that kept",
        "symptom",
        "training broke down when little was dropped; at one half the two are the same",
    ),
    "dropout_always_the_same": Case(
        "elixir-nx/axon",
        "issues/423",
        "keys for the draws were made when the model was compiled, and every step had the same",
        "reading",
        "the maintainer noticed",
    ),
}
