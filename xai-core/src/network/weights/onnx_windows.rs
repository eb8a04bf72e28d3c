//! How the windows of an ONNX graph, those of its convolutions and poolings, move over their images.

use super::onnx_constants::{Constants, Input};
use super::onnx_format::Node;
use super::stored::Numbers;
use crate::network::Conv2d;

/// What is added before and behind the last three axes of a value, or why no layer here adds it. Which of the axes are
/// rows and columns is known at the convolution: until a Transpose, images may have their channels last.
pub type Pads = Result<[i64; 6], String>;

/// The rows and columns that are added at the top, left, bottom and right, or why no layer here adds them.
type Sides = Result<[i64; 4], String>;

/// How a convolution or a pooling moves over its image. Pairs are of rows and columns.
#[derive(Debug)]
pub struct Window {
    pub stride: [i64; 2],
    pub dilation: [i64; 2],
    groups: i64,
    /// What is added on either side, or why no layer here does it.
    pub padding: Result<[i64; 2], String>,
}

impl Window {
    /// That of a Conv or a pooling whose image may have been `padded` before.
    pub fn of(node: &Node, kernel: [i64; 2], padded: Option<&Pads>) -> Self {
        let pair = |name: &str| match node.attribute(name).map(|one| one.ints.as_slice()) {
            Some(&[rows, columns]) => [rows, columns],
            _ => [1, 1],
        };
        let (stride, dilation) = (pair("strides"), pair("dilations"));
        let padded = padded.map(of_images);
        let pads = together(own(node, kernel, stride, dilation), padded.as_ref());
        Self {
            stride,
            dilation,
            groups: node.attribute("group").map_or(1, |group| group.i),
            padding: pads.and_then(on_either_side),
        }
    }

    /// What differs from a layer, one line each. `weight` is the name in the file.
    pub fn differs(&self, weight: &str, layer: &str, conv: &Conv2d) -> Vec<String> {
        let pairs = |pair: &[i64; 2]| format!("{pair:?}");
        let mut all = vec![
            ("stride", format!("{:?}", conv.stride), pairs(&self.stride)),
            (
                "dilation",
                format!("{:?}", conv.dilation),
                pairs(&self.dilation),
            ),
            ("groups", conv.groups.to_string(), self.groups.to_string()),
        ];
        if let Ok(padding) = &self.padding {
            all.push(("padding", format!("{:?}", conv.padding), pairs(padding)));
        }
        let others = all.iter().filter(|(_, own, found)| own != found);
        let others = others.map(|(what, own, found)| {
            format!("network: layer {layer}, {what} {own}; file: `{weight}`, {what} {found}")
        });
        let unlike = self.padding.as_ref().err();
        let unlike =
            unlike.map(|problem| format!("file: the Conv with the weight `{weight}` {problem}"));
        others.chain(unlike).collect()
    }
}

/// What a Conv or a pooling adds by itself.
fn own(node: &Node, kernel: [i64; 2], stride: [i64; 2], dilation: [i64; 2]) -> Sides {
    let auto = node
        .attribute("auto_pad")
        .map(|auto| String::from_utf8_lossy(&auto.s));
    match auto.as_deref() {
        Some("VALID") => Ok([0; 4]),
        Some(auto @ ("SAME_UPPER" | "SAME_LOWER")) => {
            let reach: [i64; 2] =
                std::array::from_fn(|axis| dilation[axis].saturating_mul(kernel[axis] - 1));
            if (0..2).any(|axis| reach[axis] > 0 && stride[axis] > 1) {
                return Err(format!(
                    "has auto_pad {auto} with the stride {stride:?}, so that its padding depends on the size of the image; \
                     export it with explicit pads"
                ));
            }
            // If it is odd, one side has more, whichever it is.
            let [rows, columns] = reach;
            let [top, left] = [rows / 2, columns / 2];
            Ok([top, left, rows - top, columns - left])
        }
        _ => match node.attribute("pads").map(|pads| pads.ints.as_slice()) {
            None => Ok([0; 4]),
            Some(&[top, left, bottom, right]) => Ok([top, left, bottom, right]),
            Some(others) => Err(format!("has the pads {others:?}, which should be four")),
        },
    }
}

/// What a Pad adds.
pub fn of_pad(node: &Node, constants: &Constants) -> Pads {
    let computed = || {
        Err("follows a Pad whose sizes are not constants of the file; save the file with its constants folded (onnxsim \
             does it)"
            .to_owned())
    };
    let sizes = match (node.attribute("pads"), constants.input(node, 1)) {
        (Some(sizes), _) => sizes.ints.clone(),
        (None, Input::Constant(stored)) => match &stored.numbers {
            Numbers::Integers(sizes) => sizes.to_vec(),
            _ => return computed(),
        },
        _ => return computed(),
    };
    let (&[_, a, b, c, _, d, e, f], None) = (sizes.as_slice(), node.input(3)) else {
        return Err(
            "follows a Pad of other axes than all four; export it without the input `axes`"
                .to_owned(),
        );
    };
    let pads = [a, b, c, d, e, f];
    let mode = node
        .attribute("mode")
        .map(|mode| String::from_utf8_lossy(&mode.s));
    let value = match constants.input(node, 2) {
        Input::Absent => node.attribute("value").map_or(0.0, |value| value.f),
        _ => constants.single(node, 2).unwrap_or(f32::NAN),
    };
    match mode.as_deref() {
        _ if pads == [0; 6] => Ok(pads),
        None | Some("constant") if value == 0.0 => Ok(pads),
        None | Some("constant") => Err(
            "follows a Pad with another value than 0, and the layers here pad with 0".to_owned(),
        ),
        Some(mode) => Err(format!(
            "follows a Pad of the mode {mode}, and the layers here pad with 0"
        )),
    }
}

/// What has been added to the result of an operation if this has been added to its input. `None` for operations that do
/// not compute each number from the one at its place, such as poolings.
pub fn after(node: &Node, padded: &Pads) -> Option<Pads> {
    let operation = node.op_type.as_str();
    match operation {
        // These make 0 of 0. The caller moves the axes of a Transpose.
        "Identity" | "Cast" | "Dropout" | "Transpose" | "Relu" | "LeakyRelu" | "Elu" | "Tanh" => {
            Some(padded.clone())
        }
        "Abs"
        | "Add"
        | "BatchNormalization"
        | "Celu"
        | "Clip"
        | "Cos"
        | "Div"
        | "Erf"
        | "Exp"
        | "Gelu"
        | "HardSigmoid"
        | "HardSwish"
        | "InstanceNormalization"
        | "Log"
        | "Max"
        | "Min"
        | "Mish"
        | "Mul"
        | "Neg"
        | "PRelu"
        | "Pow"
        | "Reciprocal"
        | "Selu"
        | "Sigmoid"
        | "Sign"
        | "Sin"
        | "Softplus"
        | "Softsign"
        | "Sqrt"
        | "Sub"
        | "Sum"
        | "ThresholdedRelu"
            if *padded != Ok([0; 6]) =>
        {
            let problem = format!(
                "follows a Pad with the operation {operation} in between; export the network with its padding right before the Conv"
            );
            Some(padded.clone().and(Err(problem)))
        }
        _ => None,
    }
}

/// What was added before and behind axes, after a transposition. Axis `i` is then the previous axis `order[i]`.
pub fn transposed(pads: [i64; 6], order: [usize; 3]) -> [i64; 6] {
    std::array::from_fn(|at| pads[at / 3 * 3 + order[at % 3]])
}

/// What a Pad adds to images that reach a convolution. Their axes are channels, rows and columns.
fn of_images(padded: &Pads) -> Sides {
    match *padded {
        Ok([0, top, left, 0, bottom, right]) => Ok([top, left, bottom, right]),
        Ok(_) => Err(
            "follows a Pad that adds channels to its images, which no layer here does; if their channels are last, \
             the file should have a Transpose between the Pad and the Conv"
                .to_owned(),
        ),
        Err(ref problem) => Err(problem.clone()),
    }
}

/// The sum of a node's own pads and those of a Pad before it.
pub fn together<const SIDES: usize>(
    own: Result<[i64; SIDES], String>,
    padded: Option<&Result<[i64; SIDES], String>>,
) -> Result<[i64; SIDES], String> {
    let (own, before) = (own?, padded.cloned().unwrap_or(Ok([0; SIDES]))?);
    Ok(std::array::from_fn(|side| {
        own[side].saturating_add(before[side])
    }))
}

fn on_either_side([top, left, bottom, right]: [i64; 4]) -> Result<[i64; 2], String> {
    if (top, left) == (bottom, right) {
        return Ok([top, left]);
    }
    Err(format!(
        "adds {top} rows at the top and {bottom} at the bottom, {left} columns at the left and {right} at the right; the \
         layers here add the same on either side"
    ))
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::super::onnx_format::{Attribute, Graph, Model, TensorProto};
    use super::super::{fill, onnx};
    use super::*;
    use crate::device::DeviceChoice;
    use crate::network::json;

    fn ints(name: &str, ints: &[i64]) -> Attribute {
        Attribute {
            name: name.to_owned(),
            ints: ints.to_vec(),
            ..Attribute::default()
        }
    }

    fn text(name: &str, text: &str) -> Attribute {
        Attribute {
            name: name.to_owned(),
            s: text.as_bytes().to_vec(),
            ..Attribute::default()
        }
    }

    fn pad(sizes: [i64; 8], attribute: Vec<Attribute>) -> Vec<Node> {
        vec![
            Node {
                output: vec!["sizes".to_owned()],
                op_type: "Constant".to_owned(),
                attribute: vec![ints("value_ints", &sizes)],
                ..Node::default()
            },
            Node {
                input: vec!["x".to_owned(), "sizes".to_owned()],
                output: vec!["padded".to_owned()],
                op_type: "Pad".to_owned(),
                attribute,
            },
        ]
    }

    /// A node for the result of the last of `nodes`, behind them.
    fn then(mut nodes: Vec<Node>, operation: &str, attribute: Vec<Attribute>) -> Vec<Node> {
        let before = nodes.last().map_or("x", |node| node.output[0].as_str());
        nodes.push(Node {
            input: vec![before.to_owned()],
            output: vec![format!("{before}, {operation}")],
            op_type: operation.to_owned(),
            attribute,
        });
        nodes
    }

    /// `nodes` of images whose channels are last, and what makes them the first.
    fn channels_first(nodes: Vec<Node>) -> Vec<Node> {
        then(nodes, "Transpose", vec![ints("perm", &[0, 3, 1, 2])])
    }

    /// What is wrong with the file of one convolution with a kernel of 3 x 3, for a layer with these settings. It takes
    /// what the last of the nodes before it makes. The list has the ReLU of these nodes, too.
    fn problem(layer: &str, before: Vec<Node>, attribute: Vec<Attribute>) -> Option<String> {
        let input = before.last().map_or("x", |node| node.output[0].as_str());
        let input = input.to_owned();
        let has = |operation: &str| before.iter().any(|node| node.op_type == operation);
        let activation = if has("Relu") {
            r#""relu", "#
        } else if has("Sigmoid") {
            r#""sigmoid", "#
        } else {
            ""
        };
        let weight = TensorProto {
            dims: vec![2, 1, 3, 3],
            data_type: 1,
            float_data: vec![0.5; 18],
            name: "kernel".to_owned(),
            ..TensorProto::default()
        };
        let conv = Node {
            input: vec![input, "kernel".to_owned()],
            output: vec!["y".to_owned()],
            op_type: "Conv".to_owned(),
            attribute,
        };
        let mut node = before;
        node.push(conv);
        let graph = Graph {
            node,
            initializer: vec![weight],
            input: Vec::new(),
        };
        let bytes = Model { graph: Some(graph) }.encode_to_vec();
        let layers = format!(r#"[{activation}{{"conv2d": {{"out": 2, "kernel": 3, {layer}}}}}]"#);
        let device = DeviceChoice::Flex.open().unwrap();
        let mut network = json::init(&layers, 0, &device).unwrap();
        fill::in_order(&mut network, onnx::read(&bytes).unwrap()).err()
    }

    #[test]
    fn a_convolution_of_the_same_window_fits() {
        let group = Attribute {
            name: "group".to_owned(),
            i: 2,
            ..Attribute::default()
        };
        for (layer, before, attributes) in [
            (r#""in": 1"#, vec![], vec![]),
            (
                r#""in": 1, "padding": 0"#,
                vec![],
                vec![text("auto_pad", "VALID")],
            ),
            (
                r#""in": 1, "stride": [2, 3], "padding": [1, 0]"#,
                vec![],
                vec![ints("strides", &[2, 3]), ints("pads", &[1, 0, 1, 0])],
            ),
            // As Keras writes its VGG.
            (
                r#""in": 1, "padding": 1"#,
                vec![],
                vec![text("auto_pad", "SAME_UPPER")],
            ),
            (
                r#""in": 1, "padding": 2, "dilation": 2"#,
                vec![],
                vec![text("auto_pad", "SAME_LOWER"), ints("dilations", &[2, 2])],
            ),
            (r#""in": 2, "groups": 2"#, vec![], vec![group]),
            // As Keras writes its ResNet, with the channels first or last.
            (
                r#""in": 1, "padding": [3, 2]"#,
                pad([0, 0, 3, 2, 0, 0, 3, 2], vec![]),
                vec![],
            ),
            (
                r#""in": 1, "padding": [4, 3]"#,
                channels_first(pad(
                    [0, 3, 2, 0, 0, 3, 2, 0],
                    vec![text("mode", "constant")],
                )),
                vec![ints("pads", &[1, 1, 1, 1])],
            ),
            // Columns alone.
            (
                r#""in": 1, "padding": [0, 2]"#,
                channels_first(pad([0, 0, 2, 0, 0, 0, 2, 0], vec![])),
                vec![],
            ),
            (
                r#""in": 1, "padding": [0, 2]"#,
                pad([0, 0, 0, 2, 0, 0, 0, 2], vec![]),
                vec![],
            ),
            // There and back.
            (
                r#""in": 1, "padding": [3, 2]"#,
                channels_first(then(
                    pad([0, 0, 3, 2, 0, 0, 3, 2], vec![]),
                    "Transpose",
                    vec![ints("perm", &[0, 2, 3, 1])],
                )),
                vec![],
            ),
            (
                r#""in": 1, "padding": 1"#,
                then(pad([0, 0, 1, 1, 0, 0, 1, 1], vec![]), "Relu", vec![]),
                vec![],
            ),
            // Nothing is added.
            (
                r#""in": 1"#,
                then(pad([0; 8], vec![]), "Sigmoid", vec![]),
                vec![],
            ),
            // The sides may differ in either if they do not in both.
            (
                r#""in": 1, "padding": 1"#,
                pad([0, 0, 1, 1, 0, 0, 0, 0], vec![]),
                vec![ints("pads", &[0, 0, 1, 1])],
            ),
        ] {
            assert_eq!(problem(layer, before, attributes), None, "{layer}");
        }
    }

    #[test]
    fn a_convolution_of_another_window_is_named() {
        let says = |layer: &str, before: Vec<Node>, attributes: Vec<Attribute>, part: &str| {
            let problem = problem(layer, before, attributes).unwrap_or_default();
            assert!(problem.contains(part), "`{part}` is not in: {problem}");
        };
        let plain = r#""in": 1"#;
        says(
            plain,
            vec![],
            vec![ints("strides", &[2, 2])],
            "network: layer 0, stride [1, 1]; file: `kernel`, stride [2, 2]",
        );
        says(
            plain,
            vec![],
            vec![ints("pads", &[1, 1, 1, 1])],
            "network: layer 0, padding [0, 0]; file: `kernel`, padding [1, 1]",
        );
        says(
            r#""in": 1, "dilation": [1, 2]"#,
            vec![],
            vec![],
            "network: layer 0, dilation [1, 2]; file: `kernel`, dilation [1, 1]",
        );
        says(
            r#""in": 2, "groups": 2"#,
            vec![],
            vec![],
            "network: layer 0, groups 2; file: `kernel`, groups 1",
        );
        says(
            plain,
            pad([0, 0, 1, 1, 0, 0, 1, 1], vec![]),
            vec![],
            "network: layer 0, padding [0, 0]; file: `kernel`, padding [1, 1]",
        );
        says(
            plain,
            then(pad([0, 0, 1, 1, 0, 0, 1, 1], vec![]), "Relu", vec![]),
            vec![],
            "network: layer 1, padding [0, 0]; file: `kernel`, padding [1, 1]",
        );
        let padded = r#""in": 1, "padding": 1"#;
        says(
            padded,
            then(pad([0, 0, 1, 1, 0, 0, 1, 1], vec![]), "Sigmoid", vec![]),
            vec![],
            "follows a Pad with the operation Sigmoid in between",
        );
        says(
            padded,
            pad([0, 1, 1, 0, 0, 1, 1, 0], vec![]),
            vec![],
            "follows a Pad that adds channels",
        );
        let mut of_axes = pad([0, 0, 1, 1, 0, 0, 1, 1], vec![]);
        of_axes[0].attribute = vec![ints("value_ints", &[1, 1, 1, 1])];
        says(
            padded,
            of_axes,
            vec![],
            "follows a Pad of other axes than all four",
        );
        let mut computed = pad([0, 0, 1, 1, 0, 0, 1, 1], vec![]);
        let to_int64 = Attribute {
            name: "to".to_owned(),
            i: 7,
            ..Attribute::default()
        };
        let mut cast = then(vec![computed.remove(0)], "Cast", vec![to_int64]);
        computed[0].input[1].clone_from(&cast[1].output[0]);
        cast.append(&mut computed);
        says(
            plain,
            cast,
            vec![],
            "network: layer 0, padding [0, 0]; file: `kernel`, padding [1, 1]",
        );
        says(
            padded,
            vec![],
            vec![ints("pads", &[0, 0, 1, 1])],
            "`kernel` adds 0 rows at the top and 1 at the bottom",
        );
        says(
            r#""in": 1, "padding": 1, "stride": 2"#,
            vec![],
            vec![text("auto_pad", "SAME_UPPER"), ints("strides", &[2, 2])],
            "export it with explicit pads",
        );
        says(
            padded,
            pad([0, 0, 1, 1, 0, 0, 1, 1], vec![text("mode", "reflect")]),
            vec![],
            "follows a Pad of the mode reflect",
        );
        let mut computed = pad([0, 0, 1, 1, 0, 0, 1, 1], vec![]);
        computed.insert(
            1,
            Node {
                input: vec!["sizes".to_owned()],
                output: vec!["sizes".to_owned()],
                op_type: "Neg".to_owned(),
                ..Node::default()
            },
        );
        computed[0].output[0] = "negative".to_owned();
        computed[1].input[0] = "negative".to_owned();
        says(
            padded,
            computed,
            vec![],
            "follows a Pad whose sizes are not constants",
        );
    }
}
