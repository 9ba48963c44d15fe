"""SentencePiece models that lie in a folder without a tokenizer.json, and what its settings may
say of them."""

from __future__ import annotations

from pathlib import Path

from reference.errors import CheckpointError
from reference.text.added_tokens import special_names
from reference.text.classes import Part, TokenizerClass, class_for
from reference.text.sentence_piece import BEGIN, END, MASK, PAD, SPECIAL, UNKNOWN
from reference.text.sentence_settings import TextSettings

# XLM-RoBERTa's, in fairseq's order, and one that is read under its own ids.
FAIRSEQ, OWN = PIECES = ("sentencepiece.bpe.model", "tokenizer.model")
# Transformers has no class that opens the second.
OWN_PIECES = TokenizerClass(
    "SentencePiece",
    {
        "bos": BEGIN,
        "eos": END,
        "unk": UNKNOWN,
        "sep": END,
        "pad": PAD,
        "cls": BEGIN,
        "mask": MASK,
    },
)


def check_bare(
    path: Path, settings: Part, kind: TokenizerClass, of_sentences: TextSettings
) -> None:
    """Such a model is read with its own special tokens, and as it is."""
    own = path.name == OWN
    usual = OWN_PIECES.names if own else class_for(None, "XLMRobertaTokenizer", str(path)).names
    names = special_names(kind, settings)
    odd = [f"{what}_token {name!r:.80}" for what, name in names.items() if name != usual[what]]
    unread = ("add_prefix_space",) if own else ("split_special_tokens", "add_prefix_space")
    odd += [key for key in unread if settings.get(key)]
    odd += ["do_lower_case"] if of_sentences.lower_case else []
    if odd and own:
        raise CheckpointError(
            f"{path} is read as it is and with the special tokens {', '.join(SPECIAL)}, but "
            f"this folder has {', '.join(odd)}"
        )
    if odd:
        raise CheckpointError(
            f"{path} is read as XLM-RoBERTa's vocabulary, but this folder has "
            f"{', '.join(odd)}; save the tokenizer with Transformers, which writes a "
            "tokenizer.json"
        )
