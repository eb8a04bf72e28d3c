//! The weights in an ONNX graph: which operation has which, in the order of the forward pass.
//!
//! Every constant of the graph that changes numbers must be the parameter of a layer, or a single number in an
//! activation function. Any other constant is an error, because a network without it would give different scores. So is a convolution that moves over its
//! image in another way than the layer that takes its weight, and a pooling or an activation function that is not in the list
//! of layers.

use std::collections::{BTreeSet, HashMap};

use prost::Message;

use super::layers::Kind;
use super::onnx_channels::Channels;
use super::onnx_constants::{Constants, Input, belongs_to_none};
use super::onnx_format::{Model, Node};
use super::onnx_functions::Functions;
use super::onnx_singles::{ARITHMETIC, Singles};
use super::onnx_windows::{Pads, Window, after, of_pad, together, transposed};
use super::stored::{Numbers, Stored};
use crate::network::Conv2d;

/// A tensor with converted numbers. All of ONNX's are converted.
type Converted = Stored<'static>;

/// An operation of the graph with its weights, in torch's layouts.
#[derive(Debug)]
pub struct Operation {
    pub kind: Kind,
    weight: Converted,
    bias: Option<Converted>,
    moments: Option<Moments>,
    /// That of a convolution.
    window: Option<Window>,
    /// The operations whose results it takes, through operations without weights.
    follows: BTreeSet<usize>,
    /// The operations without weights between the one with weights before it and itself, in the order of the file.
    pub before: Functions,
}

/// The statistics of a normalisation.
#[derive(Debug)]
struct Moments {
    mean: Converted,
    variance: Converted,
    /// The value added to the variance.
    epsilon: f32,
}

impl Operation {
    /// The name of its weight in the file.
    pub fn name(&self) -> &str {
        &self.weight.name
    }

    pub fn shape(&self) -> Vec<usize> {
        self.weight.shape.clone()
    }

    /// The operations whose results it takes, by their place in the order of the forward pass.
    pub fn follows(&self) -> &BTreeSet<usize> {
        &self.follows
    }

    /// What the file's convolution does otherwise than the layer of this name, whose weight has the same shape.
    pub fn other_window(&self, layer: &str, conv: &Conv2d) -> Vec<String> {
        let window = self.window.as_ref();
        window.map_or_else(Vec::new, |window| window.differs(self.name(), layer, conv))
    }

    /// The number of its output channels or features.
    fn channels(&self) -> Option<usize> {
        self.weight.shape.first().copied()
    }

    /// The parameters under torch's names, for a layer that adds `epsilon` to the variance.
    ///
    /// # Errors
    /// If the statistics are not floats.
    pub fn parameters(self, epsilon: f64) -> Result<Vec<(&'static str, Converted)>, String> {
        let mut parameters = Vec::new();
        if self.kind == Kind::Normalisation {
            let (name, shape) = (self.weight.name.clone(), self.shape());
            let constant = |value: f32| {
                let numbers = vec![value; shape.iter().product()];
                Stored::own(name.clone(), shape.clone(), numbers)
            };
            // A factor and a shift alone are a normalisation with mean 0 and variance 1.
            let moments = self.moments.unwrap_or_else(|| Moments {
                mean: constant(0.0),
                variance: constant(1.0),
                epsilon: 0.0,
            });
            let more = f64::from(moments.epsilon) - epsilon;
            let Stored { name, shape, .. } = &moments.variance;
            let variance = moments.variance.floats();
            let variance = variance.map_err(|problem| format!("{name}: {problem}"))?;
            let variance = variance.iter().map(|&v| (f64::from(v) + more) as f32);
            let variance = Stored::own(name, shape.clone(), variance.collect());
            parameters.extend([("running_mean", moments.mean), ("running_var", variance)]);
            if self.bias.is_none() {
                parameters.push(("bias", constant(0.0)));
            }
        }
        parameters.push(("weight", self.weight));
        parameters.extend(self.bias.map(|bias| ("bias", bias)));
        Ok(parameters)
    }
}

/// All operations with weights, in the order of the forward pass.
///
/// # Errors
/// If the file is damaged; if the graph has parameters that belong to no layer or are not constant.
pub fn read(bytes: &[u8]) -> Result<Vec<Operation>, String> {
    let model =
        Model::decode(bytes).map_err(|problem| format!("is not an ONNX file ({problem})"))?;
    let graph = model.graph.ok_or("is an ONNX file without a graph")?;
    let sizes = graph.image_sizes();
    let channels = Channels::of_images(&sizes);
    let axes = graph.images().filter(|_| !sizes.is_empty());
    let axes = axes.map(|images| (images.name.clone(), sizes.len()));
    let axes = axes.into_iter().collect();
    let mut walk = Walk {
        constants: Constants::of(graph.initializer)?,
        operations: Vec::new(),
        made_by: HashMap::new(),
        follows: HashMap::new(),
        singles: Singles::default(),
        functions: Functions::default(),
        padded: HashMap::new(),
        axes,
        channels,
    };
    for mut node in graph.node {
        if !walk.constants.pass(&mut node)? {
            let before = walk.operations.len();
            walk.pass(&node)?;
            walk.note_functions(&node, before);
            walk.note_follows(&node, before);
            walk.note_axes(&node);
        }
    }
    walk.singles.end()?;
    if walk.operations.is_empty() {
        return Err(
            "is an ONNX file without weights: no Conv, Gemm, MatMul or BatchNormalization".into(),
        );
    }
    Ok(walk.operations)
}

struct Walk {
    constants: Constants,
    operations: Vec<Operation>,
    /// The operation that computed a value, and whether its channels have been moved to the end
    /// since.
    made_by: HashMap<String, (usize, bool)>,
    /// The last operations with weights from which a value was computed.
    follows: HashMap<String, BTreeSet<usize>>,
    singles: Singles,
    /// The operations without weights since the last one with weights.
    functions: Functions,
    /// What a `Pad` has added to a value since the last layer.
    padded: HashMap<String, Pads>,
    /// The number of axes of a value, if it is known.
    axes: HashMap<String, usize>,
    /// Where the channels of the images are here.
    channels: Channels,
}

impl Walk {
    fn pass(&mut self, node: &Node) -> Result<(), String> {
        let has_parameter =
            ARITHMETIC.contains(&node.op_type.as_str()) && self.constant_and_other(node)?.is_some();
        let layers = !self.operations.is_empty();
        (self.singles).pass(node, &self.constants, layers, has_parameter)?;
        let mut padded = (node.input.iter()).filter_map(|name| self.padded.get(name));
        let padded = padded.find_map(|pads| after(node, pads));
        (self.padded).extend(node.output.first().cloned().zip(padded));
        match node.op_type.as_str() {
            "Transpose" => {
                let moved = match node.attribute("perm").map(|perm| perm.ints.as_slice()) {
                    Some([0, 2, 3, 1]) => true,
                    Some([0, 3, 1, 2]) => false,
                    Some(order) if order.iter().copied().eq(0..order.len() as i64) => {
                        self.hand_on(node, None);
                        return Ok(());
                    }
                    order => {
                        return Err(format!(
                            "has a Transpose by {:?}, which no layer here does; only channels can be moved: [0, 2, 3, 1] \
                             or [0, 3, 1, 2]",
                            order.unwrap_or_default()
                        ));
                    }
                };
                self.channels.moved(moved);
                self.hand_on(node, Some(moved));
                let padded = (node.output.first()).and_then(|name| self.padded.get_mut(name));
                if let Some(Ok(pads)) = padded {
                    *pads = transposed(*pads, if moved { [1, 2, 0] } else { [2, 0, 1] });
                }
            }
            "Identity" | "Cast" | "Dropout" => self.hand_on(node, None),
            "Conv" => {
                let weight = self.required(node, 1, "weight")?;
                if weight.shape.len() != 4 {
                    let Stored { name, shape, .. } = weight;
                    return Err(format!(
                        "has a Conv with the weight `{name}` {shape:?}; only 2-D convolutions are supported"
                    ));
                }
                let bias = self.constants.parameter(node, 2, "bias")?;
                self.channels = Channels::First(weight.shape[0]);
                let padded = node.input(0).and_then(|name| self.padded.get(name));
                let window = Window::of(
                    node,
                    [weight.shape[2], weight.shape[3]].map(|side| side as i64),
                    padded,
                );
                self.note(node, Kind::Convolution, weight, bias, None);
                self.operations.last_mut().expect("it was noted").window = Some(window);
            }
            "Pad" => {
                self.has_no_parameters(node)?;
                let before = node.input(0).and_then(|name| self.padded.get(name));
                let pads = together(of_pad(node, &self.constants), before);
                (self.padded).extend(node.output.first().map(|output| (output.clone(), pads)));
            }
            "Gemm" => self.gemm(node)?,
            "MatMul" => {
                let weight = self.required(node, 1, "second factor")?;
                self.linear(node, weight.transposed(), None)?;
            }
            "BatchNormalization" => {
                if node.attribute("training_mode").is_some_and(|a| a.i == 1) {
                    return Err(
                        "has batch normalisation in training mode; call `model.eval()` before the \
                         export"
                            .into(),
                    );
                }
                let parameter = |at, role| self.features(node, self.required(node, at, role)?);
                let weight = parameter(1, "scale")?;
                let bias = parameter(2, "bias")?;
                let moments = Moments {
                    mean: parameter(3, "mean")?,
                    variance: parameter(4, "variance")?,
                    epsilon: node.attribute("epsilon").map_or(1e-5, |a| a.f),
                };
                self.note(node, Kind::Normalisation, weight, Some(bias), Some(moments));
            }
            // Batch normalisation may be written as a factor and a shift per channel.
            "Mul" => {
                if let Some((factor, other)) = self.constant_and_other(node)? {
                    let one_a_channel = a_number_a_channel(&factor);
                    let one_a_channel = one_a_channel.filter(|_| self.on_channels(&factor, other));
                    let weight = one_a_channel.ok_or_else(|| no_layer(node, &factor))?;
                    let weight = self.features(node, weight)?;
                    self.note(node, Kind::Normalisation, weight, None, None);
                }
            }
            "Add" => self.add(node)?,
            _ => self.has_no_parameters(node)?,
        }
        Ok(())
    }

    /// Records a node without weights. There were `before` operations with weights in front of it. Arithmetic before the first
    /// of them prepares the images.
    fn note_functions(&mut self, node: &Node, before: usize) {
        let has_weights = self.operations.len() > before;
        let prepares = before == 0 && ARITHMETIC.contains(&node.op_type.as_str());
        if !has_weights && !prepares {
            let padded = node.input(0).and_then(|name| self.padded.get(name));
            self.functions.pass(node, padded);
        }
    }

    /// Records from which operations with weights a node's outputs come. There were `before` of them in front of it. The size
    /// of a value does not come from its numbers.
    fn note_follows(&mut self, node: &Node, before: usize) {
        let mut follows = BTreeSet::new();
        if !["Shape", "Size"].contains(&node.op_type.as_str()) {
            let known = node.input.iter().filter_map(|name| self.follows.get(name));
            follows.extend(known.flatten());
        }
        if let Some(operation) = self.operations.get_mut(before) {
            operation.follows = std::mem::replace(&mut follows, BTreeSet::from([before]));
        }
        let outputs = node.output.iter().cloned();
        (self.follows).extend(outputs.map(|output| (output, follows.clone())));
    }

    fn gemm(&mut self, node: &Node) -> Result<(), String> {
        for factor in ["alpha", "beta"] {
            if node.attribute(factor).is_some_and(|a| a.f != 1.0) {
                return Err(format!("holds a Gemm whose {factor} is not 1"));
            }
        }
        if node.attribute("transA").is_some_and(|a| a.i == 1) {
            return Err("holds a Gemm that transposes its input".into());
        }
        let mut weight = self.required(node, 1, "weight")?;
        if node.attribute("transB").is_none_or(|a| a.i == 0) {
            weight = weight.transposed();
        }
        let mut bias = self.constants.parameter(node, 2, "bias")?;
        if let (Some(bias), Some(&rows)) = (&mut bias, weight.shape.first()) {
            // One number for all outputs, or a matrix with one row.
            if bias.count() == Some(1) && rows > 1 {
                *bias = (bias.clone()).reordered(vec![rows], std::iter::repeat_n(0, rows));
            } else if bias.count() == Some(rows) {
                bias.shape = vec![rows];
            }
        }
        self.linear(node, weight, bias)
    }

    /// The bias of the previous operation, if no other sum comes in between.
    fn add(&mut self, node: &Node) -> Result<(), String> {
        let Some((shift, other)) = self.constant_and_other(node)? else {
            return Ok(());
        };
        let before = other.as_ref().and_then(|name| self.made_by.get(name));
        let none = || no_layer(node, &shift);
        let (before, _) = *before.ok_or_else(none)?;
        let operation = &self.operations[before];
        let normalises = operation.kind == Kind::Normalisation;
        let channels = operation.channels();
        let fits = shift.count() == channels && self.on_channels(&shift, other);
        if !fits || operation.bias.is_some() {
            return Err(none());
        }
        let shape = channels.into_iter().collect();
        let shift = Stored { shape, ..shift };
        let shift = if normalises {
            self.features(node, shift)?
        } else {
            shift
        };
        self.operations[before].bias = Some(shift);
        Ok(())
    }

    /// Whether the numbers of `constant` lie along the channels or features of the value `other`, as far as its axes are
    /// known: the third axis from the end for images `[n, c, h, w]`, and the last one otherwise.
    fn on_channels(&self, constant: &Converted, other: Option<String>) -> bool {
        let place = constant.shape.iter().rposition(|&size| size != 1);
        let axes = other.and_then(|name| self.axes.get(&name));
        let (Some(place), Some(&axes)) = (place, axes) else {
            return true;
        };
        let from_the_end = constant.shape.len() - 1 - place;
        match (axes, self.channels) {
            (2, _) | (4, Channels::Last(_) | Channels::LastOfAny) => from_the_end == 0,
            (4, Channels::First(_) | Channels::FirstOfAny) => from_the_end == 2,
            _ => true,
        }
    }

    /// Records the number of axes of a node's first output.
    fn note_axes(&mut self, node: &Node) {
        let known = node.input(0).and_then(|name| self.axes.get(name)).copied();
        let integer = |name: &str| node.attribute(name).map(|one| one.i);
        let axes = match node.op_type.as_str() {
            "Conv" => Some(4),
            "Gemm" | "Flatten" => Some(2),
            "Reshape" => match self.constants.input(node, 1) {
                Input::Constant(shape) => shape.count(),
                _ => None,
            },
            "ReduceMean" | "ReduceMax" | "ReduceSum" if integer("keepdims") == Some(0) => None,
            "Squeeze" | "Unsqueeze" | "Expand" | "Gather" | "Split" | "Concat" => None,
            // One of them may be a constant or a value with fewer axes.
            "Add" | "Sub" | "Mul" | "Div" => {
                let axes = node.input.iter().filter_map(|name| self.axes.get(name));
                axes.max().copied()
            }
            _ => known,
        };
        let output = node.output.first().cloned();
        (self.axes).extend(output.zip(axes));
    }

    /// An operation that is not a layer here must not have parameters, except for sizes and for single numbers, which
    /// [`Singles`] has checked.
    fn has_no_parameters(&self, node: &Node) -> Result<(), String> {
        if node.op_type.starts_with("QLinear") || node.op_type.ends_with("Integer") {
            let operation = &node.op_type;
            return Err(format!(
                "is quantised (it has a {operation}); export the network in floats"
            ));
        }
        // Factors and positions of a resizing are not weights.
        if ["Resize", "Upsample"].contains(&node.op_type.as_str()) {
            return Ok(());
        }
        for at in 0..node.input.len() {
            if let Input::Constant(stored) = self.constants.input(node, at)
                && matches!(stored.numbers, Numbers::Own(_))
                && stored.count().is_none_or(|count| count > 1)
            {
                return Err(no_layer(node, stored));
            }
        }
        let arithmetic = ["Sub", "Div", "Pow", "PRelu"].contains(&node.op_type.as_str());
        if arithmetic {
            self.constant_and_other(node)?;
        }
        Ok(())
    }

    /// The constant among two inputs, and the name of the other. `None` if there is none, or only a
    /// single number, which [`Singles`] has checked.
    fn constant_and_other(
        &self,
        node: &Node,
    ) -> Result<Option<(Converted, Option<String>)>, String> {
        for (at, other) in [(0, 1), (1, 0)] {
            let other = || match self.constants.input(node, other) {
                Input::Image(name) => Some(name.to_owned()),
                _ => None,
            };
            match self.constants.input(node, at) {
                // With a single channel, one number may be the channel's.
                Input::Constant(stored) if stored.count() == Some(1) => {
                    let before = other().and_then(|name| self.made_by.get(&name).copied());
                    let one = before
                        .is_some_and(|(before, _)| self.operations[before].channels() == Some(1));
                    let bias = node.op_type == "Add" && one;
                    return Ok(bias.then(|| (stored.clone(), other())));
                }
                Input::Constant(stored) => return Ok(Some((stored.clone(), other()))),
                Input::Computed => {
                    self.constants.parameter(node, at, "constant")?;
                }
                Input::Absent | Input::Single | Input::Image(_) => {}
            }
        }
        Ok(None)
    }

    fn required(&self, node: &Node, at: usize, role: &str) -> Result<Converted, String> {
        let parameter = self.constants.parameter(node, at, role)?;
        parameter.ok_or_else(|| {
            let layer = &node.op_type;
            format!("is not a complete ONNX file: it has a {layer} without a {role}")
        })
    }

    /// A product with a matrix `[out, in]`.
    fn linear(
        &mut self,
        node: &Node,
        weight: Converted,
        bias: Option<Converted>,
    ) -> Result<(), String> {
        if weight.shape.len() != 2 {
            let name = &weight.name;
            return Err(format!(
                "holds a product with `{name}`, which is not a matrix"
            ));
        }
        let weight = self.features(node, weight)?;
        self.channels = Channels::Flat;
        self.note(node, Kind::Linear, weight, bias, None);
        Ok(())
    }

    /// The parameters `[.., features]` of all features of an image, in torch's order.
    fn features(&self, node: &Node, parameters: Converted) -> Result<Converted, String> {
        self.channels
            .in_torchs_order(parameters)
            .map_err(|problem| {
                let layer = &node.op_type;
                format!("holds a {layer} of the features of images, but {problem}")
            })
    }

    /// Records an operation with weights.
    fn note(
        &mut self,
        node: &Node,
        kind: Kind,
        weight: Converted,
        bias: Option<Converted>,
        moments: Option<Moments>,
    ) {
        let made = (self.operations.len(), self.channels.are_last());
        (self.made_by).extend(node.output.first().map(|output| (output.clone(), made)));
        self.operations.push(Operation {
            kind,
            weight,
            bias,
            moments,
            window: None,
            follows: BTreeSet::new(),
            before: std::mem::take(&mut self.functions),
        });
    }

    /// The output equals the input, as far as weights are concerned.
    fn hand_on(&mut self, node: &Node, channels_last: Option<bool>) {
        let made = node.input(0).and_then(|name| self.made_by.get(name));
        if let (Some(&(before, last)), Some(output)) = (made, node.output.first()) {
            let last = channels_last.unwrap_or(last);
            self.made_by.insert(output.clone(), (before, last));
        }
    }
}

/// The error for a constant that is not the parameter of any layer.
fn no_layer(node: &Node, stored: &Stored<'_>) -> String {
    belongs_to_none(
        &node.op_type,
        &format!("`{}` {:?}", stored.name, stored.shape),
    )
}

/// `[c]`, `[1, c]` or `[c, 1, 1]` as `[c]`. `None` for a single number and everything else.
fn a_number_a_channel(stored: &Stored<'static>) -> Option<Converted> {
    let mut sizes = stored.shape.iter().filter(|&&size| size != 1);
    match (sizes.next(), sizes.next()) {
        (Some(&size), None) => Some(Stored {
            shape: vec![size],
            ..stored.clone()
        }),
        _ => None,
    }
}
