//! Named tensors, handed out strictly: under the right name, in the right shape, each one used.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::sync::Arc;

use candle_core::Tensor;
use encoders_kernels::{Layout, checkpoint_error};

use crate::error::{Result, some};

/// The tensors of a checkpoint by key.
pub type Tensors = BTreeMap<String, Tensor>;

/// Where a module stands in the tree of a model; the keys of its tensors begin with it.
///
/// Each module keeps its own, so that what it computes can be recorded under its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(Arc<str>);

impl Path {
    /// The path of the module or of the tensor `name` inside this one.
    pub fn under(&self, name: impl Display) -> Self {
        match self.is_root() {
            true => Self(name.to_string().into()),
            false => Self(format!("{self}.{name}").into()),
        }
    }

    /// Whether this is the model itself, which has no name.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The part of a checkpoint that lies under one module path.
pub struct Weights<'a> {
    tensors: &'a Tensors,
    used: &'a RefCell<BTreeSet<String>>,
    path: Path,
    /// Whether dense layers multiply in eight bits.
    int8: bool,
}

impl<'a> Weights<'a> {
    /// Builds a model from `tensors` and makes sure that it used all of them.
    pub fn build<M>(
        tensors: &'a Tensors,
        model: impl FnOnce(&Weights) -> Result<M>,
    ) -> Result<M> {
        Self::build_for(false, tensors, model)
    }

    /// [`Weights::build`]; with `int8`, the model's dense layers multiply in eight bits.
    pub fn build_for<M>(
        int8: bool,
        tensors: &'a Tensors,
        model: impl FnOnce(&Weights) -> Result<M>,
    ) -> Result<M> {
        let used = RefCell::default();
        let model = model(&Weights { tensors, used: &used, path: Path::default(), int8 })?;
        let used = used.into_inner();
        let unused: Vec<_> = tensors.keys().filter(|key| !used.contains(*key)).collect();
        match unused.is_empty() {
            true => Ok(model),
            false => Err(checkpoint_error!("the model has no place for {}", some(&unused))),
        }
    }

    /// The path of the module that these tensors are of.
    pub fn path(&self) -> Path {
        self.path.clone()
    }

    /// The tensors of the module `name` inside this one.
    pub fn under(&self, name: impl Display) -> Weights<'a> {
        Weights { path: self.path.under(name), ..*self }
    }

    /// That of a dense layer of the model.
    pub fn layout(&self) -> Layout {
        if self.int8 { Layout::int8() } else { Layout::default() }
    }

    /// Whether any tensor lies under the module `name`.
    pub fn has(&self, name: &str) -> bool {
        let prefix = format!("{}.", self.path.under(name));
        self.tensors.keys().any(|key| key.starts_with(&prefix))
    }

    /// The tensor `name` of this module, which must have the given shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let key = self.path.under(name).to_string();
        let Some(tensor) = self.tensors.get(&key) else {
            return Err(checkpoint_error!(
                "{key} is missing; the model needs it in shape {shape:?}"
            ));
        };
        if tensor.dims() != shape {
            return Err(checkpoint_error!(
                "{key} has shape {:?}; the configuration asks for {shape:?}",
                tensor.dims()
            ));
        }
        self.used.borrow_mut().insert(key);
        Ok(tensor.clone())
    }
}
