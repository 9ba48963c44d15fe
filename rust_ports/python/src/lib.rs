//! `reference.candle._native`: the encoders crate for Python, NumPy arrays in and out.

mod arrays;
mod errors;
mod functions;
mod model;

/// The Rust port: a Model that fulfils the protocol of reference/backend.py, and the functions
/// it is made of.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::functions::{
        activate, activation_names, apply_rope, apply_rope_interleaved, binary_cross_entropy,
        blockwise_attention, classification_loss, cls_pooling, cross_entropy, dense,
        embed_texts, embedding, gelu, gelu_tanh, halves_to_pairs, inverse_frequencies,
        layer_norm, linear, mask_tokens, max_pooling, mean_pooling, mean_squared_error,
        merge_heads, normalize, packed_attention, pad_packed, padding_mask, pairs_to_halves,
        positions, quick_gelu, read_checkpoint, relu_squared, rope_tables, rotate_half,
        rotate_pairs, scaled_dot_product_attention, sliding_window_mask, split_heads, spread,
        token_ids, word_bounds,
    };
    #[pymodule_export]
    use crate::model::Model;
}
