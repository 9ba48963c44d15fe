//! The library from outside. One binary: linking is the slow part.

mod checkpoints;
mod common;
mod embedder;
mod gradients;
mod modernbert;
mod packed;
