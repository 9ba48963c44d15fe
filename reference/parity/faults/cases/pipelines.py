"""Pipelines: what is made of a model's output."""

from reference.parity.faults.case import Case, Noted

ZERO_SHOT = "blob/09ae60c/tests/inference_examples/zero_shot.py"

CASES: dict[str, Noted] = {
    "pooling_ignored": Case(
        "Blaizzy/mlx-embeddings",
        "pull/63",
        "the mean was written into two ports, whatever the model had been trained with",
        "comparison",
        "the shape was right, and the values were not those of sentence-transformers",
    ),
    "dense_left_out": Case(
        "plur-ai/plur",
        "issues/483",
        "a model has two dense layers after its pooling, and the plain mean was taken",
        "comparison",
        "the cosine to what the model's own graph returns was near 0; a benchmark was void",
    ),
    "prompt_forgotten": Case(
        "rtk-ai/icm",
        "issues/266",
        "an E5 was given texts without its query: and passage:",
        "reading",
        "a user read the model card; with both, all 12 of 12 answers were among the first "
        "five, and not 10",
    ),
    "unit_before_the_cut": Case(
        "vllm-project/semantic-router",
        "pull/2145",
        "one of several paths cut vectors and took their dot products for cosines",
        "reading",
        "the repository's other paths scale again after the cut",
    ),
    "pad_for_the_last_token": Case(
        "xiezijun714-lang/Echo",
        "pull/24",
        "the last token's place was counted from the left, in batches that were padded there",
        "comparison",
        "a text alone is right; in a batch its cosine to itself was 0.37 on average",
    ),
    "pads_in_the_maximum": Case(
        "facebookresearch/InferSent",
        "issues/51",
        "the maximum over a sentence's words included the padding's zeros",
        "symptom",
        "predictions changed with the batch; it was mended in a second model",
    ),
    "pads_in_the_sum_of_maxima": Case(
        "stanford-futuredata/ColBERT",
        "issues/62",
        "padded tokens had the score 0, which beats every negative one",
        "reading",
        "a reader knew another implementation; the best documents hardly ever come to this",
    ),
    "first_token_of_a_target": Case(
        "huggingface/transformers",
        "issues/17374",
        "a target of several tokens is replaced by the first: damnation by damn",
        "symptom",
        "the pipeline warns, and returns a score; a user asked for the whole word's",
    ),
    "question_cut": Case(
        "pappitti/mlx-raclate",
        ZERO_SHOT,
        "a text that is too long is cut at its end, where the mask is",
        "our reading",
        "the search for a mask that is gone returns position 0, and [CLS] is read",
    ),
    "first_mask_of_the_text": Case(
        "pappitti/mlx-raclate",
        ZERO_SHOT,
        "the first mask is read, and the text may have one of its own",
        "our reading",
        "it takes a text about masks to notice",
    ),
    "ten_best_only": Case(
        "pappitti/mlx-raclate",
        ZERO_SHOT,
        "labels are looked for among the ten likeliest tokens only",
        "our reading",
        "any other label has the score 0, however near it came",
    ),
    "one_spelling": Case(
        "huggingface/transformers",
        "issues/19379",
        "pizza was looked up without the space that RoBERTa has before it, and became p",
        "symptom",
        "a user asked a BERT the same, whose scores were thousands of times as high",
    ),
    "softmax_for_many_labels": Case(
        "cdpierse/transformers-interpret",
        "issues/107",
        "what explains classifiers of several labels took a softmax of their logits",
        "reading",
        "a user looked into the source",
    ),
    "activation_ignored": Case(
        "nczz/pi-knowledge",
        "pull/8",
        "a ranker's logits of 10 and more were put through a sigmoid",
        "symptom",
        "all documents scored about 1, relevant or not",
    ),
    "softmax_of_one_logit": Case(
        "rohitg00/agentmemory",
        "issues/724",
        "a ranker with a single logit was called as a classifier, and gave everything 1",
        "symptom",
        "the order did not change, because the sort is stable; a user called the model both "
        "ways",
    ),
    "contradiction_by_place": Case(
        "huggingface/transformers",
        "blob/v5.23.0/src/transformers/pipelines/zero_shot_classification.py",
        "contradiction is the last label if entailment is the first, and else the first",
        "our reading",
        "it takes an id2label with contradiction in the middle to notice",
    ),
    "words_between_spaces": Case(
        "huggingface/transformers",
        "pull/12611",
        "a token begins a word if a space precedes it, so punctuation joins what it touches",
        "choice",
        "its author says so, and that the rule before it did worse",
    ),
    "space_in_the_span": Case(
        "huggingface/transformers",
        "issues/14418",
        "DeBERTa's tokens had the space before them in their offsets",
        "comparison",
        "a user held them against RoBERTa's",
    ),
    "the_rest_dropped": Case(
        "huggingface/transformers",
        "issues/15177",
        "long texts were tagged as far as the model takes them",
        "choice",
        "a user asked for the rest; a maintainer feared to break what others had built",
    ),
}
