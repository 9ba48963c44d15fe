"""MPNet: relative positions, and absolute ones."""

from reference.parity.faults.case import Case, NoneKnown, Noted

CASES: dict[str, Noted] = {
    "relative_bias_left_out": Case(
        "lucidrains/FLASH-pytorch",
        "issues/9",
        "one of two layers that share a paper's formula had no bias of relative positions",
        "reading",
        "a reader compared it with a figure of the paper",
    ),
    "relative_bias_in_the_first_layer_only": NoneKnown(
        "Transformers' T5 has been reported for it, by readers who saw the table in the first "
        "layer and not that the bias is handed on"
    ),
    "relative_bias_without_direction": Case(
        "speechbrain/speechbrain",
        "issues/3070",
        "half of each position's numbers were the same so many steps ahead and behind",
        "reading",
        "a reader noticed that sine is odd, and looked at ESPnet's version",
    ),
    "relative_bias_turned_round": Case(
        "nntrainer/nntrainer",
        "pull/3982",
        "in a port of DeBERTa one of two terms had the distance with the wrong sign",
        "comparison",
        "a formula was copied from a place where a transposition follows",
    ),
    "relative_bias_scaled": Case(
        "tenstorrent/tt-metal",
        "pull/56406",
        "a bias that was added to the scores was divided by √head_dim with them",
        "comparison",
        "it came out 8 times smaller than PyTorch's, for heads of 64",
    ),
    "mpnet_positions_not_offset": Case(
        "huggingface/sentence-transformers",
        "pull/3879",
        "packed rows of RoBERTa's relatives, MPNet among them, were given positions from 0",
        "comparison",
        "found while measuring something else; nothing crashes, the vectors are worse",
    ),
}
