//! The libraries that the tests are built with, for tests that call the compiler themselves.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

/// A library of each crate that the package `tests` depends on, by the crate's name in code.
pub struct Libraries(BTreeMap<String, PathBuf>);

impl Libraries {
    /// Asks Cargo. What the running test is built with is up to date, so Cargo compiles nothing.
    pub fn built() -> Self {
        let built = crate::built();
        let profile = match built.file_name().and_then(OsStr::to_str) {
            Some("debug") => "dev",
            Some(name) => name,
            None => panic!("{} is not UTF-8", built.display()),
        };
        let output = Command::new(env!("CARGO"))
            .args(["build", "--offline", "--package", "tests", "--lib"])
            .args(["--profile", profile, "--message-format", "json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo");
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{problem}");
        let messages = String::from_utf8(output.stdout).expect("Cargo writes UTF-8");
        let messages = messages.lines().map(serde_json::from_str);
        let libraries = messages.filter_map(|message| {
            let message: serde_json::Value = message.expect("Cargo writes JSON");
            let name = message["target"]["name"].as_str()?.replace('-', "_");
            let files = message["filenames"].as_array()?.iter();
            let mut files = files.filter_map(|file| file.as_str());
            let library = files.rfind(|file| file.ends_with(".rlib"))?;
            Some((name, library.into()))
        });
        Self(libraries.collect())
    }

    /// The compiler's arguments that make these crates available.
    pub fn arguments(&self, crates: &[&str]) -> Vec<String> {
        let folder = crate::built().join("deps");
        let mut arguments = vec![format!("-Ldependency={}", folder.display())];
        for name in crates {
            let path = self.0.get(*name);
            let path = path.unwrap_or_else(|| panic!("`tests` does not depend on {name}"));
            arguments.push("--extern".into());
            arguments.push(format!("{name}={}", path.display()));
        }
        arguments
    }
}
