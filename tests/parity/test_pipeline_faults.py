"""Each pipeline agrees with Transformers, with sentence-transformers, or with the rule where
those are wrong; and each seeded bug of a pipeline is caught by the check of its call."""

import json
import warnings
from functools import cached_property

import numpy as np
import pytest
import sentence_transformers
import torch
import transformers
from sentence_transformers.sentence_transformer import modules

import reference
from reference.parity import random_checkpoint
from reference.parity.faults.pipelines import FAULTS, Pipelines
from tests.pipelines.small_models import (
    MINILM,
    MODERNBERT,
    Truth,
    masked_model,
    softmax,
)

TEXTS = [
    "The river is wide.",
    "A stone-cold window, and a garden!",
    "Under the paper lies a letter that nobody has answered for seven hundred winters.",
]
REFERENCES = [*TEXTS, "stone", "!", "a letter"]
LABELS = ["river", "garden", "letters"]
LONG = "the river carries a stone under the window of the garden " * 12
NAMES = {0: "O", 1: "B-a", 2: "I-a", 3: "B-b", 4: "I-b"}
VERDICTS = {0: "neutral", 1: "entailment", 2: "contradiction"}


class Subjects:
    """Small models, made when they are asked for, and what others say of the texts."""

    def __init__(self, root):
        self.root = root

    def made(self, name, architecture, tokenizer=MINILM, id2label=None, **settings):
        if id2label is not None:
            settings |= {"id2label": id2label, "num_labels": len(id2label)}
        return random_checkpoint(
            self.root / name, architecture, tokenizer=tokenizer, **settings
        )

    @cached_property
    def encoders(self):
        """Of each way of pooling, with a Dense and a prompt, the folder and its vectors."""
        found = []
        for way in ("cls", "lasttoken", "max"):
            plain = self.made(f"plain-{way}", "BertModel")
            torch.manual_seed(0)
            model = sentence_transformers.SentenceTransformer(
                modules=[
                    modules.Transformer(str(plain)),
                    modules.Pooling(32, pooling_mode=way),
                    modules.Dense(32, 24),
                    modules.Normalize(),
                ],
                device="cpu",
                prompts={"query": "query: ", "document": ""},
                default_prompt_name="query",
            )
            model.save(str(self.root / way))
            cut = model.encode(TEXTS, truncate_dim=9, normalize_embeddings=True)
            found.append((self.root / way, model.encode(TEXTS), cut))
        return found

    @cached_property
    def late(self):
        """The folder, and MaxSim by the rule of every text with every reference."""
        sizes = {"hidden_size": 8, "num_attention_heads": 2}  # few: some tokens are unlike all
        folder = self.made("late", "BertModel", pooling="mean", seed=2, **sizes)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float64).eval()
        tokens = []
        for text in REFERENCES:
            with torch.no_grad():
                (hidden,) = model(**tokenizer(text, return_tensors="pt")).last_hidden_state
            tokens.append(torch.nn.functional.normalize(hidden).numpy())
        scores = [[(a @ b.T).max(axis=1).sum() for b in tokens] for a in tokens[: len(TEXTS)]]
        return folder, np.array(scores)

    @cached_property
    def masked(self):
        folder = masked_model("modernbert", self.root / "masked", max_position_embeddings=96)
        return folder, Truth(folder, "ModernBertForMaskedLM")

    @cached_property
    def many_labels(self):
        problem = "multi_label_classification"
        names = {n: f"label {n}" for n in range(4)}
        folder = self.made(
            "many", "BertForSequenceClassification", id2label=names, problem_type=problem
        )
        theirs = transformers.pipeline("text-classification", str(folder), top_k=None)
        return folder, [{r["label"]: r["score"] for r in rows} for rows in theirs(TEXTS)]

    @cached_property
    def rankers(self):
        """One whose scores are logits, and one that says nothing of them."""
        found = []
        for name, settings in (
            ("logits", {"sbert_ce_default_activation_function": "torch.nn.Identity"}),
            ("probabilities", {}),
        ):
            folder = self.made(name, "BertForSequenceClassification", id2label={0: "relevant"})
            config = json.loads((folder / "config.json").read_text()) | settings
            (folder / "config.json").write_text(json.dumps(config))
            theirs = sentence_transformers.CrossEncoder(str(folder), device="cpu")
            ranked = theirs.rank(TEXTS[0], TEXTS)
            found.append((folder, [(row["corpus_id"], row["score"]) for row in ranked]))
        return found

    @cached_property
    def entailing(self):
        folder = self.made("entailing", "BertForSequenceClassification", id2label=VERDICTS)
        return folder, Truth(folder, "BertForSequenceClassification")

    @cached_property
    def taggers(self):
        """WordPiece, where the words that Transformers finds are right; and bytes."""
        pieces = self.made("pieces", "BertForTokenClassification", id2label=NAMES)
        theirs = transformers.pipeline(
            "token-classification", str(pieces), aggregation_strategy="first"
        )
        spans = [(s["start"], s["end"], s["entity_group"]) for s in theirs(TEXTS[1])]
        names = dict(enumerate("abcde"))
        settings = {"tokenizer": MODERNBERT, "max_position_embeddings": 96}
        folder = self.made(
            "bytes", "ModernBertForTokenClassification", id2label=names, **settings
        )
        return (pieces, spans), (folder, Truth(folder, "ModernBertForTokenClassification"))


@pytest.fixture(scope="module")
def subjects(tmp_path_factory):
    return Subjects(tmp_path_factory.mktemp("subjects"))


def encode(subjects, backend):
    for folder, vectors, cut in subjects.encoders:
        model = reference.load(folder, backend=backend)
        np.testing.assert_allclose(model.encode(TEXTS), vectors, atol=1e-5)
        found = model.encode(TEXTS, truncate_dim=9, normalize=True)
        np.testing.assert_allclose(found, cut, atol=1e-5)


def similarity(subjects, backend):
    folder, scores = subjects.late
    model = reference.load(folder, backend=backend, pipeline="sentence-similarity")
    found = model.similarity(TEXTS, REFERENCES, late_interaction=True).scores
    np.testing.assert_allclose(found, scores, atol=1e-4)


def fill(subjects, backend):
    folder, truth = subjects.masked
    text, word = "The [MASK] is wide.", "underwaterways"
    model = reference.load(folder, backend=backend, pipeline="masked-lm")
    ((found,),) = model.fill(text, targets=[word])
    answer = truth.tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
    ids = truth.tokenizer(text.replace("[MASK]", "[MASK]" * len(answer)))["input_ids"]
    right = truth.chain(ids, ids.index(truth.tokenizer.mask_token_id), answer)
    assert len(answer) > 1
    np.testing.assert_allclose(found.probability, np.exp(right), rtol=1e-3)


def zero_shot(subjects, backend):
    """By the rule: the text is cut, the question's own mask is read, both spellings count."""
    folder, truth = subjects.masked
    model = reference.load(folder, backend=backend, pipeline="zero-shot-classification")
    for text in (TEXTS[0], "A [MASK] in the text.", LONG):
        found = model.classify(text, LABELS, truncation="ignore")
        written = truth.tokenizer(
            f"{text}\nThis text is about [MASK].", return_offsets_mapping=True
        )
        own = [n for n, (a, b) in enumerate(written["offset_mapping"]) if a < b <= len(text)]
        longest = max(len(ids) for label in LABELS for ids in spelled(truth, label))
        excess = len(written["input_ids"]) - (96 - longest + 1)
        dropped = own[-excess:] if excess > 0 else []
        ids = [number for n, number in enumerate(written["input_ids"]) if n not in dropped]
        masks = [n for n, i in enumerate(ids) if i == truth.tokenizer.mask_token_id]
        scores = np.array([answered(truth, ids, masks[-1], label) for label in LABELS])
        expected = dict(zip(LABELS, softmax(scores), strict=True))
        for label, probability in zip(found.labels, found.probabilities, strict=True):
            np.testing.assert_allclose(probability, expected[label], rtol=1e-3)
        np.testing.assert_allclose(found.mass, np.exp(scores).sum(), rtol=1e-3)


def spelled(truth, label):
    words = (f" {label}", label)
    return [truth.tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]


def answered(truth, ids, place, label):
    """Both spellings together, each at as many masks as it has tokens."""
    found = []
    for answer in spelled(truth, label):
        wider = ids[:place] + [ids[place]] * len(answer) + ids[place + 1 :]
        found.append(truth.chain(wider, place, answer))
    return np.logaddexp.reduce(found)


def entailment(subjects, backend):
    folder, truth = subjects.entailing
    model = reference.load(folder, backend=backend, pipeline="zero-shot-classification")
    found = model.classify(TEXTS[0], LABELS, multi_label=True)
    for label, probability in zip(found.labels, found.probabilities, strict=True):
        pair = truth.tokenizer(TEXTS[0], f"This example is {label}.")
        (logits,) = truth.logits(**{name: [values] for name, values in pair.items()})
        right = softmax(logits[[1, 2]])[0]
        np.testing.assert_allclose(probability, right, rtol=1e-3)


def classify(subjects, backend):
    folder, expected = subjects.many_labels
    model = reference.load(folder, backend=backend)
    for found, right in zip(model.classify(TEXTS), expected, strict=True):
        names = [right[label] for label in found.labels]
        np.testing.assert_allclose(found.probabilities, names, atol=1e-4)


def rank(subjects, backend):
    for folder, expected in subjects.rankers:
        found = reference.load(folder, backend=backend).rank(TEXTS[0], TEXTS)
        assert [ranked.index for ranked in found] == [index for index, _ in expected]
        scores = [score for _, score in expected]
        np.testing.assert_allclose([ranked.score for ranked in found], scores, atol=1e-4)


def tag(subjects, backend):
    (pieces, spans), (folder, truth) = subjects.taggers
    found = reference.load(pieces, backend=backend).tag(TEXTS[1], "first")
    assert [(span.start, span.end, span.label) for span in found] == spans
    tagger = reference.load(folder, backend=backend)
    for text in (TEXTS[2], LONG.strip()):
        whole = truth.tokenizer(text, return_offsets_mapping=True)
        places = [without_space(text, *place) for place in whole["offset_mapping"][1:-1]]
        found = tagger.tag(text, "none")
        assert [(span.start, span.end) for span in found] == places
        ids = whole["input_ids"]  # the last window ends with the text
        (logits,) = truth.logits(input_ids=[[ids[0], *ids[1:-1][-94:], ids[-1]]])
        last = softmax(logits[-2])
        assert found[-1].label == "abcde"[last.argmax()]
        np.testing.assert_allclose(found[-1].score, last.max(), rtol=1e-3)


def without_space(text, start, end):
    inside = text[start:end]
    return end - len(inside.lstrip()), end


CHECKS = {
    "encode": encode,
    "similarity": similarity,
    "fill": fill,
    "zero-shot": zero_shot,
    "entailment": entailment,
    "classify": classify,
    "rank": rank,
    "tag": tag,
}


@pytest.mark.parametrize("call", CHECKS)
def test_no_alarm_without_a_fault(subjects, backend, call):
    CHECKS[call](subjects, backend)


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_caught(subjects, backend, name):
    check = CHECKS[FAULTS[name].call]
    with FAULTS[name].seeded(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(AssertionError):
            check(subjects, backend)


@pytest.mark.parametrize("name", FAULTS)
def test_patches_are_taken_back(name):
    patches = FAULTS[name].patch(Pipelines())
    plain = [getattr(owner, attribute) for owner, attribute, _ in patches]
    with FAULTS[name].seeded():
        for (owner, attribute, _), its in zip(patches, plain, strict=True):
            assert getattr(owner, attribute) is not its
    for (owner, attribute, _), its in zip(patches, plain, strict=True):
        assert getattr(owner, attribute) is its


def test_each_fault_says_what_and_where():
    for name, fault in FAULTS.items():
        assert fault.name == name and fault.story
        assert fault.case.address.startswith("https://github.com/")
