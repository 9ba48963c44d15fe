"""Keep out of a notebook's stored outputs what changes from run to run."""

import warnings


def quiet() -> None:
    """No progress bars, no notices: they differ from run to run, and some name folders of the
    machine."""
    # tqdm misses a widget that nothing here needs.
    warnings.filterwarnings("ignore", message="IProgress not found")
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
