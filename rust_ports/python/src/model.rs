//! The protocol of reference/backend.py: a model that takes and returns NumPy arrays.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use candle_core::{DType, Device, Tensor};
use encoders::config::LayerType;
use encoders::{
    Config, Inputs, Lengths, Output, Pooling, RopeTables, among_workers, pool_packed, pooling,
};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::arrays::{self, Array};
use crate::errors::{raise, run};
use crate::watching::{self, strings};

/// A model of any architecture: the text of its config.json, Transformers' name of the
/// architecture, exactly the tensors that it is made of, and the dtype and the device to
/// compute in and on.
#[pyclass(frozen, module = "reference.candle._native")]
pub struct Model {
    model: RwLock<encoders::Model>,
    pub device: Device,
    dtype: DType,
    rope_tables: Mutex<Option<Arc<RopeTables>>>,
}

/// A reference.inputs.Inputs, as tensors.
pub struct Arrays {
    input_ids: Tensor,
    attention_mask: Option<Tensor>,
    token_type_ids: Option<Tensor>,
    cu_seqlens: Option<Vec<usize>>,
    places: Option<Tensor>,
    candidates: Option<Tensor>,
    offsets: Option<Tensor>,
    spans: Option<Tensor>,
    shares: Option<Tensor>,
}

/// The dtype in which dense layers multiply, and nothing else is.
const INT8: &str = "int8";

type Object<'a, 'py> = &'a Bound<'py, PyAny>;
/// The cosines and the sines of RoPE's tables.
type Pair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

impl Arrays {
    pub fn of(inputs: Object) -> PyResult<Self> {
        let given = |name: &str| -> PyResult<Option<Bound<PyAny>>> {
            Ok(Some(inputs.getattr(name)?).filter(|array| !array.is_none()))
        };
        let optional =
            |name| given(name)?.map(|array| arrays::integer(name, &array)).transpose();
        let floats = |name| given(name)?.map(|array| arrays::float(name, &array)).transpose();
        Ok(Self {
            input_ids: arrays::integer("input_ids", &inputs.getattr("input_ids")?)?,
            attention_mask: optional("attention_mask")?,
            token_type_ids: optional("token_type_ids")?,
            cu_seqlens: given("cu_seqlens")?
                .map(|array| arrays::cu_seqlens(&array))
                .transpose()?,
            places: optional("places")?,
            candidates: optional("candidates")?,
            offsets: floats("offsets")?,
            spans: optional("spans")?,
            shares: floats("shares")?,
        })
    }

    /// The same where the model is.
    pub fn on(self, device: &Device) -> encoders::Result<Self> {
        let there = |tensor: Tensor| tensor.to_device(device);
        Ok(Self {
            input_ids: there(self.input_ids)?,
            attention_mask: self.attention_mask.map(there).transpose()?,
            token_type_ids: self.token_type_ids.map(there).transpose()?,
            cu_seqlens: self.cu_seqlens,
            places: self.places.map(there).transpose()?,
            candidates: self.candidates.map(there).transpose()?,
            offsets: self.offsets.map(there).transpose()?,
            spans: self.spans.map(there).transpose()?,
            shares: self.shares.map(there).transpose()?,
        })
    }

    pub fn inputs<'a>(
        &'a self,
        output_hidden_states: bool,
        rope_tables: Option<&'a RopeTables>,
    ) -> Inputs<'a> {
        Inputs {
            input_ids: &self.input_ids,
            attention_mask: self.attention_mask.as_ref(),
            token_type_ids: self.token_type_ids.as_ref(),
            cu_seqlens: self.cu_seqlens.as_deref(),
            places: self.places.as_ref(),
            candidates: self.candidates.as_ref(),
            offsets: self.offsets.as_ref(),
            spans: self.spans.as_ref(),
            shares: self.shares.as_ref(),
            output_hidden_states,
            rope_tables,
        }
    }
}

/// The dtype of that name, in which the parameters are: of "int8", which dense layers multiply
/// in, float32.
pub fn dtype_of(py: Python, name: &str) -> PyResult<DType> {
    match name {
        "float32" | INT8 => Ok(DType::F32),
        "float64" => Ok(DType::F64),
        "float16" => Ok(DType::F16),
        _ => {
            let message = format!(
                "dtype {name:?} is not available in candle; it is one of float32, float64, \
                 float16, int8"
            );
            Err(raise(py, encoders::Error::Input(message)))
        }
    }
}

#[pymethods]
impl Model {
    #[new]
    #[pyo3(signature = (config, architecture, tensors, dtype, device="cpu"))]
    fn new(
        py: Python,
        config: &str,
        architecture: &str,
        tensors: BTreeMap<String, Bound<PyAny>>,
        dtype: &str,
        device: &str,
    ) -> PyResult<Self> {
        let int8 = dtype == INT8;
        let dtype = dtype_of(py, dtype)?;
        let device = encoders::device(device).map_err(|error| raise(py, error))?;
        let tensors = tensors
            .iter()
            .map(|(key, array)| Ok((key.clone(), arrays::parameter(key, array)?)));
        let tensors: BTreeMap<String, Tensor> = tensors.collect::<PyResult<_>>()?;
        run(py, || {
            let there = |tensor: Tensor| tensor.to_dtype(dtype)?.to_device(&device);
            let tensors = tensors.into_iter().map(|(key, tensor)| Ok((key, there(tensor)?)));
            let tensors = tensors.collect::<encoders::Result<_>>()?;
            let model =
                encoders::Model::new(architecture, Config::from_json(config)?, tensors)?;
            let model = if int8 { model.in_int8()? } else { model };
            Ok(Self { model: RwLock::new(model), device, dtype, rope_tables: Mutex::default() })
        })
    }

    /// Turns queries and keys by tables from elsewhere: for each kind of layer,
    /// "full_attention" and "sliding_attention", the cosines and the sines, [positions,
    /// head_dim] each. None: by the model's own again.
    #[pyo3(signature = (tables))]
    fn use_rope_tables(
        &self,
        py: Python,
        tables: Option<BTreeMap<String, Pair>>,
    ) -> PyResult<()> {
        let named = |(name, (cos, sin)): (String, Pair)| {
            let kind = LayerType::from_name(&name).map_err(|error| raise(py, error))?;
            let there = |name, table| {
                let table = arrays::float(name, table)?.to_device(&self.device);
                table.map_err(|problem| raise(py, problem.into()))
            };
            Ok((kind, (there("cos", &cos)?, there("sin", &sin)?)))
        };
        let tables =
            tables.map(|tables| tables.into_iter().map(named).collect::<PyResult<_>>());
        let tables = tables.transpose()?.map(Arc::new);
        *self.rope_tables.lock().unwrap_or_else(PoisonError::into_inner) = tables;
        Ok(())
    }

    /// A dict of last_hidden_state, pooler_output, logits and hidden_states, as far as they
    /// apply.
    #[pyo3(signature = (inputs, output_hidden_states=false))]
    fn forward<'py>(
        &self,
        py: Python<'py>,
        inputs: Object,
        output_hidden_states: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (arrays, tables) = (Arrays::of(inputs)?, self.rope_tables());
        let (single, states) = run(py, || {
            let arrays = arrays.on(&self.device)?;
            let inputs = arrays.inputs(output_hidden_states, tables.as_deref());
            let network = &self.model().network;
            let output = among_workers(&inputs, || network.forward(&inputs, None))?;
            let states = output.hidden_states.iter().flatten().map(Array::of);
            let states = states.collect::<encoders::Result<Vec<_>>>()?;
            Ok((named(tensors(output))?, states))
        })?;
        let outputs = dict(py, single)?;
        if output_hidden_states {
            let states = states.into_iter().map(|state| state.into_python(py));
            let states = PyList::new(py, states.collect::<PyResult<Vec<_>>>()?)?;
            outputs.set_item("hidden_states", states)?;
        }
        Ok(outputs)
    }

    /// One vector a packed text: its hidden states pooled in each of `ways`, side by side; the
    /// first `skip` tokens of each text, a prompt's, are not seen.
    #[pyo3(signature = (inputs, ways, normalize, skip=0))]
    fn embed<'py>(
        &self,
        py: Python<'py>,
        inputs: Object,
        ways: Vec<String>,
        normalize: bool,
        skip: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (arrays, tables) = (Arrays::of(inputs)?, self.rope_tables());
        let vectors = run(py, || {
            let ways = ways
                .iter()
                .map(|way| way.parse())
                .collect::<encoders::Result<Vec<Pooling>>>()?;
            let arrays = arrays.on(&self.device)?;
            let inputs = arrays.inputs(false, tables.as_deref());
            let network = &self.model().network;
            let hidden = among_workers(&inputs, || network.last_hidden_state(&inputs))?;
            let lengths = Lengths::new(inputs.cu_seqlens.unwrap_or_default(), hidden.dim(0)?)?;
            let pooled = pool_packed(&hidden, lengths, &ways, skip)?;
            Array::of(&if normalize { pooling::normalize(&pooled, 1e-12)? } else { pooled })
        });
        vectors?.into_python(py)
    }

    /// What texts are compared by in training: the cosine of every vector with every reference,
    /// divided by the temperature where the model has learned one.
    fn similarity<'py>(
        &self,
        py: Python<'py>,
        vectors: Object,
        references: Object,
    ) -> PyResult<Bound<'py, PyAny>> {
        let vectors = arrays::float("vectors", vectors)?;
        let references = arrays::float("references", references)?;
        let scores = run(py, || {
            let there = |tensor: Tensor| tensor.to_dtype(self.dtype)?.to_device(&self.device);
            let (vectors, references) = (there(vectors)?, there(references)?);
            Array::of(&self.model().network.encoder().similarity(&vectors, &references)?)
        });
        scores?.into_python(py)
    }

    /// The loss on the labels and its gradient in every parameter.
    fn gradients<'py>(
        &self,
        py: Python<'py>,
        inputs: Object,
        labels: Object,
    ) -> PyResult<(f64, Bound<'py, PyDict>)> {
        let (arrays, tables) = (Arrays::of(inputs)?, self.rope_tables());
        let labels = arrays::labels(labels)?;
        let (loss, gradients) = run(py, || {
            let arrays = arrays.on(&self.device)?;
            let inputs = arrays.inputs(false, tables.as_deref());
            let labels = labels.to_device(&self.device)?;
            let (loss, gradients) = self.model().gradients(&inputs, &labels)?;
            Ok((loss, named(gradients)?))
        })?;
        Ok((loss, dict(py, gradients)?))
    }

    /// What each of these operations returned, by its module path in Transformers, in order of
    /// evaluation.
    fn trace<'py>(
        &self,
        py: Python<'py>,
        inputs: Object,
        operations: Object,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (arrays, tables) = (Arrays::of(inputs)?, self.rope_tables());
        let wanted = strings(operations)?;
        let trace = run(py, || {
            let arrays = arrays.on(&self.device)?;
            let inputs = arrays.inputs(false, tables.as_deref());
            let seen = self.model().trace(&inputs)?;
            named(seen.into_iter().filter(|(name, _)| wanted.contains(name)))
        });
        dict(py, trace?)
    }

    /// What `work` returns, which runs the model on this thread; meanwhile `look` is called
    /// with the path of each of these operations, with what that returned, and with the dtype.
    #[staticmethod]
    fn watch<'py>(
        work: Object<'_, 'py>,
        operations: Object,
        look: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        watching::watch(work, operations, look)
    }

    /// The parameters, under their checkpoint keys.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        dict(py, run(py, || named(self.model().state()))?)
    }
}

impl Model {
    pub fn model(&self) -> RwLockReadGuard<'_, encoders::Model> {
        self.model.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same model with other numbers in it.
    pub fn replace(&self, model: encoders::Model) {
        *self.model.write().unwrap_or_else(PoisonError::into_inner) = model;
    }

    pub fn rope_tables(&self) -> Option<Arc<RopeTables>> {
        self.rope_tables.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn tensors(output: Output) -> impl Iterator<Item = (&'static str, Tensor)> {
    let keys = ["last_hidden_state", "pooler_output", "logits"];
    let values = [output.last_hidden_state, output.pooler_output, output.logits];
    keys.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?)))
}

/// The tensors in the form in which they leave, with their names.
pub fn named<K: ToString>(
    tensors: impl IntoIterator<Item = (K, Tensor)>,
) -> encoders::Result<Vec<(String, Array)>> {
    tensors
        .into_iter()
        .map(|(key, tensor)| Ok((key.to_string(), Array::of(&tensor)?)))
        .collect()
}

/// A dict of arrays, in the order given.
pub fn dict(py: Python<'_>, arrays: Vec<(String, Array)>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for (key, array) in arrays {
        dict.set_item(key, array.into_python(py)?)?;
    }
    Ok(dict)
}
