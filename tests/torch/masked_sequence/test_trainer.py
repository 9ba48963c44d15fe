"""Transformers' own Trainer and our loop take the same steps, whatever the batches are put
together of."""

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, SequentialSampler
from transformers import Trainer, TrainingArguments

import reference
from reference.torch.masked_sequence import AutoModelForMaskedSeqModeling, DetectionCollator

LABELS, TEXTS, STEPS, RATE = 3, 8, 3, 1e-3


class Words:
    """As much of a tokenizer as a collator asks for."""

    padding_side = "right"

    @staticmethod
    def pad(texts, return_tensors):
        rows = [torch.tensor(text["input_ids"]) for text in texts]
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        real = [torch.ones(len(row), dtype=torch.int64) for row in rows]
        mask = torch.nn.utils.rnn.pad_sequence(real, batch_first=True)
        return {"input_ids": padded, "attention_mask": mask}


class Examples(Dataset):
    """Texts of unequal length with unequal numbers of detections, some of them ignored."""

    def __init__(self, task):
        generator = np.random.default_rng(5)
        self.rows = []
        for _ in range(TEXTS * STEPS):
            tokens, count = generator.integers(4, 12), generator.integers(1, 5)
            shape = (count, LABELS) if task == "multilabel" else (count,)
            labels = generator.integers(2 if task == "multilabel" else LABELS, size=shape)
            labels[generator.random(count) < 0.3] = -100
            self.rows.append(
                {
                    "input_ids": generator.integers(1, 60, size=tokens).tolist(),
                    "mask_indices": generator.integers(tokens, size=count).tolist(),
                    "labels": labels.tolist(),
                }
            )

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, place):
        return self.rows[place]


class InOrder(Trainer):
    """Which does not shuffle, and keeps what each batch adds to the loss of its step."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.parts = []

    def _get_train_sampler(self, *_):
        return SequentialSampler(self.train_dataset)

    def training_step(self, *args, **options):
        loss = super().training_step(*args, **options)
        self.parts.append(loss.item())
        return loss


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return reference.parity.random_checkpoint(
        tmp_path_factory.mktemp("base"),
        "BertModel",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def trained(base, task, batch_size, tmp_path):
    """The loss of each step and what the model became, in float64."""
    model = AutoModelForMaskedSeqModeling.from_pretrained(
        base, LABELS, task, dtype=torch.float64
    )
    torch.manual_seed(0)
    for parameter in model.detection_head.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(tmp_path / "start")
    settings = TrainingArguments(
        output_dir=str(tmp_path / "run"),
        per_device_train_batch_size=batch_size,
        gradient_accumulation_steps=TEXTS // batch_size,
        num_train_epochs=1,
        learning_rate=RATE,
        weight_decay=0.01,
        max_grad_norm=1.0,
        lr_scheduler_type="constant",
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = InOrder(
        model, settings, data_collator=DetectionCollator(Words), train_dataset=Examples(task)
    )
    trainer.train()
    losses = np.array(trainer.parts).reshape(STEPS, -1).sum(axis=1)
    return losses, {key: value.numpy() for key, value in model.state_dict().items()}


@pytest.mark.filterwarnings("ignore:no tokenizer is known")
@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
def test_trainer_and_our_loop_take_the_same_steps(base, task, tmp_path):
    at_once, tensors = trained(base, task, TEXTS, tmp_path / "1x8")
    in_parts, same = trained(base, task, 2, tmp_path / "4x2")
    np.testing.assert_allclose(in_parts, at_once, rtol=1e-10)
    for key, value in tensors.items():
        np.testing.assert_allclose(same[key], value, atol=1e-10, err_msg=key)

    rows, collate = Examples(task), DetectionCollator(Words)
    batches = [
        {key: value.numpy() for key, value in collate(rows.rows[start : start + TEXTS]).items()}
        for start in range(0, TEXTS * STEPS, TEXTS)
    ]
    ours = reference.parity.loss_trajectory(
        tmp_path / "1x8/start",
        "torch",
        batches,
        learning_rate=RATE,
        clip=1.0,
        weight_decay=0.01,
        dtype="float64",
    )
    np.testing.assert_allclose(ours, at_once, rtol=1e-9)
    grouped = [
        [
            {key: value.numpy() for key, value in collate(rows.rows[at : at + 2]).items()}
            for at in range(start, start + TEXTS, 2)
        ]
        for start in range(0, TEXTS * STEPS, TEXTS)
    ]
    for backend, tolerance in (("torch", 1e-9), ("candle", 1e-9), ("mlx", 1e-5)):
        found = reference.parity.loss_trajectory(
            tmp_path / "1x8/start", backend, grouped, RATE, dtype="float64"
        )
        np.testing.assert_allclose(found, at_once, rtol=tolerance)
