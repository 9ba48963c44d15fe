//! Numbers in eight bits, in the plain form.

use candle_core::{D, Tensor};
use encoders_kernels::GROUP;

use crate::error::Result;

/// The largest whole number.
const MOST: f64 = 127.0;
/// Added to a small number in float32, it leaves no room for digits after the point: the sum is
/// rounded, half to even.
const SHIFT: f64 = 1.5 * (1 << 23) as f64;

/// The tensor `[..., inputs]` as it is after rounding: in groups along the inputs, each number
/// is a whole one from -127 to 127 times the scale of its group.
pub(super) fn rounded(x: &Tensor) -> Result<Tensor> {
    let inputs = x.dim(D::Minus1)?;
    let missing = inputs.next_multiple_of(GROUP) - inputs;
    let groups = x.pad_with_zeros(D::Minus1, 0, missing)?.reshape(((), GROUP))?;
    let largest = groups.abs()?.max_keepdim(D::Minus1)?; // [groups, 1]
    // Of a group of zeros the number one is as good as another.
    let largest = largest.maximum(f64::from(f32::MIN_POSITIVE * 128.0))?;
    let whole = groups.broadcast_mul(&(largest.recip()? * MOST)?)?;
    let whole = ((whole + SHIFT)? - SHIFT)?;
    let mut shape = x.dims().to_vec();
    *shape.last_mut().expect("a row has an axis") = inputs + missing;
    let rounded = whole.broadcast_mul(&(largest / MOST)?)?.reshape(shape)?;
    Ok(rounded.narrow(D::Minus1, 0, inputs)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Linear;
    use crate::weights::Path;
    use candle_core::Device;
    use encoders_kernels::Layout;

    #[test]
    fn numbers_become_127ths_of_the_largest() {
        let x = Tensor::new(&[[-254f32, 127.0, 3.0, 5.0], [0.0; 4]], &Device::Cpu).unwrap();
        let found = rounded(&x).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(found, [[-254.0, 128.0, 4.0, 4.0], [0.0; 4]]);
    }

    #[test]
    fn the_kernel_gives_what_the_plain_form_does() {
        for (inputs, outputs) in [(20, 5), (64, 40), (384, 3)] {
            let random =
                |rows| Tensor::randn(0f32, 1f32, (rows, inputs), &Device::Cpu).unwrap();
            let bias = Tensor::randn(0f32, 1f32, outputs, &Device::Cpu).unwrap();
            let layer = Linear::of(random(outputs), Some(bias), Path::default());
            let layer = layer.laid_out(Layout::int8());
            let x = random(9).reshape((3, 3, inputs)).unwrap();
            let plain = layer.plain(&rounded(&x).unwrap(), &rounded(&layer.weight).unwrap());
            let (found, plain) = (layer.forward(&x).unwrap(), plain.unwrap());
            assert_eq!(found.dims(), plain.dims());
            let off = (found - plain).unwrap().abs().unwrap().flatten_all().unwrap();
            let most = off.max(0).unwrap().to_scalar::<f32>().unwrap();
            assert!(most <= 4e-5, "{inputs} {outputs}: {most:e}");
        }
    }
}
