"""The RoPE encoder: positions, norms, pooling, temperature."""

from reference.parity.faults.case import Case, NoneKnown, Noted

CASES: dict[str, Noted] = {
    "rope_encoder_interleaved": Case(
        "NeuraLegion/shainet",
        "pull/111",
        "a Llama port turned neighbouring features",
        "symptom",
        "the first words made sense and the others did not: at position 0 nothing is turned",
    ),
    "rope_on_the_embeddings": NoneKnown(
        "seeded because it looks like the absolute positions that it is not"
    ),
    "rope_encoder_without_positions": Case(
        "mlfoundations/open_lm",
        "issues/4",
        "each head was turned by its own number, and no token by its position",
        "reading",
        "a reader saw the wrong axis, and trained both to show it",
    ),
    "rope_encoder_base_ignored": Case(
        "karpathy/llama2.c",
        "issues/356",
        "the base is written into the program, and Code Llama has another",
        "symptom",
        "the model closed more parentheses than it had opened",
    ),
    "rope_encoder_pads_in_the_mean": Case(
        "autoliuweijie/BERT-whitening-pytorch",
        "issues/13",
        "the mean of a sentence's tokens was taken over padding too",
        "reading",
        "a reader asked; somebody else then measured the difference",
    ),
    "rope_encoder_not_normalized": Case(
        "jina-ai/clip-as-service",
        "pull/265",
        "a search ranked by dot products of vectors that have all lengths",
        "symptom",
        "what it found was bad to look at",
    ),
    "temperature_before_normalizing": NoneKnown(
        "seeded because nothing that it does can be seen, in a loss or in a vector"
    ),
    "temperature_multiplied": Case(
        "bowang-lab/BLEEP",
        "issues/5",
        "logits were divided by the temperature, and the targets' similarities multiplied",
        "reading",
        "a reader asked; in every experiment it had been 1",
    ),
    "temperature_not_loaded": Case(
        "facebookresearch/dinov2",
        "issues/548",
        "the released weights lack the temperature, which stays where training began",
        "reading",
        "a user noticed how round the number was",
    ),
    "rope_encoder_norm_behind": Case(
        "Howuhh/faster-trajectory-transformer",
        "issues/3",
        "the residual was taken after the norm and not before it",
        "reading",
        "the author saw it, with trained checkpoints already published",
    ),
    "rope_encoder_untied_decoder": Case(
        "huggingface/transformers",
        "pull/43429",
        "a model's parts asked for tied weights, its whole did not, and the decoder was drawn",
        "symptom",
        "it wrote gibberish",
    ),
}
