//! What the tests of the interop commands share: they start an example as another program would, with files of its own.

use std::path::Path;
use std::process::{Command, Output};

use ndarray::{ArrayView, IxDyn};
use npyz::AutoSerialize;

/// Runs an example in a folder. `cargo test` builds the examples of a package as well, unless it is told which test
/// to run.
pub fn run(example: &str, folder: &Path, arguments: &[&str]) -> Output {
    let tests = std::env::current_exe().unwrap();
    let built = tests.ancestors().nth(2).unwrap();
    let program = built.join("examples").join(example);
    assert!(
        program.exists(),
        "build it first: cargo build --release -p experiments --examples"
    );
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// Writes an `.npy` file.
pub fn npy<T: AutoSerialize + Copy>(path: &Path, shape: &[usize], values: &[T]) {
    let array = ArrayView::from_shape(IxDyn(shape), values).unwrap();
    experiments::npy::write(path, &array).unwrap();
}
