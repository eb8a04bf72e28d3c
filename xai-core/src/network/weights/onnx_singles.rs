//! Single numbers in an ONNX graph, such as the 255 of `Div(x, 255)`.
//!
//! Exporters write an activation function as arithmetic with such numbers: GELU is `0.5 x (1 + erf(x / 1.41))`. The list of
//! layers names the function, so these numbers are not needed. Any other single number changes the network and
//! belongs to no layer, for example one that scales a residual branch or the argument of a `Tanh`.
//!
//! Which of both it is, is computed: a value that depends on one other value, number by number, is a function. It is
//! evaluated at some points and compared with the functions that a layer can be.

use std::collections::{HashMap, HashSet};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::onnx_constants::{Constants, Input, belongs_to_none};
use super::onnx_format::Node;

/// Arithmetic in which a single number may occur.
pub const ARITHMETIC: [&str; 5] = ["Add", "Sub", "Mul", "Div", "Pow"];

/// Operations that change no number.
const PASSING: [&str; 8] = [
    "Cast",
    "Dropout",
    "Flatten",
    "Identity",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// Where functions are evaluated.
const POINTS: [f64; 16] = [
    -20.0, -7.0, -3.0, -1.7, -1.0, -0.6, -0.2, -0.01, 0.01, 0.2, 0.6, 1.0, 1.7, 3.0, 7.0, 20.0,
];

/// How far a value may be from that of a layer's function, as a share of the larger of 1 and the value. Exporters round
/// their numbers.
const ROUNDED: f64 = 1e-4;

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
    /// What it can be as a function. There are several if a part of it is a layer's function itself.
    functions: Vec<Function>,
    /// The first of its operations.
    first: Option<String>,
    /// The error of its first single number, which is due unless it is a layer's function.
    refused: Option<String>,
}

/// A function of another value.
#[derive(Clone)]
struct Function {
    of: String,
    /// Its values at [`POINTS`].
    values: [f64; POINTS.len()],
}

impl Function {
    fn identity(of: &str) -> Self {
        Self {
            of: of.to_owned(),
            values: POINTS,
        }
    }

    fn map(&self, function: impl Fn(f64) -> f64) -> Self {
        Self {
            of: self.of.clone(),
            values: self.values.map(function),
        }
    }

    fn is(&self, function: impl Fn(f64) -> f64) -> bool {
        (self.values.iter().zip(POINTS)).all(|(&value, x)| {
            let expected = function(x);
            (value - expected).abs() <= ROUNDED * expected.abs().max(1.0)
        })
    }

    /// Whether a layer can be this function: none, a ReLU, or an [`Activation`](crate::network::Activation).
    fn is_of_a_layer(&self) -> bool {
        // The value at -1 tells the slope of a leaky ReLU and the alpha of an ELU.
        let at_minus_one = self.values[4];
        let leaky = |x: f64| if x > 0.0 { x } else { -at_minus_one * x };
        let alpha = at_minus_one / (-1.0f64).exp_m1();
        self.is(leaky)
            || self.is(|x| if x > 0.0 { x } else { alpha * x.exp_m1() })
            || self.is(gelu)
            || self.is(gelu_tanh)
            || self.is(sigmoid)
            || self.is(f64::tanh)
    }
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
        } else if has_parameter {
            None
        } else {
            self.applied(node, constants, &inputs)
        };
        let problem = match &value {
            Some(value) if layers => {
                self.of_one.insert(output.clone(), value.clone());
                None
            }
            Some(value) => value.problem(),
            None => inputs.iter().find_map(|&name| self.known(name).problem()),
        };
        problem.map_or(Ok(()), Err)
    }

    /// # Errors
    /// If a single number in an output of the network belongs to no activation function.
    pub fn end(&self) -> Result<(), String> {
        let mut outputs = (self.of_one.iter()).filter(|(name, _)| !self.taken.contains(*name));
        let problem = outputs.find_map(|(_, value)| value.problem());
        problem.map_or(Ok(()), Err)
    }

    /// A value, which may also be the beginning of another function.
    fn known(&self, name: &str) -> OfOne {
        let mut known = self.of_one.get(name).cloned().unwrap_or_else(|| OfOne {
            functions: Vec::new(),
            first: None,
            refused: None,
        });
        if known.problem().is_none() {
            known.functions.push(Function::identity(name));
        }
        known
    }

    /// The result of a node that is a function of one value, number by number. `None` if it is none, or if its function
    /// is not known here.
    fn applied(&self, node: &Node, constants: &Constants, inputs: &[&str]) -> Option<OfOne> {
        let values: Vec<OfOne> = inputs.iter().map(|&name| self.known(name)).collect();
        let functions: Vec<Function> = match values.as_slice() {
            [one] => {
                let function = of_number(node, constants)?;
                (one.functions.iter())
                    .map(|one| one.map(&function))
                    .collect()
            }
            [first, second] => {
                let function = of_two(node)?;
                let pairs = (first.functions.iter())
                    .flat_map(|a| second.functions.iter().map(move |b| (a, b)));
                let pairs = pairs.filter(|(a, b)| a.of == b.of);
                let of_pair = |(a, b): (&Function, &Function)| Function {
                    of: a.of.clone(),
                    values: std::array::from_fn(|at| function(a.values[at], b.values[at])),
                };
                let both: Vec<Function> = pairs.map(of_pair).collect();
                // Two different values, as where a residual block adds its parts.
                (!both.is_empty()).then_some(both)?
            }
            _ => return None,
        };
        let first = values.iter().find_map(|value| value.first.clone());
        let refused = values.into_iter().find_map(|value| value.refused);
        Some(OfOne {
            functions,
            first: first.or_else(|| Some(node.op_type.clone())),
            refused: refused.or_else(|| error(node, constants)),
        })
    }
}

impl OfOne {
    /// The error if it is no layer's function.
    fn problem(&self) -> Option<String> {
        if self.functions.iter().any(Function::is_of_a_layer) {
            return None;
        }
        self.refused.clone().or_else(|| {
            let operation = self.first.as_ref()?;
            Some(format!(
                "computes an activation function that no layer here has, by its {operation}"
            ))
        })
    }
}

/// A node with one value as a function of its numbers.
fn of_number(node: &Node, constants: &Constants) -> Option<Box<dyn Fn(f64) -> f64>> {
    let attribute = |name: &str, default: f32| {
        f64::from(
            node.attribute(name)
                .map_or(default, |attribute| attribute.f),
        )
    };
    Some(match node.op_type.as_str() {
        "Abs" => Box::new(f64::abs),
        "Neg" => Box::new(|x| -x),
        "Relu" => Box::new(|x| x.max(0.0)),
        "Exp" => Box::new(f64::exp),
        "Erf" => Box::new(erf),
        "Tanh" => Box::new(f64::tanh),
        "Sigmoid" => Box::new(sigmoid),
        "Softplus" => Box::new(|x| x.exp().ln_1p()),
        "Gelu" => Box::new(gelu),
        "LeakyRelu" => {
            let slope = attribute("alpha", 0.01);
            Box::new(move |x| if x > 0.0 { x } else { slope * x })
        }
        "Elu" => {
            let alpha = attribute("alpha", 1.0);
            Box::new(move |x| if x > 0.0 { x } else { alpha * x.exp_m1() })
        }
        "HardSigmoid" => {
            let (slope, start) = (attribute("alpha", 0.2), attribute("beta", 0.5));
            Box::new(move |x| (slope * x + start).clamp(0.0, 1.0))
        }
        "HardSwish" => Box::new(|x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        "Clip" => {
            let limit = |name: &str, at: usize, none: f64| {
                let attribute = node.attribute(name).map(|limit| limit.f);
                let limit = attribute.or_else(|| constants.single(node, at));
                limit.map_or(none, f64::from)
            };
            let low = limit("min", 1, f64::NEG_INFINITY);
            let high = limit("max", 2, f64::INFINITY);
            Box::new(move |x| x.max(low).min(high))
        }
        _ => {
            let function = of_two(node)?;
            let first = matches!(constants.input(node, 0), Input::Image(_));
            // A number that is not known makes no layer's function.
            let number = constants.single(node, usize::from(first));
            let number = number.map_or(f64::NAN, f64::from);
            Box::new(move |x| {
                if first {
                    function(x, number)
                } else {
                    function(number, x)
                }
            })
        }
    })
}

/// A node with two values, or a value and a number, as a function of their numbers.
fn of_two(node: &Node) -> Option<fn(f64, f64) -> f64> {
    Some(match (node.op_type.as_str(), node.input.len()) {
        ("Add", 2) => |a, b| a + b,
        ("Sub", 2) => |a, b| a - b,
        ("Mul", 2) => |a, b| a * b,
        ("Div", 2) => |a, b| a / b,
        ("Pow", 2) => f64::powf,
        ("Max", 2) => f64::max,
        ("Min", 2) => f64::min,
        _ => return None,
    })
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x * FRAC_1_SQRT_2))
}

fn gelu_tanh(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
}

/// The error function to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26).
fn erf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.3275911 * x.abs());
    let factors = [
        1.061405429,
        -1.453152027,
        1.421413741,
        -0.284496736,
        0.254829592,
    ];
    let sum = factors.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    (1.0 - sum * (-x * x).exp()).copysign(x)
}

/// The error for arithmetic with a single number. `None` if it has none, or if the number changes nothing.
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
