//! `reference.candle._native`: the encoders crate for Python, NumPy arrays in and out.

mod arrays;
mod errors;
mod functions;
mod learner;
mod model;
mod watching;

/// The Rust port: a Model that fulfils the protocol of reference/backend.py, and the functions
/// it is made of.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::functions::attention::{
        blockwise_attention, merge_heads, packed_attention, pad_packed, padding_mask,
        positions, scaled_dot_product_attention, sliding_window_mask, split_heads,
    };
    #[pymodule_export]
    use crate::functions::convolution::{convolved, lengthened, shortened, windows};
    #[pymodule_export]
    use crate::functions::layers::{
        activate, activation_names, gelu, gelu_tanh, linear, quick_gelu, relu_squared,
    };
    #[pymodule_export]
    use crate::functions::losses::{
        binary_cross_entropy, classification_loss, cross_entropy, mean_squared_error,
    };
    #[pymodule_export]
    use crate::functions::masking::{mask_tokens, spread, word_bounds};
    #[pymodule_export]
    use crate::functions::pipelines::{
        classify_texts, detect_texts, fill_texts, rank_texts, tag_texts,
    };
    #[pymodule_export]
    use crate::functions::pooling::{
        cls_pooling, cosine_similarity, last_token_pooling, max_pooling, mean_pooling,
        mean_sqrt_len_pooling, normalize, pool, weighted_mean_pooling, without_prompt,
    };
    #[pymodule_export]
    use crate::functions::rope::{
        apply_exact_rope, apply_rope, apply_rope_interleaved, exact_rope_tables,
        halves_to_pairs, inverse_frequencies, pairs_to_halves, rope_tables, rotate_half,
        rotate_pairs,
    };
    #[pymodule_export]
    use crate::functions::training::{adamw, gradient_norm};
    #[pymodule_export]
    use crate::functions::whole::{check_device, embed_texts, read_checkpoint, token_ids};
    #[pymodule_export]
    use crate::learner::Learner;
    #[pymodule_export]
    use crate::model::Model;
}
