"""mlx-embeddings' BERT as a program: mlx_bert.py MODEL_FOLDER INPUTS OUTPUTS.

It runs in an environment of its own (requirements-peers.txt) and imports nothing of this
repository.
"""

import sys
from pathlib import Path

import mlx.core as mx
from mlx_embeddings.utils import load_model


def main(folder: str, inputs: str, outputs: str) -> None:
    model = load_model(Path(folder))
    batch = mx.load(inputs)
    ids, mask = batch["input_ids"], batch["attention_mask"]
    result = model(ids, token_type_ids=batch["token_type_ids"], attention_mask=mask)

    # It keeps no hidden states: its own layers are called once more, one by one.
    states = [model.embeddings(ids, batch["token_type_ids"])]
    for layer in model.encoder.layer:
        states.append(layer(states[-1], model.get_extended_attention_mask(mask)))
    tensors = {f"hidden_states.{number}": state for number, state in enumerate(states)}
    tensors["last_hidden_state"] = result.last_hidden_state
    tensors["pooler_output"] = result.pooler_output
    tensors["sentence_embedding"] = result.text_embeds  # the mean, always, and normalised
    mx.save_safetensors(outputs, tensors)


if __name__ == "__main__":
    main(*sys.argv[1:])
