//! `reference.candle._native`: the encoders crate for Python, NumPy arrays in and out.

mod arrays;
mod errors;
mod functions;
mod model;

/// The Rust port: a Model that fulfils the protocol of reference/backend.py, and the functions it is made of.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::functions::{
        activate, activation_names, binary_cross_entropy, classification_loss, cls_pooling,
        cross_entropy, dense, embed_texts, embedding, gelu, gelu_tanh, layer_norm, linear,
        max_pooling, mean_pooling, mean_squared_error, merge_heads, normalize, packed_attention,
        pad_packed, padding_mask, positions, quick_gelu, read_checkpoint, relu_squared,
        scaled_dot_product_attention, split_heads, token_ids,
    };
    #[pymodule_export]
    use crate::model::Model;
}
