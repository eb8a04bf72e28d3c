//! Single numbers in an ONNX graph, such as the 255 of `Div(x, 255)`.
//!
//! Exporters write an activation function as arithmetic with such numbers: GELU is `0.5 x (1 + erf(x / 1.41))`. The list of
//! layers names the function, so these numbers are not needed. Any other single number changes the network and
//! belongs to no layer, for example one that scales a residual branch.

use std::collections::{HashMap, HashSet};

use super::onnx_constants::{Constants, Input, belongs_to_none};
use super::onnx_format::Node;

/// Functions that are curved or limit their argument. Single numbers before and after them belong to an activation
/// function. ReLU is not among them: `relu(x / 255)` is a scaled ReLU.
const FUNCTIONS: [&str; 17] = [
    "Celu",
    "Clip",
    "Elu",
    "Erf",
    "Exp",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Log",
    "Max",
    "Min",
    "Mish",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Tanh",
];

/// Arithmetic in which a single number may occur.
pub const ARITHMETIC: [&str; 5] = ["Add", "Sub", "Mul", "Div", "Pow"];

/// Operations that keep the factors in their input.
const PASSING: [&str; 11] = [
    "Abs",
    "Cast",
    "Dropout",
    "Flatten",
    "Identity",
    "Neg",
    "Relu",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// The values that were computed without weights.
#[derive(Default)]
pub struct Singles {
    /// Values that depend on one other value, number by number.
    of_one: HashMap<String, OfOne>,
    /// Sizes of something, as `Shape` returns them. Numbers that multiply these do not change the network.
    sizes: HashSet<String>,
    /// The values that a node has taken.
    taken: HashSet<String>,
}

#[derive(Clone)]
struct OfOne {
    /// The value on which it depends.
    source: String,
    /// Whether one of [`FUNCTIONS`] was applied.
    curved: bool,
    /// The error that is due unless one of [`FUNCTIONS`] follows.
    refused: Option<String>,
}

impl Singles {
    /// Follows a node. `layers` says whether there is a layer before it. Without one, no number can belong to an
    /// activation function. `has_parameter` says whether the node is arithmetic with the parameter of a layer.
    ///
    /// # Errors
    /// If a single number in the values that the node takes belongs to no activation function.
    pub fn pass(
        &mut self,
        node: &Node,
        constants: &Constants,
        layers: bool,
        has_parameter: bool,
    ) -> Result<(), String> {
        let Some(output) = node.output.first() else {
            return Ok(());
        };
        let inputs = (0..node.input.len()).filter_map(|at| match constants.input(node, at) {
            Input::Image(name) => Some(name),
            _ => None,
        });
        let inputs: Vec<&str> = inputs.collect();
        (self.taken).extend(inputs.iter().map(|&name| name.to_owned()));
        let operation = node.op_type.as_str();
        let kind = |kinds: &[&str]| kinds.contains(&operation);
        if kind(&["Shape", "Size"]) || inputs.iter().all(|&name| self.sizes.contains(name)) {
            self.sizes.insert(output.clone());
            return Ok(());
        }
        let value = if kind(&PASSING) {
            inputs.first().map(|&name| self.known(name))
        } else if kind(&FUNCTIONS) || kind(&ARITHMETIC) && !has_parameter {
            self.combined(&inputs).map(|value| match inputs.as_slice() {
                [_] if kind(&ARITHMETIC) => {
                    let refused = || error(node, constants);
                    let due = !value.curved && value.refused.is_none();
                    OfOne {
                        refused: if due { refused() } else { value.refused },
                        ..value
                    }
                }
                _ => OfOne {
                    curved: true,
                    refused: None,
                    ..value
                },
            })
        } else {
            None
        };
        let problem = match &value {
            Some(value) if layers => {
                self.of_one.insert(output.clone(), value.clone());
                None
            }
            Some(value) => value.refused.clone(),
            None => inputs.iter().find_map(|&name| self.known(name).refused),
        };
        problem.map_or(Ok(()), Err)
    }

    /// # Errors
    /// If a single number in an output of the network belongs to no activation function.
    pub fn end(&self) -> Result<(), String> {
        let mut outputs = (self.of_one.iter()).filter(|(name, _)| !self.taken.contains(*name));
        let problem = outputs.find_map(|(_, value)| value.refused.clone());
        problem.map_or(Ok(()), Err)
    }

    /// A value that is not noted depends on itself.
    fn known(&self, name: &str) -> OfOne {
        let known = self.of_one.get(name).cloned();
        known.unwrap_or_else(|| OfOne {
            source: name.to_owned(),
            curved: false,
            refused: None,
        })
    }

    /// What depends on all of these. `None` if they depend on different values.
    fn combined(&self, inputs: &[&str]) -> Option<OfOne> {
        let mut values = inputs.iter().map(|&name| self.known(name));
        let first = values.next()?;
        values
            .all(|value| value.source == first.source)
            .then_some(first)
    }
}

/// The error for arithmetic with a single number. `None` if the number changes nothing.
fn error(node: &Node, constants: &Constants) -> Option<String> {
    let at = (0..node.input.len()).find(|&at| {
        let input = constants.input(node, at);
        !matches!(input, Input::Image(_) | Input::Absent)
    })?;
    let neutral = match (node.op_type.as_str(), at) {
        ("Add", _) | ("Sub", 1) => Some(0.0),
        ("Mul", _) | ("Div" | "Pow", 1) => Some(1.0),
        _ => None,
    };
    let number = constants.single(node, at);
    let name = node.input(at)?;
    let what = number.map_or_else(String::new, |number| format!(" = {number}"));
    (number.is_none() || number != neutral)
        .then(|| belongs_to_none(&node.op_type, &format!("`{name}`{what}")))
}
