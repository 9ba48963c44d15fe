//! The models from outside. One binary: linking is the slow part.

mod attention;
mod char_encoder;
mod common;
mod configs;
mod configs_char_encoder;
mod configs_families;
mod configs_modernbert;
mod convolution;
mod families;
mod gradients;
mod inputs;
mod masking;
mod modernbert;
mod modernbert_heads;
mod packed;
mod pooling;
mod rope_encoder;
mod tiny_char_encoder;
mod tiny_families;
mod tiny_modernbert;
mod tiny_rope_encoder;
