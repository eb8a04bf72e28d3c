//! Files of `torch.save`: a pickle that describes how tensors are assembled, and their numbers
//! beside it. Since PyTorch 1.6, they are members of a zip archive. Before, and in some files that
//! torchvision still serves (its VGG-16), the numbers follow the pickle.
//!
//! This is written by hand, because the reader of `burn-store` (0.21, feature `pytorch`) silently
//! returns other numbers than torch: it ignores the strides of a tensor, so a transposed weight
//! comes out in the wrong order, and it replaces missing numbers by zeros.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Cursor;

use burn::tensor::DType;
use flate2::Crc;
use zip::{CompressionMethod, ZipArchive};

use super::names::Dict;
use super::pickle::{self, Pickle, TensorParts, Value};
use super::stored::{Numbers, Stored};

const DAMAGED: &str = "is not a complete PyTorch file";

/// The dictionaries of tensors in a zip archive.
pub fn zipped(bytes: &[u8]) -> Result<Vec<Dict<'_>>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|problem| format!("is not a complete zip archive ({problem})"))?;
    let pickle = (archive.file_names().find(|name| name.ends_with("data.pkl"))).map(str::to_owned);
    let Some(pickle) = pickle else {
        return Err("is a zip archive, but not one of `torch.save`: it has no `data.pkl`".into());
    };
    let folder = pickle.trim_end_matches("data.pkl").to_owned();
    // The members are stored without compression.
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
        let place = place.ok_or_else(|| missing("lies beyond the end".into()))?;
        // torch writes 0 if it was told not to compute checksums.
        let checksum = file.crc32();
        let differs = |mut found: Crc| {
            found.update(place);
            found.sum() != checksum
        };
        if checksum != 0 && differs(Crc::new()) {
            return Err(missing(
                "its checksum is another, so the file is damaged; get it again".into(),
            ));
        }
        Ok(place)
    };
    if member(&format!("{folder}byteorder")).is_ok_and(|order| order == b"big") {
        return Err("was written on a big-endian machine; save it again on another".into());
    }
    let pickle = pickle::read(member(&pickle)?)?;
    let mut storages = HashMap::new();
    for key in pickle.storages.keys() {
        let numbers = member(&format!("{folder}data/{key}"))?;
        storages.insert(key.clone(), numbers);
    }
    dicts(&pickle, &storages)
}

/// The dictionaries of tensors in a file of PyTorch before 1.6. It has the pickles of a magic
/// number, a version, facts about the machine, the tensors, and the keys of the storages; then the
/// count and the numbers of each storage.
pub fn legacy(bytes: &[u8]) -> Result<Vec<Dict<'_>>, String> {
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
    for key in &keys.lists[list] {
        let Value::Str(key) = key else {
            return Err(DAMAGED.into());
        };
        let (count, after) = rest.split_first_chunk::<8>().ok_or(DAMAGED)?;
        let width = root.storages.get(&**key).and_then(|class| width(class));
        let size = usize::try_from(u64::from_le_bytes(*count)).ok();
        let size = size
            .zip(width)
            .and_then(|(count, width)| count.checked_mul(width));
        let (numbers, after) = after
            .split_at_checked(size.ok_or(DAMAGED)?)
            .ok_or(DAMAGED)?;
        storages.insert(key.to_string(), numbers);
        rest = after;
    }
    dicts(&root, &storages)
}

/// All dictionaries of tensors at any place in the saved object. A state dict may be inside a
/// checkpoint, under any key.
fn dicts<'a>(
    pickle: &Pickle<'_>,
    storages: &HashMap<String, &'a [u8]>,
) -> Result<Vec<Dict<'a>>, String> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    // The last one is examined next, so that the first in the file is found first.
    let mut open = vec![(String::new(), pickle.value.clone())];
    while let Some((place, value)) = open.pop() {
        let mut within = Vec::new();
        let mut open_later = |key: &str, value: &Value| {
            let container = matches!(value, Value::Dict(_) | Value::List(_));
            if container && place.len() + key.len() < LONGEST {
                within.push((format!("{place}[{key}]"), value.clone()));
            }
        };
        match value {
            Value::Dict(dict) if seen.insert((true, dict)) => {
                let mut tensors = BTreeMap::new();
                for (key, value) in &pickle.dicts[dict] {
                    match (key, value) {
                        (Value::Str(name), Value::Tensor(parts)) if name.len() < LONGEST => {
                            let name = name.to_string();
                            tensors.insert(name.clone(), stored(name, parts, storages)?);
                        }
                        (Value::Str(key), value) if key.len() < LONGEST => {
                            open_later(&format!("\"{key}\""), value);
                        }
                        (Value::Int(key), value) => open_later(&key.to_string(), value),
                        _ => {}
                    }
                }
                if !tensors.is_empty() {
                    found.push(Dict {
                        place: place.clone(),
                        tensors,
                    });
                }
            }
            Value::List(list) if seen.insert((false, list)) => {
                for (at, value) in pickle.lists[list].iter().enumerate() {
                    open_later(&at.to_string(), value);
                }
            }
            _ => {}
        }
        open.extend(within.into_iter().rev());
    }
    if found.is_empty() {
        Err(without_tensors(pickle))
    } else {
        Ok(found)
    }
}

/// The maximum number of bytes of a name and of a position in a checkpoint. Those of layers are
/// shorter. Without a limit, a damaged file could fill the memory.
const LONGEST: usize = 300;

/// The content of a file without a dictionary of tensors.
fn without_tensors(pickle: &Pickle<'_>) -> String {
    const SAVE: &str = "in Python, save `model.state_dict()` instead of the model";
    match &pickle.value {
        Value::Object(class) => {
            format!("holds a Python object of the class `{class}` and no state dict; {SAVE}")
        }
        Value::Tensor(_) => format!("holds a single tensor and no state dict; {SAVE}"),
        Value::Dict(dict) => {
            let entries = pickle.dicts[*dict].iter().take(12);
            let keys: Vec<String> = entries
                .map(|(key, value)| {
                    let key = match key {
                        Value::Str(key) => format!("`{key}`"),
                        Value::Int(key) => key.to_string(),
                        _ => "one that is no text".into(),
                    };
                    match value {
                        Value::Object(class) => format!("{key} (an object of the class `{class}`)"),
                        _ => key,
                    }
                })
                .collect();
            if keys.is_empty() {
                format!("holds an empty dictionary and no tensors; {SAVE}")
            } else {
                let keys = keys.join(", ");
                format!("holds a dictionary without tensors, with the keys {keys}; {SAVE}")
            }
        }
        _ => format!("holds no state dict; {SAVE}"),
    }
}

/// # Errors
/// If the file lacks its storage.
fn stored<'a>(
    name: String,
    parts: &TensorParts,
    storages: &HashMap<String, &'a [u8]>,
) -> Result<Stored<'a>, String> {
    let storage = storages.get(&parts.storage.key).copied().ok_or(DAMAGED)?;
    let class = parts.storage.class.as_str();
    let kind = match (&parts.kind, class) {
        (None, "FloatStorage") => Ok(DType::F32),
        (None, "DoubleStorage") => Ok(DType::F64),
        (None, "HalfStorage") => Ok(DType::F16),
        (None, "BFloat16Storage") => Ok(DType::BF16),
        (None, "LongStorage") => Err("int64".to_owned()),
        (None, "BoolStorage") => Err("booleans".to_owned()),
        (None, class) => Err(class.trim_end_matches("Storage").to_lowercase()),
        (Some(kind), _) => Err(kind.trim_start_matches("torch.").to_owned()),
    };
    let numbers = match kind {
        Ok(kind) => Numbers::View {
            kind,
            storage,
            offset: parts.offset,
            stride: parts.stride.clone(),
        },
        Err(other) => Numbers::Other(other),
    };
    Ok(Stored {
        name,
        shape: parts.shape.clone(),
        numbers,
    })
}

/// Bytes per number.
fn width(class: &str) -> Option<usize> {
    Some(match class {
        "ByteStorage" | "CharStorage" | "BoolStorage" => 1,
        "ShortStorage" | "HalfStorage" | "BFloat16Storage" => 2,
        "IntStorage" | "FloatStorage" => 4,
        "LongStorage" | "DoubleStorage" => 8,
        "ComplexFloatStorage" => 8,
        "ComplexDoubleStorage" => 16,
        _ => return None,
    })
}
