//! The protocol of a learner in reference/backend.py.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::Tensor;
use encoders::dropout::Dropout;
use encoders::{Way, training};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{self, Array};
use crate::errors::{raise, run};
use crate::model::{Arrays, Model, dict, named};

/// A model that learns: it changes the parameters of `model`.
#[pyclass(frozen, module = "reference.candle._native")]
pub struct Learner {
    model: Py<Model>,
    learner: Mutex<training::Learner>,
}

#[pymethods]
impl Learner {
    #[new]
    #[pyo3(signature = (model, settings, frozen=Vec::new()))]
    fn new(
        model: Bound<Model>,
        settings: &Bound<PyAny>,
        frozen: Vec<String>,
    ) -> PyResult<Self> {
        let settings = settings_of(settings)?;
        let mut learner = training::Learner::new(model.get().model().clone(), settings);
        learner.freeze(frozen);
        Ok(Self { model: model.unbind(), learner: Mutex::new(learner) })
    }

    /// The model as it is now.
    #[getter]
    fn model(&self, py: Python) -> Py<Model> {
        self.model.clone_ref(py)
    }

    /// So many steps were taken.
    #[getter]
    fn steps(&self, py: Python) -> usize {
        py.detach(|| self.learner().steps())
    }

    /// The loss on the labels; its gradient, `weight` times, is added to what there is. With
    /// class_weights [labels], classes weigh so much in a cross entropy; with a `dropout`, a
    /// reference.dropout.Dropout, the model drops what it names.
    #[pyo3(signature = (inputs, labels, weight=1.0, dropout=None, class_weights=None))]
    fn learn(
        &self,
        py: Python,
        inputs: &Bound<PyAny>,
        labels: &Bound<PyAny>,
        weight: f64,
        dropout: Option<&Bound<PyAny>>,
        class_weights: Option<Bound<PyAny>>,
    ) -> PyResult<f64> {
        let dropout = dropout.map(dropout_of).transpose()?;
        let (model, arrays) = (self.model.get(), Arrays::of(inputs)?);
        let class_weights = class_weights
            .map(|weights| arrays::float("class_weights", &weights))
            .transpose()?;
        let (labels, tables) = (arrays::labels(labels)?, model.rope_tables());
        run(py, || {
            let arrays = arrays.on(&model.device)?;
            let labels = labels.to_device(&model.device)?;
            let inputs = arrays.inputs(false, tables.as_deref());
            self.learner().learn(&inputs, &labels, weight, dropout, class_weights.as_ref())
        })
    }

    /// One vector a packed text, as Model.embed makes them.
    #[pyo3(signature = (inputs, way, dropout=None))]
    fn vectors<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<PyAny>,
        way: &Bound<PyAny>,
        dropout: Option<&Bound<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (model, arrays, way) = (self.model.get(), Arrays::of(inputs)?, way_of(py, way)?);
        let dropout = dropout.map(dropout_of).transpose()?;
        let tables = model.rope_tables();
        let vectors = run(py, || {
            let arrays = arrays.on(&model.device)?;
            let inputs = arrays.inputs(false, tables.as_deref());
            Array::of(&self.learner().vectors(&inputs, &way, dropout)?)
        });
        vectors?.into_python(py)
    }

    /// The gradient of sum(vectors * gradient) is added to what there is.
    #[pyo3(signature = (inputs, way, gradient, dropout=None))]
    fn follow(
        &self,
        py: Python,
        inputs: &Bound<PyAny>,
        way: &Bound<PyAny>,
        gradient: &Bound<PyAny>,
        dropout: Option<&Bound<PyAny>>,
    ) -> PyResult<()> {
        let dropout = dropout.map(dropout_of).transpose()?;
        let (model, arrays, way) = (self.model.get(), Arrays::of(inputs)?, way_of(py, way)?);
        let (gradient, tables) = (arrays::float("gradient", gradient)?, model.rope_tables());
        run(py, || {
            let arrays = arrays.on(&model.device)?;
            let gradient = gradient.to_device(&model.device)?;
            let inputs = arrays.inputs(false, tables.as_deref());
            self.learner().follow(&inputs, &way, &gradient, dropout)
        })
    }

    /// What is the gradient in one parameter is added to what there is.
    fn add(&self, py: Python, key: &str, gradient: &Bound<PyAny>) -> PyResult<()> {
        let gradient = arrays::float("gradient", gradient)?;
        run(py, || self.learner().add(key, &gradient))
    }

    /// One step of AdamW along the gradients, shortened to `max_norm`; how long they were.
    #[pyo3(signature = (learning_rate, max_norm=None))]
    fn step(&self, py: Python, learning_rate: f64, max_norm: Option<f64>) -> PyResult<f64> {
        run(py, || {
            let mut learner = self.learner();
            let norm = learner.step(learning_rate, max_norm)?;
            self.model.get().replace(learner.model().clone());
            Ok(norm)
        })
    }

    /// Forget the gradients; no step is taken.
    fn forget(&self, py: Python) {
        py.detach(|| self.learner().forget());
    }

    /// AdamW's two moments of each parameter that a gradient has reached.
    fn moments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        dict(py, run(py, || named(self.learner().moments()))?)
    }

    /// Go on as the learner did that took so many steps and had these moments.
    fn resume(
        &self,
        py: Python,
        steps: usize,
        moments: BTreeMap<String, Bound<PyAny>>,
    ) -> PyResult<()> {
        let moments =
            moments.iter().map(|(name, array)| Ok((name.clone(), arrays::float(name, array)?)));
        let moments: BTreeMap<String, Tensor> = moments.collect::<PyResult<_>>()?;
        run(py, || self.learner().resume(steps, moments))
    }
}

impl Learner {
    fn learner(&self) -> MutexGuard<'_, training::Learner> {
        self.learner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reference.learning.Way.
fn way_of(py: Python, way: &Bound<PyAny>) -> PyResult<Way> {
    let names: Vec<String> = way.getattr("pooling")?.extract()?;
    let pooling = names.iter().map(|name| name.parse()).collect::<encoders::Result<_>>();
    Ok(Way {
        pooling: pooling.map_err(|error| raise(py, error))?,
        normalize: way.getattr("normalize")?.extract()?,
        skip: way.getattr("skip")?.extract()?,
    })
}

/// A reference.dropout.Dropout.
fn dropout_of(dropout: &Bound<PyAny>) -> PyResult<Dropout> {
    Ok(Dropout {
        seed: dropout.getattr("seed")?.extract()?,
        step: dropout.getattr("step")?.extract()?,
        batch: dropout.getattr("batch")?.extract()?,
    })
}

/// A reference.learning.AdamW.
pub fn settings_of(settings: &Bound<PyAny>) -> PyResult<training::AdamW> {
    Ok(training::AdamW {
        weight_decay: settings.getattr("weight_decay")?.extract()?,
        betas: settings.getattr("betas")?.extract()?,
        epsilon: settings.getattr("epsilon")?.extract()?,
    })
}
