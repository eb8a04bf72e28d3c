//! The file of heat maps beside a cell's scores: a few images, for the user to look at.
//!
//! It is a safetensors file. For the image at position `i` it holds `i.pixels` and `i.truth` (0 or
//! 1), `[h, w]`, and one map `i.<method>` per method, `[h, w]`, as it was scored. The metadata
//! identifies the images.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use ndarray::Array2;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::attribution::Shown;
use crate::error::{Error, Result};

/// The entry of the metadata with the list of images.
const IMAGES: &str = "images";

/// The metadata of an image.
#[derive(Serialize, Deserialize)]
struct ShownEntry {
    index: u32,
    class: u8,
    methods: Vec<String>,
}

/// Writes images with their heat maps.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_maps(path: &Path, shown: &[Shown]) -> Result<()> {
    let floats = |map: &Array2<f32>| map.iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (at, image) in shown.iter().enumerate() {
        let shape = image.pixels.shape().to_vec();
        let mut keep = |name: &str, kind, bytes| {
            tensors.push((format!("{at}.{name}"), kind, shape.clone(), bytes));
        };
        keep("pixels", Dtype::F32, floats(&image.pixels));
        let truth = image.truth.iter().map(|&set| u8::from(set));
        keep("truth", Dtype::U8, truth.collect());
        for (method, map) in &image.maps {
            keep(method, Dtype::F32, floats(map));
        }
    }
    let entries: Vec<ShownEntry> = shown
        .iter()
        .map(|image| ShownEntry {
            index: image.index,
            class: image.class,
            methods: image.maps.iter().map(|(name, _)| name.clone()).collect(),
        })
        .collect();
    let entries = serde_json::to_string(&entries).map_err(Error::invalid)?;
    let views = tensors.iter().map(|(name, kind, shape, bytes)| {
        let view = TensorView::new(*kind, shape.clone(), bytes);
        (name, view.expect("all maps of an image have its shape"))
    });
    let metadata = HashMap::from([(IMAGES.to_owned(), entries)]);
    safetensors::serialize_to_file(views, Some(metadata), path)
        .map_err(|problem| Error::file(path, problem))
}

/// Reads a file written by `write_maps`: images that a winner explained, with their heat maps.
///
/// # Errors
/// If the file cannot be read, or is damaged.
pub fn read_maps(path: &Path) -> Result<Vec<Shown>> {
    let bytes = fs::read(path).map_err(|problem| Error::file(path, problem))?;
    parse(&bytes).map_err(|problem| {
        Error::file(
            path,
            format!("not written by this program, or damaged ({problem}); delete it and run again"),
        )
    })
}

fn parse(bytes: &[u8]) -> Result<Vec<Shown>> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(Error::invalid)?;
    let file = SafeTensors::deserialize(bytes).map_err(Error::invalid)?;
    let entries = header.metadata().as_ref().and_then(|m| m.get(IMAGES));
    let entries = entries.ok_or_else(|| Error::invalid("it has no list of images"))?;
    let entries: Vec<ShownEntry> = serde_json::from_str(entries).map_err(Error::invalid)?;
    let tensor = |name: String, kind: Dtype| {
        let tensor = file.tensor(&name).map_err(Error::invalid)?;
        match (tensor.dtype() == kind, tensor.shape()) {
            (true, &[height, width]) => Ok(([height, width], tensor.data())),
            _ => Err(Error::invalid(format!("{name} is no {kind:?} map"))),
        }
    };
    let map = |name: String| {
        let (shape, data) = tensor(name, Dtype::F32)?;
        let values = data.as_chunks().0.iter();
        let values = values.map(|&bytes| f32::from_le_bytes(bytes)).collect();
        Array2::from_shape_vec(shape, values).map_err(Error::invalid)
    };
    let image = |(at, entry): (usize, ShownEntry)| {
        let (shape, truth) = tensor(format!("{at}.truth"), Dtype::U8)?;
        let truth = truth.iter().map(|&set| set != 0).collect();
        let maps = entry.methods.into_iter().map(|method| {
            let values = map(format!("{at}.{method}"))?;
            Ok((method, values))
        });
        Ok(Shown {
            index: entry.index,
            class: entry.class,
            pixels: map(format!("{at}.pixels"))?,
            truth: Array2::from_shape_vec(shape, truth).map_err(Error::invalid)?,
            maps: maps.collect::<Result<_>>()?,
        })
    };
    entries.into_iter().enumerate().map(image).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn example() -> Vec<Shown> {
        let image = |index| Shown {
            index,
            class: 1,
            pixels: array![[0.0, 0.5, 1.0]],
            truth: array![[false, true, true]],
            maps: vec![
                ("saliency".to_owned(), array![[index as f32, 1.5, -2.0]]),
                ("lrp".to_owned(), array![[0.0, 1e-30, 3.0]]),
            ],
        };
        vec![image(3), image(40)]
    }

    #[test]
    fn maps_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("maps.safetensors");
        write_maps(&path, &example()).unwrap();
        assert_eq!(read_maps(&path).unwrap(), example());
        write_maps(&path, &[]).unwrap();
        assert_eq!(read_maps(&path).unwrap(), []);
    }

    #[test]
    fn a_damaged_or_foreign_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("maps.safetensors");
        write_maps(&path, &example()).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
        let message = read_maps(&path).unwrap_err().to_string();
        assert!(
            message.contains("maps.safetensors: not written by this program, or damaged"),
            "{message}"
        );
        let nothing: [(&str, TensorView<'_>); 0] = [];
        safetensors::serialize_to_file(nothing, None, &path).unwrap();
        let message = read_maps(&path).unwrap_err().to_string();
        assert!(message.contains("no list of images"), "{message}");
    }
}
