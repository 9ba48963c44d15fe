"""Configurations as the hub's checkpoints have them: accepted, and read as Transformers reads
them."""

import json

import numpy as np
import pytest
import transformers

import reference
from reference.families import architecture_for
from reference.families.reading import config_from_dict
from reference.parity import compare, random_checkpoint

BERT_BASE = {
    "attention_probs_dropout_prob": 0.1,
    "classifier_dropout": None,
    "gradient_checkpointing": False,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "torch_dtype": "float32",
    "type_vocab_size": 2,
    "use_cache": True,
    "vocab_size": 30522,
}
XLMR = BERT_BASE | {
    "architectures": ["XLMRobertaModel"],
    "bos_token_id": 0,
    "eos_token_id": 2,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 514,
    "model_type": "xlm-roberta",
    "output_past": True,
    "pad_token_id": 1,
    "type_vocab_size": 1,
    "vocab_size": 250002,
}
MODERN_BASE = {
    "architectures": ["ModernBertModel"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 50281,
    "classifier_activation": "gelu",
    "classifier_bias": False,
    "classifier_dropout": 0.0,
    "classifier_pooling": "mean",
    "cls_token_id": 50281,
    "decoder_bias": True,
    "deterministic_flash_attn": False,
    "embedding_dropout": 0.0,
    "eos_token_id": 50282,
    "global_attn_every_n_layers": 3,
    "global_rope_theta": 160000.0,
    "gradient_checkpointing": False,
    "hidden_activation": "gelu",
    "hidden_size": 768,
    "initializer_cutoff_factor": 2.0,
    "initializer_range": 0.02,
    "intermediate_size": 1152,
    "layer_norm_eps": 1e-05,
    "local_attention": 128,
    "local_rope_theta": 10000.0,
    "max_position_embeddings": 8192,
    "mlp_bias": False,
    "mlp_dropout": 0.0,
    "model_type": "modernbert",
    "norm_bias": False,
    "norm_eps": 1e-05,
    "num_attention_heads": 12,
    "num_hidden_layers": 22,
    "pad_token_id": 50283,
    "position_embedding_type": "absolute",
    "repad_logits_with_grad": False,
    "sep_token_id": 50282,
    "sparse_pred_ignore_index": -100,
    "sparse_prediction": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 50368,
}
MMBERT = {
    "bos_token_id": 2,
    "cls_token_id": 1,
    "eos_token_id": 1,
    "sep_token_id": 1,
    "mask_token_id": 4,
    "pad_token_id": 0,
    "global_rope_theta": 160000,
    "local_rope_theta": 160000,
    "position_embedding_type": "sans_pos",
    "tokenizer_class": "GemmaTokenizer",
    "vocab_size": 256000,
}
HUB = {
    "BAAI/bge-base-en-v1.5": BERT_BASE
    | {
        "architectures": ["BertModel"],
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
    },
    "intfloat/e5-base-v2": BERT_BASE | {"architectures": ["BertModel"]},
    "cross-encoder/ms-marco-MiniLM-L6-v2": BERT_BASE
    | {
        "architectures": ["BertForSequenceClassification"],
        "hidden_size": 384,
        "id2label": {"0": "LABEL_0"},
        "intermediate_size": 1536,
        "label2id": {"LABEL_0": 0},
        "num_hidden_layers": 6,
        "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity",
    },
    "BAAI/bge-m3": XLMR
    | {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "max_position_embeddings": 8194,
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
    },
    "intfloat/multilingual-e5-base": XLMR,
    "almanach/camembert-base": BERT_BASE
    | {
        "architectures": ["CamembertForMaskedLM"],
        "bos_token_id": 5,
        "eos_token_id": 6,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": 514,
        "model_type": "camembert",
        "output_past": True,
        "pad_token_id": 1,
        "type_vocab_size": 1,
        "vocab_size": 32005,
    },
    "Alibaba-NLP/gte-modernbert-base": MODERN_BASE | {"torch_dtype": "float16"},
    "Alibaba-NLP/gte-reranker-modernbert-base": MODERN_BASE
    | {
        "architectures": ["ModernBertForSequenceClassification"],
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
    },
    "ibm-granite/granite-embedding-english-r2": MODERN_BASE
    | {"classifier_pooling": "cls", "global_rope_theta": 80000, "vocab_size": 50368},
    "jhu-clsp/mmBERT-base": MODERN_BASE | MMBERT | {"architectures": ["ModernBertForMaskedLM"]},
    "jhu-clsp/ettin-encoder-17m": MODERN_BASE
    | {
        "architectures": ["ModernBertForMaskedLM"],
        "hidden_size": 256,
        "intermediate_size": 384,
        "num_attention_heads": 4,
        "num_hidden_layers": 7,
        "position_embedding_type": "sans_pos",
        "vocab_size": 50368,
    },
}


@pytest.mark.filterwarnings("ignore:.*does not read either")
@pytest.mark.parametrize("name", HUB)
def test_a_configuration_of_the_hub_means_what_it_means_to_transformers(name):
    ours = config_from_dict(json.loads(json.dumps(HUB[name])), name)
    assert architecture_for(ours).name == HUB[name]["architectures"][0]
    theirs = transformers.AutoConfig.for_model(**HUB[name])
    for key, value in ours.to_dict().items():
        if hasattr(theirs, key) and key not in ("id2label", "label2id"):
            assert np.array_equal(getattr(theirs, key), value), key
    assert theirs.num_labels == ours.num_labels


SMALL = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4}
SMALL |= {"intermediate_size": 48, "max_position_embeddings": 96, "local_attention": 8}


@pytest.mark.parametrize("architecture", ["ModernBertModel", "ModernBertForMaskedLM"])
def test_mmberts_settings_pass_the_gates(tmp_path, architecture):
    """The whole vocabulary is a matter of size alone; the ids that mean something are low."""
    settings = MMBERT | SMALL | {"vocab_size": 97}
    thetas = ("global_rope_theta", "local_rope_theta", "tokenizer_class")
    rope = {"rope_type": "default", "rope_theta": 160000}
    folder = random_checkpoint(
        tmp_path,
        architecture,
        rope_parameters={"full_attention": rope, "sliding_attention": rope},
        **{key: value for key, value in settings.items() if key not in thetas},
    )
    path = folder / "config.json"
    saved = json.loads(path.read_text())
    del saved["rope_parameters"], saved["layer_types"]  # as the hub spells it
    path.write_text(json.dumps(saved | {key: MMBERT[key] for key in thetas}))
    report = compare(folder)
    assert report.passed, report


def test_code_beside_a_native_model_is_left_alone(tmp_path):
    folder = random_checkpoint(tmp_path, "BertModel")
    path = folder / "config.json"
    code = {"AutoModel": "modeling.Model"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"auto_map": code}))
    (folder / "modeling.py").write_text("raise SystemExit('this must not run')")
    with pytest.warns(UserWarning, match="auto_map") as caught:
        model = reference.load(folder)
    assert sum("auto_map" in str(warning.message) for warning in caught) == 1
    assert model.forward([[1, 2, 3]])["last_hidden_state"].shape == (1, 3, 32)


def test_numbers_are_names_too(tmp_path, backend):
    """Some checkpoints have integers where labels are named."""
    folder = random_checkpoint(tmp_path, "BertForSequenceClassification", num_labels=3)
    path = folder / "config.json"
    labels = {"id2label": {"0": 0, "1": 1, "2": 2}, "label2id": {"0": 0, "1": 1, "2": 2}}
    path.write_text(json.dumps(json.loads(path.read_text()) | labels))
    model = reference.load(folder, backend=backend)
    assert model.config.id2label == {0: "0", 1: "1", 2: "2"}
    assert model.forward([[1, 2, 3]])["logits"].shape == (1, 3)
    model.save(tmp_path / "saved")
    saved = transformers.AutoConfig.from_pretrained(tmp_path / "saved")
    assert saved.id2label == {0: "0", 1: "1", 2: "2"}
