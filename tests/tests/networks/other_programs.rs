//! Weight files as written by training programs and exporters of all kinds (`fixtures/weights/make.py`). Each gives the
//! scores of its own program, or the expected error.

use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use ndarray::{Array2, Array4};
use serde::Deserialize;
use tests::{device, download, error, fixture, upload};
use xai_core::network::json;

#[derive(Deserialize)]
struct Cases {
    input: Vec<Vec<Vec<Vec<f32>>>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    /// In hexadecimal.
    bytes: String,
    layers: serde_json::Value,
    /// The scores of its own program.
    expected: Option<Vec<Vec<f32>>>,
    /// What the message must say.
    error: Option<String>,
}

/// `WEIGHT_CASES` names a file with more of them.
#[test]
fn files_give_their_programs_scores_or_one_error() {
    let path =
        std::env::var("WEIGHT_CASES").map_or(fixture("weights/cases.json.gz"), PathBuf::from);
    let file = std::fs::File::open(path).unwrap();
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let Cases { input, cases } = serde_json::from_str(&text).unwrap();
    assert!(cases.len() > 80);
    let shape = (input.len(), input[0].len(), input[0][0].len(), 5);
    let pixels = input.concat().concat().concat();
    let input = upload(&Array4::from_shape_vec(shape, pixels).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let weights = folder.path().join(&case.name);
        let bytes = case.bytes.as_bytes().chunks(2);
        let bytes = bytes.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16));
        std::fs::write(&weights, bytes.collect::<Result<Vec<_>, _>>().unwrap()).unwrap();
        let layers = folder.path().join("layers.json");
        std::fs::write(&layers, case.layers.to_string()).unwrap();
        let found = json::read(layers.to_str().unwrap(), 0, &weights, &device());
        let problem = match (found, case.expected, case.error) {
            (Ok(network), Some(expected), None) => {
                let found: Array2<f32> = download(network.forward(input.clone()));
                let shape = (expected.len(), expected[0].len());
                let expected = Array2::from_shape_vec(shape, expected.concat()).unwrap();
                let off = error(&found, &expected);
                (off > 1e-6).then(|| format!("off by {off:e}"))
            }
            (Err(found), None, Some(expected)) => {
                let found = found.to_string();
                let named = found.contains(&case.name);
                (!named || !found.contains(&expected)).then(|| format!("says {found}"))
            }
            (Ok(_), ..) => Some("is read".to_owned()),
            (Err(found), ..) => Some(format!("should be read, but {found}")),
        };
        wrong.extend(problem.map(|problem| format!("{}: {problem}", case.name)));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
