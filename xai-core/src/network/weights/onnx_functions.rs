//! What an ONNX graph computes without weights: its poolings and activation functions.
//!
//! The list of layers names them, so the file's own are not needed. If they differ, the list is that of another network,
//! whose scores would be wrong. Exporters have several ways to write some of them, such as `ReduceMean` for an average over
//! all rows and columns, or arithmetic for GELU. A kind with such an operation is not compared, apart from two rules: a
//! function that only a few layers can be needs one of them, and a maximum over all rows and columns needs a pooling.

use std::collections::BTreeSet;

use super::onnx_format::Node;
use super::onnx_windows::{Pads, Window};
use crate::network::{Activation, Layer};

/// What is compared, each kind in the order of the forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Activation,
    Maximum,
    Average,
}

const KINDS: [Kind; 3] = [Kind::Activation, Kind::Maximum, Kind::Average];

/// A pooling or an activation function.
#[derive(Clone, Debug)]
struct Function {
    kind: Kind,
    /// Its name and settings, without its padding.
    name: String,
    /// The padding of a pooling. `None` if it depends on the size of the image.
    padding: Option<String>,
    /// A maximum over all rows and columns, which is that of windows as large as the image.
    whole: bool,
    /// An activation function that is smooth, or a part of one. Only the layers that are smooth can be it.
    smooth: bool,
}

impl Function {
    fn relu() -> Self {
        Self::activation("ReLU".to_owned())
    }

    fn leaky_relu(slope: f32) -> Self {
        Self::activation(format!("leaky ReLU, slope {slope}"))
    }

    fn elu(alpha: f32) -> Self {
        Self::activation(format!("ELU, alpha {alpha}"))
    }

    fn activation(name: String) -> Self {
        Self::new(Kind::Activation, name)
    }

    fn smooth(name: &str) -> Self {
        Self {
            smooth: true,
            ..Self::activation(name.to_owned())
        }
    }

    fn new(kind: Kind, name: String) -> Self {
        Self {
            kind,
            name,
            padding: None,
            whole: false,
            smooth: false,
        }
    }

    fn whole_maximum() -> Self {
        let name = "maximum over all rows and columns".to_owned();
        Self {
            whole: true,
            ..Self::new(Kind::Maximum, name)
        }
    }

    /// The pooling of a node. Its input may have been `padded` before.
    fn pooling(node: &Node, kind: Kind, padded: Option<&Pads>) -> Self {
        let kernel = node
            .attribute("kernel_shape")
            .map(|one| one.ints.as_slice());
        let kernel = match kernel {
            Some(&[rows, columns]) => [rows, columns],
            _ => [1, 1],
        };
        let window = Window::of(node, kernel, padded);
        let counted = node
            .attribute("count_include_pad")
            .is_some_and(|a| a.i == 1);
        let mut pooling = Self::of_windows(kind, kernel, window.stride);
        if window.dilation != [1, 1] {
            pooling.name += &format!(", dilation {:?}", window.dilation);
        }
        // The sizes of the layers here are always rounded down. With a stride of 1, there is nothing to round.
        if window.stride != [1, 1] && node.attribute("ceil_mode").is_some_and(|a| a.i == 1) {
            pooling.name += ", rounding sizes up (export it with ceil_mode=False)";
        }
        pooling.padding = match window.padding {
            _ if of_any_size(node) => None,
            Ok(added) => Some(padding(kind, added, counted || padded.is_some())),
            Err(problem) => Some(format!(" ({problem})")),
        };
        pooling
    }

    fn of_windows(kind: Kind, [rows, columns]: [i64; 2], stride: [i64; 2]) -> Self {
        let name = match kind {
            Kind::Average => "average",
            _ => "maximum",
        };
        let name = format!("{name} of {rows} x {columns}, stride {stride:?}");
        Self::new(kind, name)
    }

    /// Whether both may be the same.
    fn fits(&self, other: &Self) -> bool {
        let padding = self.padding.as_ref().zip(other.padding.as_ref());
        (self.whole || other.whole || self.name == other.name)
            && padding.is_none_or(|(own, other)| own == other)
    }

    fn text(&self) -> String {
        self.name.clone() + self.padding.as_deref().unwrap_or_default()
    }
}

/// Whether the padding of a pooling depends on the size of its image.
fn of_any_size(node: &Node) -> bool {
    (node.attribute("auto_pad")).is_some_and(|auto| auto.s.starts_with(b"SAME"))
}

/// `counted` says whether the padding counts in an average.
fn padding(kind: Kind, added: [i64; 2], counted: bool) -> String {
    let counted = match kind {
        Kind::Average if added != [0, 0] && counted => " that counts",
        Kind::Average if added != [0, 0] => " that does not count",
        _ => "",
    };
    format!(", padding {added:?}{counted}")
}

/// The poolings and activation functions of a part of a network.
#[derive(Clone, Debug, Default)]
pub struct Functions {
    found: Vec<Function>,
    /// The kinds with an operation that may be the same as another one, in a way that is not known here.
    uncertain: BTreeSet<Kind>,
}

impl Functions {
    /// Those of layers, in the order of a forward pass.
    pub fn of<'a>(layers: impl IntoIterator<Item = &'a Layer>) -> Self {
        let mut functions = Self::default();
        for layer in layers {
            functions.layer(layer);
        }
        functions
    }

    fn layer(&mut self, layer: &Layer) {
        let pair = |pair: [usize; 2]| pair.map(|number| number as i64);
        let (kind, window, counted) = match layer {
            Layer::Relu => return self.found.push(Function::relu()),
            Layer::Activation(Activation::LeakyRelu(slope)) => {
                return self.found.push(Function::leaky_relu(*slope as f32));
            }
            Layer::Activation(Activation::Elu(alpha)) => {
                return self.found.push(Function::elu(*alpha as f32));
            }
            Layer::Activation(Activation::Sigmoid) => return self.smooth("sigmoid"),
            Layer::Activation(Activation::Tanh) => return self.smooth("tanh"),
            Layer::Activation(Activation::Gelu) => return self.smooth("GELU"),
            Layer::Activation(Activation::GeluTanh) => return self.smooth("GELU by tanh"),
            Layer::Softmax => return self.smooth("softmax"),
            Layer::AdaptiveAvgPool2d(_) => return self.is_uncertain(Kind::Average),
            Layer::MaxPool2d(window) => (Kind::Maximum, window, false),
            Layer::AvgPool2d(pool) => (Kind::Average, &pool.window, pool.count_include_pad),
            _ => return,
        };
        let pooling = Function::of_windows(kind, pair(window.kernel), pair(window.stride));
        self.found.push(Function {
            padding: Some(padding(kind, pair(window.padding), counted)),
            ..pooling
        });
    }

    /// Adds those of a node of the graph. Its input may have been `padded` before.
    pub fn pass(&mut self, node: &Node, padded: Option<&Pads>) {
        let number = |name: &str, default: f32| node.attribute(name).map_or(default, |one| one.f);
        match node.op_type.as_str() {
            "Relu" => self.found.push(Function::relu()),
            "LeakyRelu" => (self.found).push(Function::leaky_relu(number("alpha", 0.01))),
            "Elu" => self.found.push(Function::elu(number("alpha", 1.0))),
            "Sigmoid" => self.smooth("sigmoid"),
            "Tanh" => self.smooth("tanh"),
            "Softmax" => self.smooth("softmax"),
            "Gelu" => {
                let by_tanh = (node.attribute("approximate")).is_some_and(|form| form.s == b"tanh");
                self.smooth(if by_tanh { "GELU by tanh" } else { "GELU" });
            }
            // GELU as arithmetic.
            "Erf" => {
                self.smooth("GELU");
                self.is_uncertain(Kind::Activation);
            }
            "MaxPool" => (self.found).push(Function::pooling(node, Kind::Maximum, padded)),
            "AveragePool" => (self.found).push(Function::pooling(node, Kind::Average, padded)),
            "GlobalMaxPool" | "ReduceMax" => self.found.push(Function::whole_maximum()),
            "GlobalAveragePool" | "ReduceMean" => self.is_uncertain(Kind::Average),
            // A sum may be that of a residual block.
            "Add" | "Cast" | "Concat" | "Dropout" | "Expand" | "Flatten" | "Gather"
            | "Identity" | "Pad" | "Reshape" | "Shape" | "Size" | "Slice" | "Squeeze"
            | "Transpose" | "Unsqueeze" => {}
            _ => self.is_uncertain(Kind::Activation),
        }
    }

    fn smooth(&mut self, name: &str) {
        self.found.push(Function::smooth(name));
    }

    fn is_uncertain(&mut self, kind: Kind) {
        self.uncertain.insert(kind);
    }

    /// Adds those of a further part.
    pub fn extend(&mut self, further: Self) {
        self.found.extend(further.found);
        self.uncertain.extend(further.uncertain);
    }

    /// What differs from those of a `file`, one line each.
    pub fn differs(&self, file: &Self) -> Vec<String> {
        let certain =
            |kind: &Kind| !self.uncertain.contains(kind) && !file.uncertain.contains(kind);
        let kinds = KINDS.into_iter().filter(certain);
        let mut lines: Vec<_> = kinds
            .flat_map(|kind| differ(kind, &self.of_kind(kind), &file.of_kind(kind)))
            .collect();
        if let (None, Some(smooth)) = (self.first_smooth(), file.first_smooth())
            && lines.is_empty()
        {
            let smooth = &smooth.name;
            lines.push(format!(
                "activation functions: network: none like it; file: {smooth}"
            ));
        }
        lines
    }

    fn first_smooth(&self) -> Option<&Function> {
        self.found.iter().find(|function| function.smooth)
    }

    fn of_kind(&self, kind: Kind) -> Vec<&Function> {
        let found = self.found.iter();
        found.filter(|function| function.kind == kind).collect()
    }
}

/// What differs between functions of one kind, one line each.
fn differ(kind: Kind, own: &[&Function], file: &[&Function]) -> Vec<String> {
    let what = match kind {
        Kind::Activation => "activation function",
        Kind::Maximum | Kind::Average => "pooling",
    };
    let text = |one: Option<&&Function>| one.map_or("none".to_owned(), |one| one.text());
    let pairs = (0..own.len().max(file.len())).map(|at| (at, own.get(at), file.get(at)));
    let others =
        pairs.filter(|(_, own, file)| !own.zip(*file).is_some_and(|(own, file)| own.fits(file)));
    others
        .map(|(at, own, file)| {
            format!(
                "{what} {}: network: {}; file: {}",
                at + 1,
                text(own),
                text(file)
            )
        })
        .collect()
}
