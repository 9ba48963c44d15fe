"""Attention: masks, scales, windows and packed rows."""

from reference.parity.faults.case import Case, Noted

CASES: dict[str, Noted] = {
    "mask_dropped": Case(
        "explosion/spacy-transformers",
        "pull/136",
        "padding was attended to, so a text's vectors depended on the rest of its batch",
        "symptom",
        "two users had reported that results changed with the batch",
    ),
    "scale_missing": Case(
        "mlc-ai/mlc-llm",
        "pull/3426",
        "one of several paths through attention had the scale 1; the decoders took another",
        "comparison",
        "a BERT for embeddings had a mean cosine of 0.862 to Transformers, and 0.999989 after",
    ),
    "scale_of_the_hidden_size": Case(
        "karpathy/ng-video-lecture",
        "pull/6",
        "a lecture's attention was scaled by the number of input channels, not the head's",
        "reading",
        "a reader sent the correction, and the author agreed",
    ),
    "mask_by_multiplying": Case(
        "cerebroai/reformers",
        "issues/3",
        "one minus the mask was multiplied with minus infinity",
        "NaN",
        "zero times infinity is no number, so nobody could miss it",
    ),
    "mask_overflow": Case(
        "google/flax",
        "issues/982",
        "attention with a mask was fine in float32 and in bfloat16, and not in float16",
        "NaN",
        "a user tried the three in turn",
    ),
    "packed_texts_leak": Case(
        "unslothai/unsloth",
        "issues/1207",
        "examples that were packed into one row could see one another",
        "symptom",
        "a model trained on packed rows did badly, and its trainer asked whether they leak",
    ),
    "wrong_head_count": Case(
        "huggingface/diffusers",
        "issues/2011",
        "a setting named for the width of a head was passed on as the number of heads",
        "reading",
        "a maintainer printed what came of it",
    ),
    "window_off_by_one": Case(
        "zml/zml",
        "pull/763",
        "FlashAttention's window does not count the token itself, and was told that it does",
        "reading",
        "a reviewer wondered why no test broke: they only covered attention without a window",
    ),
    "window_taken_for_one_side": Case(
        "huggingface/transformers",
        "issues/39408",
        "the width of the window was passed to FlashAttention for each of the two sides",
        "reading",
        "a user compared the call with FlashAttention's documentation",
    ),
    "window_ignored": Case(
        "vllm-project/semantic-router",
        "issues/3406",
        "a ModernBERT's path through FlashAttention was handed the window and dropped it, in "
        "two layers of three",
        "reading",
        "the call succeeds, and what it returns is plausible",
    ),
    "windows_forget_the_mask": Case(
        "NVIDIA/Megatron-LM",
        "issues/7039",
        "layers with a window overwrote the mask that they were given, padding's or packing's",
        "reading",
        "met while fine-tuning a model of mostly such layers; nothing had raised",
    ),
}
