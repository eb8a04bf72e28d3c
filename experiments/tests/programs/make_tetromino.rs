//! Runs `make_tetromino`. Its files are as its documentation describes them.

use ndarray::Axis;

#[test]
fn files_are_as_other_programs_expect_them() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        crate::common::run("make_tetromino", folder.path(), &arguments)
    };
    let made = run(
        "--scenario xor --background correlated --size 8 --count 400 --protocol published --seed 4000002 --out made",
    );
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    for (part, count) in [("train", 320), ("validation", 40), ("test", 40)] {
        let read = |name: &str| {
            let path = folder.path().join("made").join(part).join(name);
            experiments::npy::read(&path, |value| value).unwrap()
        };
        let (images, truth, class) = (read("images.npy"), read("truth.npy"), read("class.npy"));
        assert_eq!(images.shape(), [count, 8, 8]);
        assert_eq!(truth.shape(), [count, 8, 8]);
        assert_eq!(class.shape(), [count]);
        assert_eq!(class.sum(), count as f64 / 2.0);
        assert!(truth.axis_iter(Axis(0)).all(|truth| truth.sum() == 8.0));
        assert!(truth.iter().all(|&value| value == 0.0 || value == 1.0));
    }
    // Types by their names in the files' headers.
    for (name, kind) in [("images", "<f4"), ("truth", "<f4"), ("class", "<i8")] {
        let bytes = std::fs::read(folder.path().join(format!("made/test/{name}.npy"))).unwrap();
        let header = String::from_utf8_lossy(&bytes[..80]).into_owned();
        assert!(header.contains(kind), "{header}");
    }

    let refused = run("--scenario xor --background white --count 30 --out other");
    assert_eq!(refused.status.code(), Some(1));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        message.starts_with("error: 30 images cannot be divided"),
        "{message}"
    );
    let unused = run("--scenario xor --background white --photographs . --out other");
    assert_eq!(unused.status.code(), Some(1));
    let message = String::from_utf8_lossy(&unused.stderr).into_owned();
    assert!(
        message.starts_with("error: --photographs have no meaning with --background white"),
        "{message}"
    );
    let mistyped = run("--scenario xnor --background white --out other");
    assert_eq!(mistyped.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&mistyped.stderr).contains("translations_rotations"));
    assert!(!folder.path().join("other").exists());
}
