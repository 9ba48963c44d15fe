//! The pieces of the port as functions of NumPy arrays, to teach with and to test; a file for
//! each room of the library.

pub mod attention;
pub mod convolution;
pub mod layers;
pub mod losses;
pub mod masking;
pub mod pipelines;
pub mod pooling;
pub mod rope;
pub mod training;
pub mod whole;

use candle_core::Tensor;
use pyo3::prelude::*;

use crate::arrays::Array;
use crate::errors::run;

type Object<'a, 'py> = &'a Bound<'py, PyAny>;
type PyArray<'py> = PyResult<Bound<'py, PyAny>>;
type PyPair<'py> = PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)>;

/// Computes one tensor without Python's lock and hands it over.
fn compute<'py>(
    py: Python<'py>,
    work: impl FnOnce() -> encoders::Result<Tensor> + Send,
) -> PyArray<'py> {
    run(py, || Array::of(&work()?))?.into_python(py)
}

/// The same for two tensors.
fn compute_pair<'py>(
    py: Python<'py>,
    work: impl FnOnce() -> encoders::Result<(Tensor, Tensor)> + Send,
) -> PyPair<'py> {
    let (first, second) = run(py, || {
        let (first, second) = work()?;
        Ok((Array::of(&first)?, Array::of(&second)?))
    })?;
    Ok((first.into_python(py)?, second.into_python(py)?))
}
