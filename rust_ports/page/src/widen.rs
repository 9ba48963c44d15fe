//! Weights in eight bits, as a page fetches them, widened to the float32 that a model reads.

use std::collections::BTreeMap;

use encoders::Result;
use encoders_models::checkpoint_error;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// Numbers that share a scale (GGML's Q8_0).
const GROUP: usize = 32;
/// What the name of a tensor's scales ends with.
const SCALES: &str = ".scales";

/// The safetensors file with each tensor of int8 as float32: in groups of 32 along the rows, a
/// number times the float16 scale of its group. All others stay as they are.
pub fn widen(file: &[u8]) -> Result<Vec<u8>> {
    let wrong = |problem: String| checkpoint_error!("not a sound file of weights: {problem}");
    let packed =
        SafeTensors::deserialize(file).map_err(|problem| wrong(problem.to_string()))?;
    let mut widened = BTreeMap::new();
    for (name, view) in packed.iter() {
        if view.dtype() == Dtype::I8 {
            let scales = packed.tensor(&format!("{name}{SCALES}"));
            let scales = scales.map_err(|problem| wrong(problem.to_string()))?;
            let numbers = times(view.data(), scales.data()).ok_or_else(|| {
                wrong(format!("{name} has not one scale for each {GROUP} numbers"))
            })?;
            widened.insert(name, (Dtype::F32, view.shape().to_vec(), numbers));
        } else if !name.ends_with(SCALES) {
            let whole = (view.dtype(), view.shape().to_vec(), view.data().to_vec());
            widened.insert(name, whole);
        }
    }
    let views = widened.iter().map(|(name, (dtype, shape, numbers))| {
        Ok((*name, TensorView::new(*dtype, shape.clone(), numbers)?))
    });
    let views: std::result::Result<Vec<_>, safetensors::SafeTensorError> = views.collect();
    views
        .and_then(|views| safetensors::serialize(views, None))
        .map_err(|problem| wrong(problem.to_string()))
}

/// The products as the bytes of float32; None where there are not as many scales as groups.
fn times(numbers: &[u8], scales: &[u8]) -> Option<Vec<u8>> {
    if scales.len() != numbers.len().div_ceil(GROUP) * 2 {
        return None;
    }
    let scales = scales.chunks_exact(2).map(|two| half([two[0], two[1]]));
    let groups = numbers.chunks(GROUP).zip(scales);
    let products = groups.flat_map(|(group, scale)| {
        group.iter().flat_map(move |number| (f32::from(*number as i8) * scale).to_le_bytes())
    });
    Some(products.collect())
}

/// float16 of a scale, which is finite and not negative, as float32.
fn half(bytes: [u8; 2]) -> f32 {
    let bits = u16::from_le_bytes(bytes);
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    match exponent {
        0 => fraction * 2f32.powi(-24),
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(numbers: &[u8], scales: &[u8]) -> Vec<u8> {
        let rows = TensorView::new(Dtype::I8, vec![2, numbers.len() / 2], numbers).unwrap();
        let own = TensorView::new(Dtype::F16, vec![scales.len() / 2], scales).unwrap();
        let bias = TensorView::new(Dtype::F32, vec![1], &[0, 0, 128, 63]).unwrap();
        let parts = [("w", rows), ("w.scales", own), ("b", bias)];
        safetensors::serialize(parts, None).unwrap()
    }

    #[test]
    fn numbers_are_multiplied_by_the_scale_of_their_group() {
        let mut numbers = vec![1u8; 32];
        numbers.extend(vec![(-127i8) as u8; 32]);
        let scales = [0x00, 0x3c, 0x00, 0x38]; // 1 and a half
        let widened = widen(&file(&numbers, &scales)).unwrap();
        let read = SafeTensors::deserialize(&widened).unwrap();
        let found = read.tensor("w").unwrap();
        assert_eq!((found.dtype(), found.shape()), (Dtype::F32, &[2, 32][..]));
        let found: Vec<f32> = found
            .data()
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
            .collect();
        assert_eq!(found[..32], [1.0; 32]);
        assert_eq!(found[32..], [-63.5; 32]);
        assert_eq!(read.tensor("b").unwrap().data(), [0, 0, 128, 63]);
        assert!(read.tensor("w.scales").is_err());
    }

    #[test]
    fn missing_scales_are_told() {
        let error = widen(&file(&[1; 64], &[0x00, 0x3c])).unwrap_err().to_string();
        assert!(error.contains("w has not one scale"), "{error}");
        assert!(widen(b"nothing").is_err());
    }

    #[test]
    fn halves_are_read_as_they_are() {
        for (bits, number) in
            [(0x0001u16, 5.9604645e-8), (0x0400, 6.1035156e-5), (0x7bff, 65504.0)]
        {
            assert_eq!(half(bits.to_le_bytes()), number);
        }
    }
}
