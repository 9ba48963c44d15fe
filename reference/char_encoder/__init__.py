"""Character models that a user builds from parts: a preprocessor, a base, towers that are
trained on it by tasks of their own, and what they are together.

    preprocessor = MLMPreprocessor().fit(texts)
    base = CCLMModelBase(preprocessor)
    words = MaskedLanguagePretrainer(base).fit(texts, epochs=2)
    spans = TaggingPretrainer(base).fit(tagged, epochs=2)
    both = ComposedModel(base, [words.model, spans.model])
"""

from reference.char_encoder.base import CCLMModelBase, CharModel
from reference.char_encoder.composing import ComposedModel
from reference.char_encoder.pretraining import MaskedLanguagePretrainer, TaggingPretrainer
from reference.training.characters.augmentation import Altered, Augmentation
from reference.training.characters.preprocessor import MLMPreprocessor

__all__ = [
    "Altered",
    "Augmentation",
    "CCLMModelBase",
    "CharModel",
    "ComposedModel",
    "MLMPreprocessor",
    "MaskedLanguagePretrainer",
    "TaggingPretrainer",
]
