//! What a model's operations give, shown to Python as soon as they have.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use candle_core::{DType, Tensor};
use encoders::trace;
use pyo3::prelude::*;

use crate::arrays::Array;
use crate::errors::raise;

/// What `work` returns; `look` is called with the path, the array and the dtype of each of the
/// operations.
pub fn watch<'py>(
    work: &Bound<'py, PyAny>,
    operations: &Bound<'_, PyAny>,
    look: Py<PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let wanted = strings(operations)?;
    // A note cannot fail: what Python raises while looking waits for the end of the work.
    let problem = Rc::new(RefCell::new(None));
    let raised = Rc::clone(&problem);
    let see = move |path: &str, tensor: &Tensor| {
        if wanted.contains(path) && raised.borrow().is_none() {
            *raised.borrow_mut() = show(path, tensor, &look).err();
        }
    };
    let result = trace::watch(see, || work.call0());
    problem.take().map_or(result, Err)
}

/// A set of names.
pub fn strings(names: &Bound<'_, PyAny>) -> PyResult<HashSet<String>> {
    names.try_iter()?.map(|name| name?.extract()).collect()
}

/// Calls `look` with the path, the tensor as an array, and what numbers it is made of.
fn show(path: &str, tensor: &Tensor, look: &Py<PyAny>) -> PyResult<()> {
    Python::attach(|py| {
        let array = Array::of(tensor).map_err(|error| raise(py, error))?.into_python(py)?;
        look.call1(py, (path, array, name_of(tensor.dtype()))).map(drop)
    })
}

fn name_of(dtype: DType) -> &'static str {
    match dtype {
        DType::F16 => "float16",
        DType::F32 => "float32",
        DType::F64 => "float64",
        other => other.as_str(),
    }
}
