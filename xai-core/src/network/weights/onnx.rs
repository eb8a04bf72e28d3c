//! The weights in an ONNX graph: which operation has which, in the order of the forward pass.

use std::collections::HashMap;
use std::fmt;

use burn::tensor::DType;
use prost::Message;

use super::Stored;
use super::onnx_format::{Model, Node, TensorProto};

/// What an operation with weights does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Convolution,
    Linear,
    Normalisation,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Convolution => "convolution",
            Self::Linear => "linear",
            Self::Normalisation => "batch normalisation",
        })
    }
}

/// An operation of the graph with its weights, in torch's layouts.
#[derive(Debug)]
pub struct Operation {
    pub kind: Kind,
    /// The name of its weight in the file.
    pub name: String,
    weight: Stored,
    bias: Option<Stored>,
    /// Mean, variance and what is added to the variance, of a normalisation.
    moments: Option<(Stored, Stored, f32)>,
}

impl Operation {
    pub fn shape(&self) -> Vec<usize> {
        self.weight.shape.clone()
    }

    /// The parameters under torch's names, for a layer that adds `epsilon` to the variance.
    pub fn parameters(self, epsilon: f64) -> Vec<(&'static str, Stored)> {
        let mut parameters = Vec::new();
        if self.kind == Kind::Normalisation {
            let constant = |value: f32| Stored {
                shape: self.weight.shape.clone(),
                numbers: Some(vec![value; self.weight.shape[0]]),
            };
            // A factor and a shift alone are a normalisation of mean 0 and variance 1.
            let (mean, mut variance, own) =
                (self.moments).unwrap_or_else(|| (constant(0.0), constant(1.0), 0.0));
            let more = f64::from(own) - epsilon;
            for variance in variance.numbers.iter_mut().flatten() {
                *variance = (f64::from(*variance) + more) as f32;
            }
            parameters.extend([("running_mean", mean), ("running_var", variance)]);
            if self.bias.is_none() {
                parameters.push(("bias", constant(0.0)));
            }
        }
        parameters.push(("weight", self.weight));
        parameters.extend(self.bias.map(|bias| ("bias", bias)));
        parameters
    }
}

/// All operations with weights, in the order of the forward pass.
pub fn read(bytes: &[u8]) -> Result<Vec<Operation>, String> {
    let model = Model::decode(bytes).map_err(|problem| format!("is no ONNX file ({problem})"))?;
    let graph = model.graph.ok_or("is no ONNX file with a graph")?;
    let mut constants: HashMap<String, TensorProto> = HashMap::new();
    for tensor in graph.initializer {
        constants.insert(tensor.name.clone(), tensor);
    }
    let mut walk = Walk {
        constants,
        operations: Vec::new(),
        made_by: HashMap::new(),
        channels_last: false,
    };
    for node in graph.node {
        walk.pass(node)?;
    }
    Ok(walk.operations)
}

struct Walk {
    constants: HashMap<String, TensorProto>,
    operations: Vec<Operation>,
    /// Which operation gave a value.
    made_by: HashMap<String, usize>,
    /// Whether images are `[n, h, w, c]` here.
    channels_last: bool,
}

impl Walk {
    fn pass(&mut self, mut node: Node) -> Result<(), String> {
        let output = node.output.first().cloned().unwrap_or_default();
        let number = |name: &str| node.attribute.iter().find(|a| a.name == name);
        match node.op_type.as_str() {
            "Constant" => {
                let value = node.attribute.iter_mut().find_map(|a| a.t.take());
                self.constants.extend(value.map(|value| (output, value)));
            }
            "Transpose" => match number("perm").map(|perm| perm.ints.as_slice()) {
                Some([0, 2, 3, 1]) => self.channels_last = true,
                Some([0, 3, 1, 2]) => self.channels_last = false,
                _ => {}
            },
            "Conv" => {
                if number("group").is_some_and(|group| group.i > 1) {
                    return Err("holds a convolution in groups, which no layer here has".into());
                }
                let bias = self.constant(node.input.get(2))?;
                self.operation(&node, Kind::Convolution, 1, bias, None, output)?;
            }
            "Gemm" => {
                for factor in ["alpha", "beta"] {
                    if number(factor).is_some_and(|a| a.f != 1.0) {
                        return Err(format!("holds a Gemm whose {factor} is not 1"));
                    }
                }
                let transposed = number("transB").is_some_and(|a| a.i == 1);
                let bias = self.constant(node.input.get(2))?;
                self.linear(&node, bias, transposed, output)?;
            }
            "MatMul" => self.linear(&node, None, false, output)?,
            "BatchNormalization" => {
                let epsilon = number("epsilon").map_or(1e-5, |a| a.f);
                let bias = self.constant(node.input.get(2))?;
                let [mean, variance] = [3, 4].map(|at| self.constant(node.input.get(at)));
                let moments = mean?.zip(variance?).map(|(m, v)| (m, v, epsilon));
                self.operation(&node, Kind::Normalisation, 1, bias, moments, output)?;
            }
            // Batch normalisation may be written out as a factor and a shift for each channel.
            "Mul" => {
                if let Some(at) = self.constant_input(&node)
                    && let Some(factor) = self.constant(node.input.get(at))?
                    && a_number_a_channel(&factor).is_some()
                {
                    self.operation(&node, Kind::Normalisation, at, None, None, output)?;
                }
            }
            // The bias of the operation before.
            "Add" => {
                let Some(at) = self.constant_input(&node) else {
                    return Ok(());
                };
                let shift = self.constant(node.input.get(at))?;
                let before = node
                    .input
                    .get(1 - at)
                    .and_then(|name| self.made_by.get(name));
                if let (Some(shift), Some(&before)) = (shift, before)
                    && let Some(shift) = a_number_a_channel(&shift)
                    && self.operations[before].bias.is_none()
                {
                    self.operations[before].bias = Some(shift);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Which of two inputs is a constant, if one is.
    fn constant_input(&self, node: &Node) -> Option<usize> {
        (node.input.iter().take(2)).position(|name| self.constants.contains_key(name))
    }

    /// A constant as it stands in the file; `None` if the value is not constant.
    fn constant(&self, name: Option<&String>) -> Result<Option<Stored>, String> {
        let Some(tensor) = name.and_then(|name| self.constants.get(name)) else {
            return Ok(None);
        };
        if tensor.data_location == 1 {
            return Err(
                "keeps its weights in other files; save it with all data in one file".into(),
            );
        }
        let shape: Vec<usize> = tensor.dims.iter().map(|&size| size as usize).collect();
        // The types' numbers in ONNX.
        let kind = match tensor.data_type {
            1 => Some(DType::F32),
            10 => Some(DType::F16),
            11 => Some(DType::F64),
            16 => Some(DType::BF16),
            _ => None,
        };
        let listed: Vec<u8> = match kind {
            Some(DType::F32) => (tensor.float_data.iter())
                .flat_map(|x| x.to_le_bytes())
                .collect(),
            Some(DType::F64) => (tensor.double_data.iter())
                .flat_map(|x| x.to_le_bytes())
                .collect(),
            _ => Vec::new(),
        };
        let bytes = match tensor.raw_data.is_empty() {
            true => &listed,
            false => &tensor.raw_data,
        };
        Stored::new(shape, kind, bytes).map(Some)
    }

    fn linear(
        &mut self,
        node: &Node,
        bias: Option<Stored>,
        transposed: bool,
        output: String,
    ) -> Result<(), String> {
        let channels = (self.operations.iter().rev())
            .find(|operation| operation.kind == Kind::Convolution)
            .map(|operation| operation.weight.shape[0]);
        let before = self.operations.len();
        self.operation(node, Kind::Linear, 1, bias, None, output)?;
        let Some(operation) = self.operations.get_mut(before) else {
            return Ok(());
        };
        if !transposed {
            operation.weight = operation.weight.clone().transposed();
        }
        // Features that were flattened row, column, channel; torch's order is channel, row, column.
        let &[rows, features] = operation.weight.shape.as_slice() else {
            return Err(format!(
                "holds a product with `{}`, which is no matrix",
                operation.name
            ));
        };
        if let (true, Some(channels)) = (self.channels_last, channels)
            && features % channels == 0
        {
            let pixels = features / channels;
            let order = (0..rows * features).map(|place| {
                let (row, feature) = (place / features, place % features);
                row * features + feature % pixels * channels + feature / pixels
            });
            operation.weight = operation
                .weight
                .clone()
                .reordered(vec![rows, features], order);
        }
        self.channels_last = false;
        Ok(())
    }

    /// Notes an operation whose weight is its input `at`; of what is not constant nothing is noted.
    fn operation(
        &mut self,
        node: &Node,
        kind: Kind,
        at: usize,
        bias: Option<Stored>,
        moments: Option<(Stored, Stored, f32)>,
        output: String,
    ) -> Result<(), String> {
        let Some(mut weight) = self.constant(node.input.get(at))? else {
            return Ok(());
        };
        if kind == Kind::Normalisation {
            weight = a_number_a_channel(&weight).unwrap_or(weight);
        }
        self.made_by.insert(output, self.operations.len());
        self.operations.push(Operation {
            kind,
            name: node.input[at].clone(),
            weight,
            bias,
            moments,
        });
        Ok(())
    }
}

/// `[c]`, `[1, c]` or `[c, 1, 1]` as `[c]`; `None` for a single number and everything else.
fn a_number_a_channel(stored: &Stored) -> Option<Stored> {
    let mut sizes = stored.shape.iter().filter(|&&size| size != 1);
    match (sizes.next(), sizes.next()) {
        (Some(&size), None) => Some(Stored {
            shape: vec![size],
            numbers: stored.numbers.clone(),
        }),
        _ => None,
    }
}
