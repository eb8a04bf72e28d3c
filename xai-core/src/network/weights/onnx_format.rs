//! The required part of ONNX's format, which is protobuf (`onnx.proto3` of the ONNX project).
//! Fields that are not declared are skipped.

use std::rc::Rc;

use burn::tensor::DType;
use prost::Message;

use super::stored::{Numbers, Stored, convert, count};

#[derive(Message)]
pub struct Model {
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
}

#[derive(Message)]
pub struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfo>,
}

impl Graph {
    /// The first input that is not stored in the file: the images.
    pub fn images(&self) -> Option<&ValueInfo> {
        let stored = |name: &String| self.initializer.iter().any(|tensor| tensor.name == *name);
        self.input.iter().find(|input| !stored(&input.name))
    }

    /// The sizes of the [`images`](Self::images), each 0 if it is not known. Empty if not even their number is known.
    pub fn image_sizes(&self) -> Vec<usize> {
        let shape = self
            .images()
            .and_then(|image| image.r#type.as_ref()?.tensor.as_ref()?.shape.as_ref());
        let sizes = shape.into_iter().flat_map(|shape| &shape.dim);
        sizes
            .map(|size| usize::try_from(size.value).unwrap_or(0))
            .collect()
    }
}

/// The name and the type of a value.
#[derive(Message)]
pub struct ValueInfo {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<Type>,
}

#[derive(Message)]
pub struct Type {
    #[prost(message, optional, tag = "1")]
    pub tensor: Option<TensorType>,
}

#[derive(Message)]
pub struct TensorType {
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
}

#[derive(Message)]
pub struct Shape {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

#[derive(Message)]
pub struct Dimension {
    /// 0 for a size that has only a name.
    #[prost(int64, tag = "1")]
    pub value: i64,
}

#[derive(Message)]
pub struct Node {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
}

impl Node {
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attribute.iter().find(|a| a.name == name)
    }

    /// The name of an input. `None` if it is left out.
    pub fn input(&self, at: usize) -> Option<&String> {
        self.input.get(at).filter(|name| !name.is_empty())
    }
}

#[derive(Message)]
pub struct Attribute {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, tag = "2")]
    pub f: f32,
    #[prost(int64, tag = "3")]
    pub i: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub s: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
}

#[derive(Message)]
pub struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

impl TensorProto {
    /// The numbers of a tensor of 64-bit integers.
    fn integers(&self) -> Vec<i64> {
        if self.raw_data.is_empty() {
            return self.int64_data.clone();
        }
        let numbers = self.raw_data.as_chunks::<8>().0.iter();
        numbers.map(|bytes| i64::from_le_bytes(*bytes)).collect()
    }

    /// The tensor as `name`, with converted numbers.
    ///
    /// # Errors
    /// If the numbers are in another file, or if their count does not match the shape.
    pub fn stored(self, name: String) -> Result<Stored<'static>, String> {
        if self.data_location == 1 {
            return Err(
                "keeps its weights in other files; save it with all data in one file".into(),
            );
        }
        let damaged = |problem: String| format!("is not a complete ONNX file ({name}: {problem})");
        let shape = (self.dims.iter())
            .map(|&size| usize::try_from(size).ok())
            .collect::<Option<Vec<usize>>>()
            .filter(|shape| count(shape).is_some())
            .ok_or_else(|| damaged(format!("{:?} is not a shape", self.dims)))?;
        let kind = match kind(self.data_type) {
            Ok(kind) => kind,
            Err(kind) => {
                let integers = self.integers();
                let whole = kind == "int64" && Some(integers.len()) == count(&shape);
                let numbers = if whole {
                    Numbers::Integers(Rc::new(integers))
                } else {
                    Numbers::Other(kind.into())
                };
                return Ok(Stored {
                    name,
                    shape,
                    numbers,
                });
            }
        };
        let numbers = match (self.raw_data.is_empty(), kind) {
            (false, _) if !self.raw_data.len().is_multiple_of(kind.size()) => Vec::new(),
            (false, _) => convert(kind, &self.raw_data).map_err(damaged)?,
            (true, DType::F32) => self.float_data,
            (true, DType::F64) => self.double_data.iter().map(|&x| x as f32).collect(),
            // The standard stores half precision in the lower half of integers.
            (true, _) => {
                let bits = self.int32_data.iter();
                let bits: Vec<u8> = bits.flat_map(|&x| (x as u16).to_le_bytes()).collect();
                convert(kind, &bits).map_err(damaged)?
            }
        };
        if Some(numbers.len()) != count(&shape) {
            let found = numbers.len();
            return Err(damaged(format!("{shape:?}, but {found} numbers")));
        }
        Ok(Stored::own(name, shape, numbers))
    }
}

/// The float type with this number in ONNX, or the name of another type.
pub fn kind(number: i32) -> Result<DType, &'static str> {
    Err(match number {
        1 => return Ok(DType::F32),
        10 => return Ok(DType::F16),
        11 => return Ok(DType::F64),
        16 => return Ok(DType::BF16),
        2 => "uint8",
        3 => "int8",
        4 => "uint16",
        5 => "int16",
        6 => "int32",
        7 => "int64",
        8 => "text",
        9 => "booleans",
        12 => "uint32",
        13 => "uint64",
        14 | 15 => "complex numbers",
        17..=20 => "floats of 8 bits",
        _ => "numbers of an unknown kind",
    })
}
