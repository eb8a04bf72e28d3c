//! Puts tensors into a network, or reports everything that does not fit.

use std::collections::BTreeSet;
use std::rc::Rc;

use burn::tensor::TensorData;

use super::layers::{Weighted, follows, kind, weighted};
use super::names::{self, Dict, Matched};
use super::onnx::Operation;
use super::onnx_functions::Functions;
use super::stored::{Stored, Tensors};
use crate::device::Tensor;
use crate::network::{Layer, Network};
use crate::suggest::near;

/// The maximum number of mismatches in a message. A wrong network may have hundreds.
const LISTED: usize = 12;

/// Every tensor must belong to the network, and every parameter must have a tensor. `names` are the
/// prefixes of its parameters, if they are not torchvision's.
pub fn whole(network: &mut Network, names: &[String], dicts: Vec<Dict>) -> Result<(), String> {
    let Matched { names, tensors } = names::matching(network, names, dicts)?;
    let last = names
        .last()
        .and_then(|last| tensors.get(&format!("{last}.weight")));
    let classes = last.map(|weight| weight.shape.clone());
    fill(network, &names, tensors, true)
        .map_err(|problem| problem + &other_classes(network, classes.as_deref()))
}

/// Every parameter must have a tensor. There may be other tensors.
pub fn part(network: &mut Network, names: &[String], tensors: Tensors) -> Result<(), String> {
    fill(network, names, tensors, false)
}

/// Assigns the graph's operations with parameters to the layers with parameters, in order.
pub fn in_order(network: &mut Network, operations: Vec<Operation>) -> Result<(), String> {
    let names = names::numbered(network);
    let classes = operations.last().map(Operation::shape);
    let order = other_order(network, &names, &operations);
    let tensors = align(&names, &weighted(network), operations)
        .map_err(|problem| problem + &other_classes(network, classes.as_deref()))?;
    order.map_or(Ok(()), Err)?;
    fill(network, &names, tensors, true)
}

/// The error if an operation takes the results of other operations than the layer at its place. A file may have the layers of
/// a branch and of its shortcut in another order than the network, and two of them may have the same shape.
pub(super) fn other_order(
    network: &Network,
    names: &[String],
    operations: &[Operation],
) -> Option<String> {
    let layers = follows(network);
    let mut pairs = names.iter().zip(&layers).zip(operations);
    let ((name, layer), operation) =
        pairs.find(|((_, layer), operation)| *layer != operation.follows())?;
    let listed = |places: &BTreeSet<usize>, name: &dyn Fn(usize) -> Option<String>| {
        let names: Vec<String> = places.iter().filter_map(|&at| name(at)).collect();
        match names.as_slice() {
            [] => "the image".to_owned(),
            names => names.join(" and "),
        }
    };
    let takes = listed(layer, &|at| {
        names.get(at).map(|name| format!("layer {name}"))
    });
    let found = listed(operation.follows(), &|at| {
        operations
            .get(at)
            .map(|operation| format!("`{}`", operation.name()))
    });
    Some(format!(
        "the layers with weights are in another order than those of the file: layer {name} takes the result of {takes}, but `{}`, \
         which is at its place in the file, takes that of {found}; exchange `branch` and `shortcut` of the block in the list, \
         or give a file with names (.pth, safetensors)",
        operation.name()
    ))
}

/// The tensors of `operations` under the names of their layers.
pub(super) fn align(
    names: &[String],
    layers: &[Weighted<'_>],
    mut operations: Vec<Operation>,
) -> Result<Tensors<'static>, String> {
    let mut misfits = Vec::new();
    for at in 0..layers.len().max(operations.len()) {
        let wanted = layers.get(at).and_then(|one| kind(one.layer));
        let found = operations
            .get(at)
            .map(|operation| (operation.kind, operation.shape()));
        if wanted != found {
            let wanted = wanted
                .zip(names.get(at))
                .map_or("nothing".into(), |((kind, shape), name)| {
                    format!("layer {name}, {kind} {shape:?}")
                });
            let found = operations.get(at).map_or("nothing".into(), |operation| {
                format!(
                    "`{}`, {} {:?}",
                    operation.name(),
                    operation.kind,
                    operation.shape()
                )
            });
            misfits.push(format!("network: {wanted}; file: {found}"));
        } else if let (Some(Layer::Conv2d(conv)), Some(operation)) =
            (layers.get(at).map(|one| one.layer), operations.get(at))
        {
            misfits.extend(operation.other_window(&names[at], conv));
        }
    }
    if !misfits.is_empty() {
        return Err(format!(
            "the layers with weights do not match those of the file, in order:{}",
            listed(&misfits)
        ));
    }
    let mut found = Functions::default();
    for operation in &mut operations {
        found.extend(std::mem::take(&mut operation.before));
    }
    let own = Functions::of(layers.iter().flat_map(|one| one.before.iter().copied()));
    let misfits = own.differs(&found);
    if !misfits.is_empty() {
        return Err(format!(
            "the layers without weights do not match the operations of the file, in order:{}",
            listed(&misfits)
        ));
    }
    let mut tensors = Tensors::new();
    for ((name, one), operation) in names.iter().zip(layers).zip(operations) {
        let epsilon = match one.layer {
            Layer::BatchNorm2d(norm) => norm.epsilon,
            _ => 0.0,
        };
        for (parameter, stored) in operation.parameters(epsilon)? {
            tensors.insert(format!("{name}.{parameter}"), stored);
        }
        let bias = match one.layer {
            Layer::Conv2d(conv) => &conv.bias,
            Layer::Linear(linear) => &linear.bias,
            _ => &None,
        };
        // Without a bias in the graph, the bias is 0.
        if let Some(bias) = bias {
            let name = format!("{name}.bias");
            let [features] = bias.dims();
            let zeros = Stored::own(name.clone(), vec![features], vec![0.0; features]);
            tensors.entry(name).or_insert(zeros);
        }
    }
    Ok(tensors)
}

/// One line per mismatch, and the number of further ones.
fn listed(misfits: &[String]) -> String {
    let first = misfits.iter().take(LISTED);
    let mut lines: String = first.map(|misfit| format!("\n  {misfit}")).collect();
    if let more @ 1.. = misfits.len().saturating_sub(LISTED) {
        lines += &format!("\n  ... and {more} more");
    }
    lines
}

/// What to do if possibly only the number of classes does not fit. The weight of the last layer is
/// `found`.
fn other_classes(network: &Network, found: Option<&[usize]>) -> String {
    match (weighted(network).last().map(|one| one.layer), found) {
        (Some(Layer::Linear(last)), Some(&[classes, inputs])) => match last.weight.dims() {
            [own, own_inputs] if own != classes && own_inputs == inputs => format!(
                "\nthe file is of a network with {classes} classes: explain that network (`--classes {classes}`, or \
                 `\"out\": {classes}` in a list of layers), or fine-tune it for {own} classes \
                 (`network::load_for_fine_tuning` gives it a new last layer)"
            ),
            _ => String::new(),
        },
        _ => String::new(),
    }
}

/// `names` are the prefixes of the names, one per layer with parameters. If there are fewer, the
/// last layers are not changed.
pub(super) fn fill(
    network: &mut Network,
    names: &[String],
    tensors: Tensors,
    whole: bool,
) -> Result<(), String> {
    let mut filled = network.clone();
    let mut filling = Filling {
        tensors,
        missing: Vec::new(),
        problems: Vec::new(),
    };
    let layers = filled.layers_mut().into_iter();
    for (layer, at) in layers.filter(|layer| kind(layer).is_some()).zip(names) {
        let named = |parameter: &str| format!("{at}.{parameter}");
        match layer {
            Layer::Conv2d(conv) => {
                filling.put(&mut conv.weight, named("weight"));
                filling.put_if_any(&mut conv.bias, named("bias"));
            }
            Layer::Linear(linear) => {
                filling.put(&mut linear.weight, named("weight"));
                filling.put_if_any(&mut linear.bias, named("bias"));
            }
            Layer::BatchNorm2d(norm) => {
                filling.put(&mut norm.weight, named("weight"));
                filling.put(&mut norm.bias, named("bias"));
                filling.put(&mut norm.mean, named("running_mean"));
                filling.check_variance(&named("running_var"), norm.epsilon);
                filling.put(&mut norm.variance, named("running_var"));
            }
            _ => {}
        }
    }
    filling.end(whole)?;
    *network = filled;
    Ok(())
}

struct Filling<'a> {
    /// The tensors that have not been used yet.
    tensors: Tensors<'a>,
    /// The names and shapes of missing tensors.
    missing: Vec<(String, Vec<usize>)>,
    problems: Vec<String>,
}

impl Filling<'_> {
    fn put<const D: usize>(&mut self, parameter: &mut Tensor<D>, name: String) {
        let shape = parameter.dims();
        match self.tensors.remove(&name) {
            None => self.missing.push((name, shape.to_vec())),
            Some(Stored {
                name, shape: found, ..
            }) if found != shape => {
                (self.problems).push(format!("{name}: is {found:?}, should be {shape:?}"));
            }
            Some(stored) => match stored.floats() {
                Ok(numbers) if !numbers.iter().all(|number| number.is_finite()) => {
                    (self.problems).push(format!(
                        "{}: holds numbers that are not finite, such as those of a training that failed",
                        stored.name
                    ));
                }
                Ok(numbers) => {
                    let numbers = Rc::try_unwrap(numbers).unwrap_or_else(|shared| shared.to_vec());
                    let data = TensorData::new(numbers, shape);
                    *parameter = Tensor::from_data(data, &parameter.device());
                }
                Err(problem) => (self.problems).push(format!("{}: {problem}", stored.name)),
            },
        }
    }

    /// With a variance of minus `epsilon` or less, a normalisation would divide by 0 or by the root of a negative number.
    fn check_variance(&mut self, name: &str, epsilon: f64) {
        let Some(stored) = self.tensors.get(name) else {
            return;
        };
        let negative = |numbers: &[f32]| numbers.iter().any(|&v| f64::from(v) + epsilon <= 0.0);
        if stored.floats().is_ok_and(|numbers| negative(&numbers)) {
            let name = &stored.name;
            (self.problems).push(format!("{name}: holds a variance that is not above 0"));
        }
    }

    fn put_if_any(&mut self, parameter: &mut Option<Tensor<1>>, name: String) {
        if let Some(parameter) = parameter {
            self.put(parameter, name);
        }
    }

    /// All problems in one message. If `whole`, unused tensors are problems.
    fn end(mut self, whole: bool) -> Result<(), String> {
        // The number of batches that a normalisation has seen is not needed after the training.
        (self.tensors).retain(|name, _| !name.ends_with("num_batches_tracked"));
        for (name, shape) in &self.missing {
            let alike = (self.tensors.values()).filter(|stored| stored.shape == *shape);
            let nearest = near(name, alike.map(|stored| stored.name.as_str()));
            let hint = nearest.map_or(String::new(), |near| format!("; is it `{near}`?"));
            (self.problems).push(format!("{name}: missing, should be {shape:?}{hint}"));
        }
        if whole {
            for Stored { name, shape, .. } in self.tensors.values() {
                (self.problems).push(format!(
                    "{name}: is {shape:?}, but the network has no such parameter"
                ));
            }
        }
        match self.problems.as_slice() {
            [] => Ok(()),
            problems => Err(format!(
                "the weights do not fit the network:{}",
                listed(problems)
            )),
        }
    }
}
