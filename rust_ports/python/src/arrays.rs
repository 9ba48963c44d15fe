//! NumPy arrays to tensors and back. Both directions copy: neither side keeps the other's
//! memory.

use candle_core::{DType, Device, Tensor, Var};
use encoders::Error;
use numpy::{PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::errors::raise;

/// A tensor in the form in which it leaves, made while Python may run.
pub struct Array {
    numbers: Numbers,
    shape: Vec<usize>,
}

enum Numbers {
    Float(Vec<f32>),
    Double(Vec<f64>),
    Integer(Vec<i64>),
}

impl Array {
    /// float64 and integers stay what they are; every other float leaves as float32.
    pub fn of(tensor: &Tensor) -> encoders::Result<Self> {
        let flat = tensor.flatten_all()?;
        let numbers = match tensor.dtype() {
            DType::F64 => Numbers::Double(flat.to_vec1()?),
            DType::I64 => Numbers::Integer(flat.to_vec1()?),
            DType::U8 | DType::U32 => Numbers::Integer(flat.to_dtype(DType::I64)?.to_vec1()?),
            _ => Numbers::Float(flat.to_dtype(DType::F32)?.to_vec1()?),
        };
        Ok(Self { numbers, shape: tensor.dims().to_vec() })
    }

    pub fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(match self.numbers {
            Numbers::Float(numbers) => {
                PyArray1::from_vec(py, numbers).reshape(self.shape)?.into_any()
            }
            Numbers::Double(numbers) => {
                PyArray1::from_vec(py, numbers).reshape(self.shape)?.into_any()
            }
            Numbers::Integer(numbers) => {
                PyArray1::from_vec(py, numbers).reshape(self.shape)?.into_any()
            }
        })
    }
}

/// A float32 or float64 array; half precision is widened to float32.
pub fn float(name: &str, array: &Bound<PyAny>) -> PyResult<Tensor> {
    float_as(name, array, false)
}

/// The same as a variable on large pages: a model holds its parameters as such, and would copy
/// a tensor once more to have one.
pub fn parameter(name: &str, array: &Bound<PyAny>) -> PyResult<Tensor> {
    float_as(name, array, true)
}

fn float_as(name: &str, array: &Bound<PyAny>, variable: bool) -> PyResult<Tensor> {
    match kind(array)?.as_str() {
        "float64" => tensor::<f64>(array, "float64", variable),
        "float32" | "float16" => tensor::<f32>(array, "float32", variable),
        other => Err(wrong(
            array.py(),
            format!("{name} is an array of {other}; it must hold floating numbers"),
        )),
    }
}

/// An array of integers or booleans, as int64.
pub fn integer(name: &str, array: &Bound<PyAny>) -> PyResult<Tensor> {
    match kind(array)?.as_str() {
        "uint64" => Err(wrong(
            array.py(),
            format!("{name} is an array of uint64; it must be one of int64"),
        )),
        other if other == "bool" || other.contains("int") => {
            tensor::<i64>(array, "int64", false)
        }
        other => Err(wrong(
            array.py(),
            format!("{name} is an array of {other}; it must hold integers"),
        )),
    }
}

/// Labels keep their kind: integers are classes, floats are targets.
pub fn labels(array: &Bound<PyAny>) -> PyResult<Tensor> {
    match kind(array)?.contains("int") {
        true => integer("labels", array),
        false => float("labels", array),
    }
}

/// Cumulative lengths, which Rust takes as sizes.
pub fn cu_seqlens(array: &Bound<PyAny>) -> PyResult<Vec<usize>> {
    let numbers =
        integer("cu_seqlens", array)?.flatten_all().and_then(|flat| flat.to_vec1::<i64>());
    let sizes: Result<Vec<usize>, _> =
        numbers.unwrap_or_default().into_iter().map(usize::try_from).collect();
    sizes.map_err(|_| wrong(array.py(), "cu_seqlens holds a negative number".into()))
}

fn kind(array: &Bound<PyAny>) -> PyResult<String> {
    match array.getattr("dtype") {
        Ok(dtype) => dtype.getattr("name")?.extract(),
        Err(_) => {
            let found = array.get_type().name()?.to_string();
            Err(wrong(array.py(), format!("{found} is not a NumPy array")))
        }
    }
}

trait Element: numpy::Element + candle_core::WithDType {}
impl<T: numpy::Element + candle_core::WithDType> Element for T {}

fn tensor<T: Element>(array: &Bound<PyAny>, dtype: &str, variable: bool) -> PyResult<Tensor> {
    // NumPy itself brings byte order, alignment and strides to what a slice needs, and copies
    // only if it must.
    let numpy = array.py().import("numpy")?;
    let array = numpy.call_method1("require", (array, dtype, ["C_CONTIGUOUS", "ALIGNED"]))?;
    let array: PyReadonlyArrayDyn<T> = array.cast_into::<PyArrayDyn<T>>()?.readonly();
    let (numbers, shape) = (array.as_slice()?, array.shape());
    let made = match variable {
        true => {
            let mut own = encoders::room(numbers.len());
            own.extend_from_slice(numbers);
            Var::from_vec(own, shape, &Device::Cpu).map(Var::into_inner)
        }
        false => Tensor::from_slice(numbers, shape, &Device::Cpu),
    };
    made.map_err(|problem| raise(array.py(), Error::Candle(problem)))
}

fn wrong(py: Python, message: String) -> PyErr {
    raise(py, Error::Input(message))
}
