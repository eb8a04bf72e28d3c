//! `.npy` files as NumPy writes them (`tests/fixtures/npy/make.py`).

use std::path::Path;

use serde_json::Value as Json;

#[test]
fn arrays_are_read_as_numpy_reads_them() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/npy/cases.json");
    let cases: Vec<Json> =
        serde_json::from_str(&std::fs::read_to_string(fixture).unwrap()).unwrap();
    assert!(cases.len() > 40);
    let folder = tempfile::tempdir().unwrap();
    for case in cases {
        let path = folder.path().join("array.npy");
        let pairs = case["bytes"].as_str().unwrap().as_bytes().chunks(2);
        let pairs = pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16));
        std::fs::write(&path, pairs.collect::<Result<Vec<_>, _>>().unwrap()).unwrap();
        let kind = &case["kind"];
        let shape = |array: &[usize]| Json::from(array.to_vec());
        match experiments::npy::read(&path, |value| value) {
            Ok(array) => {
                let expected = case["values"].as_array().unwrap();
                assert_eq!(array.len(), expected.len(), "{kind}");
                for (value, expected) in array.iter().zip(expected) {
                    // JSON's numbers are read to the last but one bit.
                    let expected = expected.as_f64().unwrap();
                    let off = (value - expected).abs();
                    assert!(off <= 1e-15 * expected.abs(), "{kind}: {value}, {expected}");
                }
                assert_eq!(shape(array.shape()), case["shape"], "{kind}");
            }
            Err(problem) => {
                let expected = case["error"].as_str();
                let expected = expected.unwrap_or_else(|| panic!("{kind}: {problem}"));
                assert!(problem.to_string().contains(expected), "{kind}: {problem}");
            }
        }
    }
}
