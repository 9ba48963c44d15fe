//! Rust's errors as the Python package's own classes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use encoders::Error;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The exception of reference.errors that stands for `error`.
pub fn raise(py: Python, error: Error) -> PyErr {
    let class = match error {
        Error::Config(_) => "ConfigError",
        Error::Checkpoint(_) => "CheckpointError",
        _ => "InputError",
    };
    exception(py, class, error.to_string())
}

fn exception(py: Python, class: &str, message: String) -> PyErr {
    let build = || py.import("reference.errors")?.getattr(class)?.call1((&message,));
    match build() {
        Ok(exception) => PyErr::from_value(exception),
        Err(_) => PyValueError::new_err(message),
    }
}

/// Runs `work` without Python's lock; a panic, which would be a bug in here, becomes an
/// exception as well.
pub fn run<T: Send>(
    py: Python,
    work: impl FnOnce() -> encoders::Result<T> + Send,
) -> PyResult<T> {
    match py.detach(|| catch_unwind(AssertUnwindSafe(work))) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(raise(py, error)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text =
                text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(exception(
                py,
                "EncodersError",
                format!("internal error in the Rust port: {text}"),
            ))
        }
    }
}
