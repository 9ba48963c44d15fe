"""SentencePiece models (Kudo and Richardson 2018): a unigram language model of pieces (Kudo
2018), or pairs merged in the order of how often they come (Sennrich et al. 2016)."""

from __future__ import annotations

import io
import json
import re
import zlib
from collections.abc import Iterator

from reference.errors import InputError, shortened
from reference.text.sentence_piece import MASK, SPECIAL
from reference.training.tokenizer.options import Options

# As many as there are, and not as the machine has: the expected counts of a unigram model are
# summed per thread, so their number decides on the last digits.
THREADS = 4
# A unigram model begins with the frequent strings of a text. To find them the library writes
# each word down as often as it comes, and takes some thirteen bytes for each of the text's. So
# it is given a text of at most so many times the budget of different words.
RUNNING_TEXT = 8
BESIDE = 4  # bytes: the sign of the space, and where the word ends


def train(words: list[tuple[str, int]], options: Options) -> dict[str, bytes]:
    """The files of a folder: the model, its pieces in words, and what a reader is told."""
    import sentencepiece

    if options.kind == "unigram":
        words = _in_share(words, RUNNING_TEXT * options.word_budget)
    pad, unknown, begin, end, _ = range(len(SPECIAL))
    written = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_lines(words),
            input_format="tsv",
            model_writer=written,
            model_type=options.kind,
            vocab_size=options.vocab_size,
            character_coverage=options.coverage,
            pad_id=pad,
            unk_id=unknown,
            bos_id=begin,
            eos_id=end,
            control_symbols=[MASK],
            normalization_rule_name="nmt_nfkc_cf" if options.lower_case else "nmt_nfkc",
            byte_fallback=False,
            max_sentence_length=2**20,  # longer than any word; what is longer, it passes over
            num_threads=THREADS,
            minloglevel=2,
        )
    except RuntimeError as problem:
        raise _told(str(problem), options) from None
    model = written.getvalue()
    return {
        "tokenizer.model": model,
        "tokenizer.vocab": _pieces(model),
        "tokenizer_config.json": _settings(options),
    }


def _in_share(words: list[tuple[str, int]], most: int) -> list[tuple[str, int]]:
    """The counts of a text of that many bytes: as they are, or all made smaller alike. What is
    left over of a count is one more for some words, which a hash chooses."""
    share = most / sum((len(word.encode()) + BESIDE) * count for word, count in words)
    if share >= 1:
        return words
    for place, (word, count) in enumerate(words):
        words[place] = word, int(count * share + zlib.crc32(word.encode()) / 2**32)
    return [(word, count) for word, count in words if count]


def _lines(words: list[tuple[str, int]]) -> Iterator[str]:
    """Each word with its count, let go of as the trainer takes it."""
    words.reverse()
    while words:
        word, count = words.pop()
        yield f"{_plain(word)}\t{count}"


def _plain(word: str) -> str:
    """The trainer takes special tokens out of a text. Here they are letters like others, so
    they are cut in two."""
    for token in SPECIAL:
        if token in word:
            word = word.replace(token, f"{token[:-1]} {token[-1]}")
    return word


def _pieces(model: bytes) -> bytes:
    """What SentencePiece's own command writes beside a model."""
    import sentencepiece

    read = sentencepiece.SentencePieceProcessor(model_proto=model)
    lines = [f"{read.id_to_piece(n)}\t{read.get_score(n):g}\n" for n in range(len(read))]
    return "".join(lines).encode()


def _settings(options: Options) -> bytes:
    pad, unknown, begin, end, mask = SPECIAL
    names = {"pad": pad, "unk": unknown, "bos": begin, "eos": end, "mask": mask}
    names |= {"cls": begin, "sep": end}
    settings = {f"{what}_token": name for what, name in names.items()}
    if options.max_length is not None:
        settings["model_max_length"] = options.max_length
    return (json.dumps(settings, indent=2) + "\n").encode()


def _told(problem: str, options: Options) -> InputError:
    """The library's errors, in words that name the options."""
    if found := re.search(r"too high \(\d+\).*<= (\d+)", problem):
        return options.too_large(int(found[1]))
    if found := re.search(r"required_chars\. \d+ vs (\d+)", problem):
        return options.too_small(int(found[1]))
    if "all_chars_count" in problem or "sentences_.empty" in problem:
        return InputError("the texts hold no letters: nothing is left of them to learn from")
    return InputError(f"SentencePiece cannot learn from these texts: {shortened(problem)}")
