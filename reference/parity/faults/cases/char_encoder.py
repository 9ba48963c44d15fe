"""The character encoder: where texts are shortened, restored and pooled."""

from reference.parity.faults.case import Case, NoneKnown, Noted

CASES: dict[str, Noted] = {
    "pads_beat_negatives": Case(
        "zhiguowang/BiMPM",
        "issues/32",
        "states were multiplied by a mask, and then a maximum was taken",
        "symptom",
        "probabilities changed with the amount of padding",
    ),
    "length_plus_remainder": Case(
        "jamesmf/cclm",
        "blob/637c334008c23833d5a50c8d3b8cb17ffbb13e4d/cclm/pretrainers/"
        "masked_language_modeling.py",
        "a length had its remainder added: 5 becomes 6 where a multiple of 4 is wanted",
        "our reading",
        "our character encoder began with that model",
    ),
    "short_length_rounded_down": Case(
        "espnet/espnet",
        "pull/632",
        "lengths after subsampling were divided without rounding up",
        "unsaid",
        "the correction is one formula long",
    ),
    "pads_convolved": Case(
        "pytorch/audio",
        "issues/4205",
        "a Conformer masks its attention, and its convolution reads the padding",
        "symptom",
        "an utterance came out differently with longer ones in its batch",
    ),
    "pads_attended": Case(
        "OpenNMT/OpenNMT-py",
        "pull/2532",
        "padding was masked in the first step of decoding, and not in those after it",
        "symptom",
        "outputs were worse in batches of unequal texts",
    ),
    "strides_from_the_edge": Case(
        "openvinotoolkit/openvino",
        "pull/6943",
        "an optimiser moved a stride to another layer, whose padding changed with it, and the "
        "windows began elsewhere",
        "unsaid",
        "the ticket is not public",
    ),
    "neighbours_interleaved": Case(
        "keras-team/keras",
        "pull/9696",
        "a flattened image had its channels in another order in use than in training",
        "symptom",
        "predictions differed from those of the training",
    ),
    "windows_one_off": Case(
        "mead-ml/mead-baseline",
        "pull/687",
        "even windows had their odd position on the other side in PyTorch than in TensorFlow",
        "comparison",
        "a model trained in one was converted, and its activations compared",
    ),
    "transposed_backwards": NoneKnown(
        "frameworks differ in whether the kernel is to be flipped, which is asked about often"
    ),
    "hashes_without_one": NoneKnown("seeded because it shows in a single character"),
    "one_hash_for_all": Case(
        "barrust/pyprobables",
        "issues/62",
        "each hash was the seed of the next, so two words that share the first share all",
        "reading",
        "a user had compared the first hash with the standard's, and read on",
    ),
    "char_encoder_base_ignored": Case(
        "lyogavin/airllm",
        "pull/369",
        "all settings but RoPE's base were copied, and an old default took its place",
        "symptom",
        "short prompts were fine, and long ones fell apart",
    ),
}
