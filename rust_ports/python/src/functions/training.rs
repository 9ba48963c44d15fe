//! The optimizer's step.

use encoders::training;
use pyo3::prelude::*;

use super::Object;
use crate::arrays::{Array, float};
use crate::errors::run;
use crate::learner::settings_of;

/// The parameter and both moments after one step of AdamW.
#[pyfunction]
#[pyo3(signature = (parameter, gradient, first, second, learning_rate, step, settings))]
#[allow(clippy::too_many_arguments)] // they are the other ports'
pub fn adamw<'py>(
    py: Python<'py>,
    parameter: Object,
    gradient: Object,
    first: Object,
    second: Object,
    learning_rate: f64,
    step: usize,
    settings: Object,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let settings = settings_of(settings)?;
    let (parameter, gradient) = (float("parameter", parameter)?, float("gradient", gradient)?);
    let (first, second) = (float("first", first)?, float("second", second)?);
    let (parameter, first, second) = run(py, || {
        let (parameter, first, second) = training::adamw(
            &parameter,
            &gradient,
            &first,
            &second,
            learning_rate,
            step,
            &settings,
        )?;
        Ok((Array::of(&parameter)?, Array::of(&first)?, Array::of(&second)?))
    })?;
    Ok((parameter.into_python(py)?, first.into_python(py)?, second.into_python(py)?))
}

/// The length of all gradients taken together.
#[pyfunction]
pub fn gradient_norm(py: Python, gradients: Vec<Bound<PyAny>>) -> PyResult<f64> {
    let gradients = gradients.iter().map(|array| float("a gradient", array));
    let gradients = gradients.collect::<PyResult<Vec<_>>>()?;
    run(py, || training::gradient_norm(&gradients))
}
