"""The bugs of ids are caught by what a vocabulary must keep to."""

import numpy as np
import pytest

from reference.parity.faults.characters import FAULTS
from reference.parity.faults.fault import patched
from reference.text.characters import MASK_ID, PAD_ID, CharacterVocabulary


def sound(text: str) -> bool:
    """Neither a known character nor an unknown one is a pad or the mask."""
    ids = CharacterVocabulary("abc").ids(text)
    return not np.isin(ids, (PAD_ID, MASK_ID)).any()


@pytest.mark.parametrize("name", [n for n, fault in FAULTS.items() if fault.shows == "ids"])
def test_a_fault_of_ids_is_caught(name):
    assert sound("abcé")
    with patched(FAULTS[name].patch()):
        assert not sound("abcé")
    assert sound("abcé")
