//! The constants of an ONNX graph, and the values that its nodes compute from them before they
//! reach a layer. Exporters write a parameter shared by two layers once and pass it on through
//! `Identity`, and convert a parameter of another precision with `Cast`.

use std::collections::HashMap;
use std::rc::Rc;

use burn::tensor::{DType, TensorData};

use super::onnx_format::{Node, TensorProto, kind};
use super::stored::{Numbers, Stored, count};

/// The values that do not depend on the image.
pub struct Constants {
    known: HashMap<String, Stored<'static>>,
    /// Values computed from constants by operations that are not evaluated.
    computed: HashMap<String, Computed>,
}

/// A value that nodes compute from constants.
struct Computed {
    /// The operation.
    by: String,
    /// Whether it is a single number.
    single: bool,
}

/// The kind of a node's input.
pub enum Input<'a> {
    /// Left out.
    Absent,
    /// A constant.
    Constant(&'a Stored<'static>),
    /// Computed from constants, and not a single number.
    Computed,
    /// A single number.
    Single,
    /// Computed from the image.
    Image(&'a str),
}

impl Constants {
    /// The constants stored in the graph.
    pub fn of(initializers: Vec<TensorProto>) -> Result<Self, String> {
        let mut known = HashMap::new();
        for mut tensor in initializers {
            let name = std::mem::take(&mut tensor.name);
            known.insert(name.clone(), tensor.stored(name)?);
        }
        Ok(Self {
            known,
            computed: HashMap::new(),
        })
    }

    /// The kind of an input.
    pub fn input<'a>(&'a self, node: &'a Node, at: usize) -> Input<'a> {
        let Some(name) = node.input(at) else {
            return Input::Absent;
        };
        match (self.known.get(name), self.computed.get(name)) {
            (Some(stored), _) if stored.shape.is_empty() => Input::Single,
            (Some(stored), _) => Input::Constant(stored),
            (None, Some(computed)) if computed.single => Input::Single,
            (None, Some(_)) => Input::Computed,
            (None, None) => Input::Image(name),
        }
    }

    /// The value of an input that is a single number, if it is known.
    pub fn single(&self, node: &Node, at: usize) -> Option<f32> {
        let stored = self.known.get(node.input(at)?)?;
        match &stored.numbers {
            Numbers::Integers(numbers) => numbers.first().map(|&number| number as f32),
            _ => stored.floats().ok()?.first().copied(),
        }
    }

    /// A parameter of a layer. `None` if it is left out.
    ///
    /// # Errors
    /// If the value is not constant, or its numbers are not known.
    pub fn parameter(
        &self,
        node: &Node,
        at: usize,
        role: &str,
    ) -> Result<Option<Stored<'static>>, String> {
        let Some(name) = node.input(at) else {
            return Ok(None);
        };
        if let Some(stored) = self.known.get(name) {
            return Ok(Some(stored.clone()));
        }
        let layer = &node.op_type;
        Err(match self.computed.get(name) {
            Some(Computed { by, .. }) => format!(
                "its {layer} has the {role} `{name}`, which the graph computes by {by}, an operation that is \
                 not evaluated here; save the file with its constants folded (onnxsim does it) and without quantisation"
            ),
            None => format!(
                "its {layer} has the {role} `{name}`, which is not a constant but computed from the image; \
                 no layer here supports that"
            ),
        })
    }

    /// Records a node whose inputs are all constants. Returns whether it is one.
    ///
    /// # Errors
    /// If a constant is damaged.
    pub fn pass(&mut self, node: &mut Node) -> Result<bool, String> {
        let output = node.output.first().cloned().unwrap_or_default();
        if node.op_type == "Constant" {
            match constant(node, &output)? {
                Some(stored) => drop(self.known.insert(output, stored)),
                None => self.note_computed(node, false),
            }
            return Ok(true);
        }
        let names = || node.input.iter().filter(|name| !name.is_empty());
        let constant =
            |name: &String| self.known.contains_key(name) || self.computed.contains_key(name);
        if names().next().is_none() || !names().all(constant) {
            return Ok(false);
        }
        let made = names()
            .next()
            .and_then(|name| self.known.get(name))
            .cloned();
        let made = made.and_then(|stored| followed(node, stored));
        match made {
            Some(stored) => drop(self.known.insert(output, stored)),
            None => {
                let single = names().all(|name| match self.known.get(name) {
                    Some(stored) => stored.count() == Some(1),
                    None => self.computed[name].single,
                });
                self.note_computed(node, single);
            }
        }
        Ok(true)
    }

    fn note_computed(&mut self, node: &Node, single: bool) {
        for output in &node.output {
            let by = node.op_type.clone();
            self.computed
                .insert(output.clone(), Computed { by, single });
        }
    }
}

/// The error for a constant of an operation that is not the parameter of any layer.
pub fn belongs_to_none(operation: &str, constant: &str) -> String {
    format!(
        "has {operation} with the constant {constant}, which is the parameter of no layer here; \
         remove it from the network before the export, and if it preprocesses the images, preprocess them in the same way"
    )
}

/// The result of a node for a constant. `None` if the operation is not evaluated.
fn followed(node: &Node, stored: Stored<'static>) -> Option<Stored<'static>> {
    match node.op_type.as_str() {
        "Identity" => Some(stored),
        "Cast" => Some(cast(stored, node.attribute("to")?.i)),
        "Transpose" => {
            let axes = stored.shape.len();
            let order: Vec<usize> = match node.attribute("perm") {
                Some(perm) => (perm.ints.iter())
                    .map(|&axis| usize::try_from(axis).ok())
                    .collect::<Option<_>>()?,
                None => (0..axes).rev().collect(),
            };
            permuted(stored, &order)
        }
        _ => None,
    }
}

/// The value of a `Constant` node, stored as `name`. `None` for text and sparse values.
fn constant(node: &mut Node, name: &str) -> Result<Option<Stored<'static>>, String> {
    let Some(value) = node.attribute.first_mut() else {
        return Ok(None);
    };
    let integers = |shape, numbers| Stored {
        name: name.to_owned(),
        shape,
        numbers: Numbers::Integers(Rc::new(numbers)),
    };
    Ok(match value.name.as_str() {
        "value" => match value.t.take() {
            Some(tensor) => Some(tensor.stored(name.to_owned())?),
            None => None,
        },
        "value_float" => Some(Stored::own(name, vec![], vec![value.f])),
        "value_floats" => {
            let numbers = std::mem::take(&mut value.floats);
            Some(Stored::own(name, vec![numbers.len()], numbers))
        }
        "value_int" => Some(integers(vec![], vec![value.i])),
        "value_ints" => Some(integers(vec![value.ints.len()], value.ints.clone())),
        _ => None,
    })
}

/// The numbers, rounded as in another type.
fn cast(stored: Stored<'static>, to: i64) -> Stored<'static> {
    let kind = i32::try_from(to).map_or(Err("numbers of an unknown kind"), kind);
    let numbers = match (kind, stored.floats()) {
        (Err("int64"), _) if matches!(stored.numbers, Numbers::Integers(_)) => {
            stored.numbers.clone()
        }
        (Ok(kind @ (DType::F16 | DType::BF16)), Ok(floats)) => {
            let data = TensorData::new(floats.to_vec(), [floats.len()]).convert_dtype(kind);
            let rounded = data.convert::<f32>().into_vec();
            Numbers::Own(Rc::new(rounded.expect("they were converted to this type")))
        }
        (Err(kind), _) => Numbers::Other(kind.into()),
        // A wider type changes no number. Values that are not floats stay so.
        _ => stored.numbers.clone(),
    };
    Stored { numbers, ..stored }
}

/// The same numbers with axis `order[i]` as axis i. `None` if `order` is not a permutation of the
/// axes.
fn permuted(stored: Stored<'static>, order: &[usize]) -> Option<Stored<'static>> {
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..stored.shape.len()) {
        return None;
    }
    let mut steps = vec![1; order.len()];
    for axis in (1..order.len()).rev() {
        steps[axis - 1] = steps[axis] * stored.shape[axis];
    }
    let shape: Vec<usize> = order.iter().map(|&axis| stored.shape[axis]).collect();
    let places: Vec<usize> = (0..count(&shape)?)
        .map(|place| {
            let mut rest = place;
            let axes = order.iter().zip(&shape).rev();
            axes.fold(0, |at, (&axis, &size)| {
                let index = rest % size;
                rest /= size;
                at + index * steps[axis]
            })
        })
        .collect();
    Some(stored.reordered(shape, places.into_iter()))
}
