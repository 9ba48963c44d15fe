"""ModernBERT at the size of ModernBERT-base, with weights as Transformers draws them, at
lengths about a window's edge.

The small random models of the other tests leave nothing out. What only width and depth bring is
here: long sums, and twenty-two layers through which an error may grow.
"""

import pytest
import torch
import transformers

from reference.backend import BACKENDS
from reference.checkpoint import read_checkpoint
from reference.parity.batch import random_batch
from reference.parity.subject import Subject

# A tenth of the real one, which would be half of the work; tests of the losses have the whole.
VOCABULARY = 5003
LENGTHS = (1, 63, 64, 65, 66, 127, 128, 129, 256)


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    special = {
        "pad_token_id": 0,
        "bos_token_id": 1,
        "cls_token_id": 1,
        "eos_token_id": 2,
        "sep_token_id": 2,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.ModernBertConfig(vocab_size=VOCABULARY, **special)
        assert (config.num_hidden_layers, config.hidden_size, config.local_attention) == (
            22,
            768,
            128,
        )
        transformers.ModernBertForMaskedLM(config).save_pretrained(folder)
    checkpoint = read_checkpoint(folder)
    return Subject(checkpoint, [random_batch(checkpoint.config, LENGTHS)], keep=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_hidden_states_logits_loss_and_gradients(subject, backend):
    model = subject.build(backend)
    rows = subject.measure({backend: lambda sample: sample.run(model)})[backend]
    kinds = {row.tensor.split(".")[0] for row in rows}
    assert (
        kinds == {"hidden_states", "logits", "packed", "loss", "gradients"} and len(rows) > 180
    )
    assert all(row.passed for row in rows), [row for row in rows if not row.passed]
