"""A notebook's outputs stay free of bars and notices."""

import subprocess
import sys

LOADS_A_MODEL = """
from reference.display import quiet
quiet()
from reference.checkpoint import embedded_folder
from transformers import AutoModel
AutoModel.from_pretrained(embedded_folder())
import tqdm.auto
"""


def test_loading_a_model_says_nothing():
    done = subprocess.run(
        [sys.executable, "-c", LOADS_A_MODEL], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
