"""Text to ids and back: the tokenizers that checkpoint folders carry."""

from reference.text.encoding import Encoding
from reference.text.reading import TOKENIZER_FILES, read_tokenizer
from reference.text.tokenizer import Tokenizer

__all__ = ["TOKENIZER_FILES", "Encoding", "Tokenizer", "read_tokenizer"]
