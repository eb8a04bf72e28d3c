//! Which code ran, for `plan.json`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value as Json, json};

use crate::key::hash_of_file;

/// The program and its sources, looked up once per process.
///
/// The hash of the program is exact. The commit and `Cargo.lock` are those of the sources as they
/// are now. They belong to the program if it was started by `cargo run`. They are null if there is
/// no git or no source, as for a program copied to another machine. A build script would record
/// them exactly, but would recompile everything after each commit.
pub(crate) fn provenance() -> Json {
    static FOUND: LazyLock<Json> = LazyLock::new(|| {
        let source = std::env::var_os("CARGO_MANIFEST_DIR") // set by `cargo run`
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let program = std::env::current_exe().ok();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "program": program.as_deref().and_then(hash),
            "commit": git(&source, &["rev-parse", "HEAD"]),
            // Whether a file tracked by git differs from the commit.
            "dirty": git(&source, &["status", "--porcelain", "--untracked-files=no"])
                .map(|changes| !changes.is_empty()),
            "cargo_lock": source.ancestors().find_map(|folder| hash(&folder.join("Cargo.lock"))),
        })
    });
    FOUND.clone()
}

fn hash(path: &Path) -> Option<String> {
    let (_, hash) = hash_of_file(path).ok()?;
    Some(hash.to_hex().to_string())
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
