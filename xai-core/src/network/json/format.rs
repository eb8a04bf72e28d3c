//! The format of the list of layers.

use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    Conv2d(Conv2dEntry),
    Linear(LinearEntry),
    BatchNorm2d(BatchNorm2dEntry),
    Relu,
    LeakyRelu(f64),
    Elu(f64),
    Gelu,
    GeluTanh,
    Sigmoid,
    Tanh,
    Softmax,
    MaxPool2d(MaxPool2dEntry),
    AvgPool2d(AvgPool2dEntry),
    AdaptiveAvgPool2d(Pair),
    Flatten,
    Dropout(f64),
    Residual(ResidualEntry),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conv2dEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(rename = "in")]
    pub inputs: usize,
    pub out: usize,
    pub kernel: Pair,
    #[serde(default = "one")]
    pub stride: Pair,
    #[serde(default = "zero")]
    pub padding: Pair,
    #[serde(default = "one", skip_serializing_if = "Pair::is_one")]
    pub dilation: Pair,
    #[serde(default = "single", skip_serializing_if = "is_single")]
    pub groups: usize,
    #[serde(default = "yes")]
    pub bias: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinearEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(rename = "in")]
    pub inputs: usize,
    pub out: usize,
    #[serde(default = "yes")]
    pub bias: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchNorm2dEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub features: usize,
    #[serde(default = "batch_norm_epsilon")]
    pub eps: f64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MaxPool2dEntry {
    pub kernel: Pair,
    pub stride: Option<Pair>,
    #[serde(default = "zero")]
    pub padding: Pair,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AvgPool2dEntry {
    pub kernel: Pair,
    pub stride: Option<Pair>,
    #[serde(default = "zero")]
    pub padding: Pair,
    #[serde(default = "yes")]
    pub count_include_pad: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResidualEntry {
    pub branch: Vec<Entry>,
    pub shortcut: Vec<Entry>,
}

/// A number for both axes, or rows and columns.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a number or [rows, columns]")]
pub(super) enum Pair {
    Same(usize),
    Each([usize; 2]),
}

impl Pair {
    pub fn get(self) -> [usize; 2] {
        match self {
            Self::Same(size) => [size, size],
            Self::Each(sizes) => sizes,
        }
    }

    fn is_one(&self) -> bool {
        self.get() == [1, 1]
    }
}

fn one() -> Pair {
    Pair::Same(1)
}

fn single() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_single(groups: &usize) -> bool {
    *groups == 1
}

fn zero() -> Pair {
    Pair::Same(0)
}

fn yes() -> bool {
    true
}

fn batch_norm_epsilon() -> f64 {
    1e-5
}
