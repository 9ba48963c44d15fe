//! The models from outside. One binary: linking is the slow part.

mod attention;
mod common;
mod configs;
mod configs_families;
mod configs_modernbert;
mod families;
mod gradients;
mod inputs;
mod masking;
mod modernbert;
mod modernbert_heads;
mod packed;
mod pooling;
mod rope_encoder;
mod tiny_families;
mod tiny_modernbert;
mod tiny_rope_encoder;
