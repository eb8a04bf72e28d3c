//! Smooth and leaky variants of the ReLU: elementwise functions.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use burn::tensor::activation;

use crate::device::Tensor;

/// An elementwise function other than the ReLU. The ReLU is [`Layer::Relu`](super::Layer::Relu),
/// because methods treat it differently.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// x above 0, otherwise this slope times x.
    LeakyRelu(f64),
    /// x above 0, otherwise this alpha times (exp(x) - 1).
    Elu(f64),
    /// x times the normal distribution function of x (Hendrycks and Gimpel 2016).
    Gelu,
    /// GELU by its approximation with a tanh.
    GeluTanh,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
}

/// The coefficient of x^3 in the approximation of GELU.
const CUBIC: f64 = 0.044715;

/// The argument of the tanh in the approximation of GELU.
fn gelu_tanh_argument(x: &Tensor<4>) -> Tensor<4> {
    (x.clone() + x.clone().powi_scalar(3) * CUBIC) * (2.0 / PI).sqrt()
}

impl Activation {
    /// The function's values at `x`.
    pub fn forward(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::LeakyRelu(slope) => activation::leaky_relu(x, slope),
            Self::Elu(alpha) => {
                // exp(x) - 1 by tanh(x / 2). The plain difference would lose its digits near 0.
                let tanh = (x.clone().clamp_max(0.0) * 0.5).tanh();
                let below = tanh.clone() * (2.0 * alpha) / (-tanh + 1.0);
                x.clamp_min(0.0) + below
            }
            Self::Gelu => activation::gelu(x),
            Self::GeluTanh => {
                let tanh = gelu_tanh_argument(&x).tanh();
                x * (tanh + 1.0) * 0.5
            }
            Self::Sigmoid => activation::sigmoid(x),
            Self::Tanh => x.tanh(),
        }
    }

    /// The function's derivative at `x`. At 0, the leaky ReLU and the ELU have the derivative from
    /// below, as in torch.
    pub fn derivative(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::LeakyRelu(slope) => x.ones_like().mask_fill(x.lower_equal_elem(0.0), slope),
            Self::Elu(alpha) => {
                let below = x.clone().clamp_max(0.0).exp() * alpha;
                below.mask_fill(x.greater_elem(0.0), 1.0)
            }
            Self::Gelu => {
                let distribution = ((x.clone() * FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
                let density = (x.clone().square() * -0.5).exp() / (2.0 * PI).sqrt();
                distribution + x * density
            }
            Self::GeluTanh => {
                let tanh = gelu_tanh_argument(&x).tanh();
                let inner = (x.clone().square() * (3.0 * CUBIC) + 1.0) * (2.0 / PI).sqrt();
                let slope = (-tanh.clone().square() + 1.0) * inner;
                (tanh + 1.0 + x * slope) * 0.5
            }
            Self::Sigmoid => {
                let y = activation::sigmoid(x);
                y.clone() * (-y + 1.0)
            }
            Self::Tanh => -x.tanh().square() + 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{DeviceChoice, download, upload};

    #[test]
    fn an_elu_keeps_its_digits_near_zero() {
        let device = DeviceChoice::Flex.open().unwrap();
        let x: Vec<f32> = vec![-30.0, -1.0, -1e-2, -1e-5, -1e-20, 0.0, 1e-5, 2.0];
        let y = upload(x.clone(), [1, 1, 1, x.len()], &device);
        let y = download(Activation::Elu(0.7).forward(y)).unwrap();
        for (x, y) in x.into_iter().map(f64::from).zip(y) {
            let expected = if x > 0.0 { x } else { 0.7 * x.exp_m1() };
            let off = (f64::from(y) - expected).abs();
            assert!(off <= 1e-6 * expected.abs(), "{y} at {x}, not {expected}");
        }
    }
}
