"""Text enough for a small tokenizer of each kind."""

from pathlib import Path

from reference.training.tokenizer import KINDS

NAMES = "river stone window garden letter market harbour candle".split()
DOES = "stands falls waits opens closes turns".split()
PLACES = "beside behind under above".split()
SENTENCES = [
    f"The {name} {does} {place} a {other}, {number} times!"
    for number, name in enumerate(NAMES)
    for does in DOES
    for place in PLACES
    for other in NAMES
]
SIZES = {"unigram": 55, "bpe": 120, "wordpiece": 110, "byte-bpe": 330}
SENTENCE_PIECE = ("unigram", "bpe")
HUGGING_FACE = ("wordpiece", "byte-bpe")
assert set(SIZES) == set(KINDS)


def write(path: Path, lines: list[str] = SENTENCES) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
