//! The weights that a RoPE encoder begins with before it has learned anything.

use candle_core::{Device, Tensor};

use super::RopeEncoderConfig;
use crate::error::Result;
use crate::weights::Tensors;

/// Norms begin as the identity, biases at zero, the temperature where the configuration says,
/// and everything else is normally distributed: narrower where a layer writes to the residual
/// stream, so that the sum of all layers begins no larger than one of them (Radford et al.
/// 2019). The row of the pads is zero.
///
/// They are distributed as Python's are, and are other numbers. Each tensor has a generator of
/// its own, which its name seeds.
pub fn first_tensors(
    config: &RopeEncoderConfig,
    seed: u64,
    device: &Device,
) -> Result<Tensors> {
    let base = if config.is_masked_language { "model." } else { "" };
    let mut tensors = Tensors::new();
    let mut put = |key: String, shape: &[usize], numbers: Vec<f32>| -> Result<()> {
        tensors.insert(key, Tensor::from_vec(numbers, shape, device)?);
        Ok(())
    };
    let (size, wide) = (config.hidden_size, config.intermediate_size);
    let usual = config.initializer_range;
    let narrow = usual / (2.0 * config.num_hidden_layers as f64).sqrt();

    let key = format!("{base}embeddings.word_embeddings.weight");
    let mut words = normal(&key, seed, config.vocab_size * size, usual);
    if let Some(pad) = config.pad_token_id {
        words[pad * size..(pad + 1) * size].fill(0.0);
    }
    put(key, &[config.vocab_size, size], words)?;
    for layer in 0..config.num_hidden_layers {
        let layer = format!("{base}layers.{layer}");
        let dense = [
            ("attention.query", size, size, usual),
            ("attention.key", size, size, usual),
            ("attention.value", size, size, usual),
            ("attention.output", size, size, narrow),
            ("feed_forward.up", wide, size, usual),
            ("feed_forward.down", size, wide, narrow),
        ];
        for (name, outputs, inputs, deviation) in dense {
            let key = format!("{layer}.{name}.weight");
            let numbers = normal(&key, seed, outputs * inputs, deviation);
            put(key, &[outputs, inputs], numbers)?;
            put(format!("{layer}.{name}.bias"), &[outputs], vec![0.0; outputs])?;
        }
        for name in ["attention_norm", "feed_forward_norm"] {
            put(format!("{layer}.{name}.weight"), &[size], vec![1.0; size])?;
            put(format!("{layer}.{name}.bias"), &[size], vec![0.0; size])?;
        }
    }
    put(format!("{base}final_norm.weight"), &[size], vec![1.0; size])?;
    put(format!("{base}final_norm.bias"), &[size], vec![0.0; size])?;
    if config.use_temperature {
        let logarithm = config.temperature_init.ln() as f32;
        put(format!("{base}log_temperature"), &[1], vec![logarithm])?;
    }
    if config.is_masked_language {
        let words = config.vocab_size;
        if !config.tie_word_embeddings {
            let numbers = normal("decoder.weight", seed, words * size, usual);
            put("decoder.weight".into(), &[words, size], numbers)?;
        }
        put("decoder.bias".into(), &[words], vec![0.0; words])?;
    }
    Ok(tensors)
}

/// Numbers of that standard deviation, two at a time (Box and Muller 1958).
fn normal(key: &str, seed: u64, count: usize, deviation: f64) -> Vec<f32> {
    let start = key.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut state = start;
    // SplitMix64 (Steele et al. 2014), above 0 and up to 1.
    let mut uniform = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64 + 2f64.powi(-54)
    };
    let mut numbers = Vec::with_capacity(count + 1);
    while numbers.len() < count {
        let radius = (-2.0 * uniform().ln()).sqrt() * deviation;
        let (sine, cosine) = (uniform() * std::f64::consts::TAU).sin_cos();
        numbers.extend([(radius * cosine) as f32, (radius * sine) as f32]);
    }
    numbers.truncate(count);
    numbers
}
