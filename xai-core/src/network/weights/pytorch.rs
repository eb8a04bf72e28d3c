//! What `torch.save` writes: a pickle that says how tensors are put together, and their numbers beside
//! it. Since PyTorch 1.6 they are members of a zip archive; before, and in files that torchvision
//! still serves (its VGG-16), they follow the pickle.

use std::collections::HashMap;
use std::io::Cursor;

use burn::tensor::DType;
use zip::{CompressionMethod, ZipArchive};

use super::pickle::{self, TensorParts, Value};
use super::{Stored, Tensors};

const DAMAGED: &str = "is no whole PyTorch file";

/// From a zip archive.
pub fn zipped(bytes: &[u8]) -> Result<Tensors, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|problem| format!("is no whole zip archive ({problem})"))?;
    let pickle = (archive.file_names().find(|name| name.ends_with("data.pkl"))).map(str::to_owned);
    let Some(pickle) = pickle else {
        return Err("is a zip archive, but not one of `torch.save`: it has no `data.pkl`".into());
    };
    let folder = pickle.trim_end_matches("data.pkl").to_owned();
    // The members lie in the archive as they are.
    let mut member = |name: &str| -> Result<&[u8], String> {
        let missing = |problem| format!("{DAMAGED} ({name}: {problem})");
        let file = archive
            .by_name(name)
            .map_err(|problem| missing(problem.to_string()))?;
        if file.compression() != CompressionMethod::Stored {
            return Err(missing(
                "is compressed; `torch.save` compresses nothing".into(),
            ));
        }
        let place = file.data_start().and_then(|start| {
            let (start, size) = (
                usize::try_from(start).ok()?,
                usize::try_from(file.size()).ok()?,
            );
            bytes.get(start..start.checked_add(size)?)
        });
        place.ok_or_else(|| missing("lies beyond the end".into()))
    };
    if member(&format!("{folder}byteorder")).is_ok_and(|order| order == b"big") {
        return Err("was written on a big-endian machine; save it again on another".into());
    }
    let pickle = pickle::read(member(&pickle)?)?;
    let mut storages = HashMap::new();
    for key in pickle.storages.into_keys() {
        let numbers = member(&format!("{folder}data/{key}"))?;
        storages.insert(key, numbers);
    }
    tensors(pickle.value, &storages)
}

/// From a file of PyTorch before 1.6: the pickles of a magic number, a version, facts about the
/// machine, the tensors, and the keys of the storages; then of each storage its count and numbers.
pub fn legacy(bytes: &[u8]) -> Result<Tensors, String> {
    let magic = pickle::read(bytes)?;
    let other = |_| "is a pickle, but not one of `torch.save`".to_owned();
    let version = pickle::read(magic.rest).map_err(other)?;
    let machine = pickle::read(version.rest).map_err(other)?;
    let root = pickle::read(machine.rest)?;
    let keys = pickle::read(root.rest)?;
    let Value::List(list) = keys.value else {
        return Err(DAMAGED.into());
    };
    let mut rest = keys.rest;
    let mut storages: HashMap<String, &[u8]> = HashMap::new();
    for key in list {
        let Value::Str(key) = key else {
            return Err(DAMAGED.into());
        };
        let (count, after) = rest.split_first_chunk::<8>().ok_or(DAMAGED)?;
        let width = root.storages.get(&key).and_then(|class| width(class));
        let size = usize::try_from(u64::from_le_bytes(*count)).ok();
        let size = size
            .zip(width)
            .and_then(|(count, width)| count.checked_mul(width));
        let (numbers, after) = after
            .split_at_checked(size.ok_or(DAMAGED)?)
            .ok_or(DAMAGED)?;
        storages.insert(key, numbers);
        rest = after;
    }
    tensors(root.value, &storages)
}

/// The tensors of a state dict, which may lie within a checkpoint.
fn tensors(root: Value, storages: &HashMap<String, &[u8]>) -> Result<Tensors, String> {
    let no_dict = "holds a Python object and no state dict; in Python, save \
                   `model.state_dict()` instead of the model";
    let Value::Dict(mut entries) = root else {
        return Err(no_dict.into());
    };
    let within = entries.iter().position(|(key, value)| {
        let names = ["state_dict", "model_state_dict", "model"];
        let named = matches!(key, Value::Str(key) if names.contains(&key.as_str()));
        named && matches!(value, Value::Dict(_))
    });
    if let Some(at) = within
        && let (_, Value::Dict(inner)) = entries.swap_remove(at)
    {
        entries = inner;
    }
    let mut tensors = Tensors::new();
    for (name, value) in entries {
        if let (Value::Str(name), Value::Tensor(parts)) = (name, value) {
            let numbers = storages.get(&parts.key).ok_or(DAMAGED)?;
            let tensor = stored(&parts, numbers).map_err(|e| format!("{DAMAGED} ({name}: {e})"))?;
            tensors.insert(name, tensor);
        }
    }
    match tensors.is_empty() {
        true => Err(no_dict.into()),
        false => Ok(tensors),
    }
}

fn stored(parts: &TensorParts, storage: &[u8]) -> Result<Stored, String> {
    let kind = match parts.class.as_str() {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        _ => return Stored::new(parts.shape.clone(), None, &[]),
    };
    let (shape, width) = (&parts.shape, kind.size());
    if parts.stride.len() != shape.len() {
        return Err("another number of strides than of axes".into());
    }
    // Rows may lie apart or be interchanged with columns: the storage is put in order.
    let count = shape.iter().product();
    let mut bytes = Vec::with_capacity(count * width);
    for place in 0..count {
        let mut index = place;
        let mut at = parts.offset;
        for (&size, &stride) in shape.iter().zip(&parts.stride).rev() {
            at += index % size * stride;
            index /= size;
        }
        let number = at
            .checked_mul(width)
            .and_then(|at| storage.get(at..at + width));
        bytes.extend_from_slice(number.ok_or("numbers are missing")?);
    }
    Stored::new(shape.clone(), Some(kind), &bytes)
}

/// Bytes a number.
fn width(class: &str) -> Option<usize> {
    Some(match class {
        "ByteStorage" | "CharStorage" | "BoolStorage" => 1,
        "ShortStorage" | "HalfStorage" | "BFloat16Storage" => 2,
        "IntStorage" | "FloatStorage" => 4,
        "LongStorage" | "DoubleStorage" => 8,
        _ => return None,
    })
}
