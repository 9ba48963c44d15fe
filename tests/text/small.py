"""Tokenizers of every kind, small enough for a test."""

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors

LETTERS = [chr(number) for number in range(ord("a"), ord("z") + 1)]
WORDS = "the river stands beside a stone and hello world".split()
INSIDE = [f"##{letter}" for letter in LETTERS]
BERT_WORDS = [*"[PAD] [UNK] [CLS] [SEP] [MASK]".split(), *LETTERS, *INSIDE, *WORDS, ",", "!"]
BERT_WORDS += [letter.upper() for letter in LETTERS] + ["[spare]"]
MPNET_WORDS = ["<s>", "<pad>", "</s>", "<unk>", *LETTERS, *INSIDE, "[UNK]", "<mask>", *WORDS]
ROBERTA_SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def byte_pieces() -> tokenizers.Tokenizer:
    """RoBERTa's: 300 byte-level pieces."""
    made = tokenizers.ByteLevelBPETokenizer(add_prefix_space=False)
    made.train_from_iterator([" ".join(WORDS)] * 9, 300, 2, False, ROBERTA_SPECIALS)
    made.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), add_prefix_space=False
    )
    return made


def sentence_pieces() -> tokenizers.Tokenizer:
    """XLM-RoBERTa's: letters, and words with the space before them."""
    vocab = [(token, 0.0) for token in ROBERTA_SPECIALS[:4]] + [("▁", -2.0)]
    vocab += [(letter, -4.0) for letter in LETTERS]
    vocab += [(f"▁{word}", -3.0) for word in WORDS] + [("<mask>", 0.0)]
    made = tokenizers.Tokenizer(models.Unigram(vocab, unk_id=3))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    made.decoder = decoders.Metaspace(prepend_scheme="always")
    made.add_special_tokens(ROBERTA_SPECIALS)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return made
