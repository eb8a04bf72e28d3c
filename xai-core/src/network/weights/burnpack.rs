//! Burn's own files, read with its own library.

use std::rc::Rc;

use burn::tensor::Bytes;
use burn_store::{BurnpackStore, ModuleStore};

use super::stored::{Numbers, Stored, Tensors, convert, count};

/// The tensors under the names of the module's fields, with torch's names for the parameters and
/// torch's layout of linear layers. Burn stores these transposed.
pub fn read(bytes: Vec<u8>) -> Result<Tensors<'static>, String> {
    let damaged = |problem: String| format!("is not a complete burnpack file ({problem})");
    let mut store = BurnpackStore::from_bytes(Some(Bytes::from_bytes_vec(bytes)));
    let snapshots = (store.get_all_snapshots()).map_err(|problem| damaged(problem.to_string()))?;
    let mut tensors = Tensors::new();
    for (name, snapshot) in snapshots {
        let data = (snapshot.to_data()).map_err(|problem| damaged(format!("{problem:?}")))?;
        let shape: Vec<usize> = snapshot.shape.iter().copied().collect();
        let numbers = if data.dtype.is_float() {
            Numbers::Own(Rc::new(
                convert(data.dtype, data.as_bytes()).map_err(damaged)?,
            ))
        } else {
            Numbers::Other(format!("{:?}", data.dtype))
        };
        if let Numbers::Own(numbers) = &numbers
            && count(&shape) != Some(numbers.len())
        {
            return Err(damaged(format!(
                "{name}: {} numbers for {shape:?}",
                numbers.len()
            )));
        }
        let stored = Stored {
            name: name.clone(),
            shape,
            numbers,
        };
        let (at, parameter) = name.rsplit_once('.').unwrap_or(("", name));
        let parameter = match parameter {
            "gamma" => "weight",
            "beta" => "bias",
            same => same,
        };
        let name = match at {
            "" => parameter.to_owned(),
            at => format!("{at}.{parameter}"),
        };
        tensors.insert(name, stored.transposed());
    }
    Ok(tensors)
}
