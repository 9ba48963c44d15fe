//! Named tensors, handed out strictly: under the right name, in the right shape, each one used.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use candle_core::Tensor;

use crate::error::{Result, checkpoint_error, some};

/// The tensors of a checkpoint by key.
pub type Tensors = BTreeMap<String, Tensor>;

/// The part of a checkpoint that lies under one module path.
pub struct Weights<'a> {
    tensors: &'a Tensors,
    used: &'a RefCell<BTreeSet<String>>,
    prefix: String,
}

impl<'a> Weights<'a> {
    /// Builds a model from `tensors` and makes sure that it used all of them.
    pub fn build<M>(
        tensors: &'a Tensors,
        model: impl FnOnce(&Weights) -> Result<M>,
    ) -> Result<M> {
        let used = RefCell::default();
        let model = model(&Weights { tensors, used: &used, prefix: String::new() })?;
        let used = used.into_inner();
        let unused: Vec<_> = tensors.keys().filter(|key| !used.contains(*key)).collect();
        match unused.is_empty() {
            true => Ok(model),
            false => Err(checkpoint_error!("the model has no place for {}", some(&unused))),
        }
    }

    /// The tensors of the module `name` inside this one.
    pub fn under(&self, name: impl std::fmt::Display) -> Weights<'a> {
        Weights {
            tensors: self.tensors,
            used: self.used,
            prefix: format!("{}{name}.", self.prefix),
        }
    }

    /// Whether any tensor lies under the module `name`.
    pub fn has(&self, name: &str) -> bool {
        let prefix = format!("{}{name}.", self.prefix);
        self.tensors.keys().any(|key| key.starts_with(&prefix))
    }

    /// The tensor `name` of this module, which must have the given shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let key = format!("{}{name}", self.prefix);
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
