//! Reads files that were changed at random. No file may crash the program or take more memory than its size explains.
//!
//! CI tries the same few hundred inputs per reader each time. To test each reader for longer:
//! `FUZZ_SECONDS=60 cargo test --release -p tests --test fuzz -- --nocapture`. An input that fails is stored in the folder
//! for temporary files, and its name is printed.
//!
//! With `FUZZ_KEEP=DIR`, every changed input that can still be read is stored there, with the result. Then
//! `tests/compare_fuzz.py DIR` compares with what torch, safetensors, nibabel and NumPy read.

mod arrays;
mod change;
mod folders;
mod memory;
mod runs;
mod scans;
mod weights;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use xai_core::random::stream;

/// Inputs a target in CI.
const INPUTS: u64 = 400;
/// What may be taken beside a multiple of the input: tables of the libraries, the network of the test.
const MEMORY: usize = 8 << 20;

/// Reads changed files until enough have been tried. `seeds` are whole files; `read` gives whether an input was
/// read, and may take `times` as much memory as the input is long.
fn fuzz(
    target: &str,
    seeds: &[Vec<u8>],
    times: usize,
    folder: &Path,
    mut read: impl FnMut(&Path, Option<&Path>) -> bool,
) {
    assert!(!seeds.is_empty());
    let seconds = std::env::var("FUZZ_SECONDS").ok();
    let seconds = seconds.map(|seconds| seconds.parse().expect("a number of seconds"));
    let keep = std::env::var("FUZZ_KEEP").ok().map(PathBuf::from);
    let (start, mut tried, mut accepted, mut most) = (Instant::now(), 0, 0, 0);
    let path = folder.join(target);
    loop {
        match seconds {
            Some(seconds) if start.elapsed() > Duration::from_secs(seconds) => break,
            None if tried == INPUTS => break,
            _ => {}
        }
        let mut rng = stream(tried, target);
        let bytes = match seeds.get(tried as usize) {
            Some(whole) => whole.clone(),
            None => change::changed(seeds, &mut rng),
        };
        std::fs::write(&path, &bytes).unwrap();
        let kept = (keep.as_ref()).map(|keep| keep.join(format!("{target}_{tried}")));
        let limit = MEMORY + times * bytes.len();
        let (result, taken) =
            memory::most(|| catch_unwind(AssertUnwindSafe(|| read(&path, kept.as_deref()))));
        most = most.max(taken);
        let fault = match result {
            Err(_) => Some("a panic".to_owned()),
            Ok(_) if taken > limit => Some(format!("{taken} bytes of memory, more than {limit}")),
            Ok(read) => {
                accepted += u64::from(read);
                if let (true, Some(kept)) = (read, &kept) {
                    std::fs::write(kept, &bytes).unwrap();
                }
                None
            }
        };
        if let Some(fault) = fault {
            let kept = std::env::temp_dir().join(format!("fuzz-{target}-{tried}"));
            std::fs::copy(&path, &kept).unwrap();
            panic!("{target}: {fault} with {}", kept.display());
        }
        tried += 1;
    }
    println!(
        "{target}: {tried} inputs, {accepted} of them read, at most {most} bytes of memory at once"
    );
}

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;
