"""Layers: activations, norms, dense layers."""

from reference.parity.faults.case import Case, Noted

CASES: dict[str, Noted] = {
    "tanh_gelu": Case(
        "huggingface/text-embeddings-inference",
        "pull/753",
        "every GELU is read as the tanh approximation, whatever the configuration says",
        "choice",
        "the library for GPUs has no other, and all devices should agree",
    ),
    "hard_coded_activation": Case(
        "huggingface/candle",
        "issues/3745",
        "a quantised Gemma 3 has SiLU written into it, where GELU is meant",
        "reading",
        "the same repository has an unquantised Gemma 3, and it disagreed",
    ),
    "modernbert_tanh_gelu": Case(
        "Blaizzy/mlx-embeddings",
        "issues/81",
        "GELU with approx='precise' is, in MLX, the tanh approximation",
        "reading",
        "the reporter adds that 4.7e-4 at most is probably why nobody had noticed",
    ),
    "modernbert_hard_coded_activation": Case(
        "huggingface/candle",
        "pull/3991",
        "a checkpoint that asks for SiLU loads, and is computed with GELU",
        "comparison",
        "on 13 texts the cosines to the model's ONNX export were 0.78 to 0.88",
    ),
    "gate_activated": Case(
        "ml-explore/mlx-lm",
        "pull/767",
        "two arguments of SwiGLU changed places, and one of the callers was not told",
        "unsaid",
        "both have one shape, and the thread says no more",
    ),
    "wrong_epsilon": Case(
        "keras-team/keras-hub",
        "issues/642",
        "BERT's epsilon was passed to the norm of the embeddings, and not to the layers",
        "reading",
        "the published configuration says 1e-12, and the layers' default is 1e-5",
    ),
    "epsilon_outside_the_root": Case(
        "tracel-ai/burn",
        "issues/2185",
        "the layer norm of a framework divided by √variance + ε",
        "reading",
        "a user read PyTorch's documentation and its kernel too",
    ),
    "norm_taken_for_identity": Case(
        "huggingface/transformers",
        "issues/29554",
        "the loader renamed every key with gamma in it, for old layer norms' sake, and a "
        "parameter of that name stayed as it was initialised",
        "symptom",
        "one of those it hit had suspected the training for two days",
    ),
    "weight_not_transposed": Case(
        "huggingface/transformers",
        "issues/47031",
        "a conversion transposes a weight when its shape is wrong, and a square one never is",
        "reading",
        "no published checkpoint is square there yet; a test's small configuration easily is",
    ),
    "bias_left_out": Case(
        "tenstorrent/tt-metal",
        "issues/5237",
        "a linear layer gave the same output with a bias and without one",
        "symptom",
        "a customer ran it both ways",
    ),
}
