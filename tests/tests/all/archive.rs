//! `--crate`: metadata of a finished run for archives. `check_crate.py` reads them with the library `rocrate`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;
use tests::{text, toy};

fn run(out: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = toy(env!("CARGO_BIN_EXE_toy"), out, "0,1", arguments);
    text(command.output().unwrap())
}

fn graph(folder: &Path) -> Vec<Json> {
    let text = fs::read_to_string(folder.join("ro-crate-metadata.json")).unwrap();
    let metadata: Json = serde_json::from_str(&text).unwrap();
    metadata["@graph"].as_array().unwrap().clone()
}

/// The identifiers to which an entity refers.
fn references(json: &Json, found: &mut BTreeSet<String>) {
    match json {
        Json::Array(list) => list.iter().for_each(|one| references(one, found)),
        Json::Object(entries) => match (entries.get("@id"), entries.len()) {
            (Some(id), 1) => {
                found.insert(id.as_str().unwrap().to_owned());
            }
            _ => entries.values().for_each(|one| references(one, found)),
        },
        _ => {}
    }
}

#[test]
fn the_metadata_list_every_file_and_nothing_else() {
    let out = tempfile::tempdir().unwrap();
    let (code, said, problem) = run(out.path(), &["--report", "--crate", "CC-BY-4.0"]);
    assert_eq!(code, Some(0), "{problem}");
    assert!(said.contains("ro-crate-metadata.json"), "{said}");
    let folder = out.path().join("toy_command");
    let graph = graph(&folder);
    let entity = |id: &str| graph.iter().find(|one| one["@id"] == id);
    let root = entity("./").unwrap();
    assert_eq!(
        root["license"]["@id"],
        "https://spdx.org/licenses/CC-BY-4.0"
    );
    let parts = root["hasPart"].as_array().unwrap();
    for part in parts {
        let id = part["@id"].as_str().unwrap();
        let size = fs::metadata(folder.join(id)).unwrap().len();
        assert_eq!(entity(id).unwrap()["contentSize"], size.to_string(), "{id}");
    }
    let listed: BTreeSet<&str> = parts
        .iter()
        .map(|part| part["@id"].as_str().unwrap())
        .collect();
    for name in ["plan.json", "table.csv", "figure.svg", "report.html"] {
        assert!(listed.contains(name), "{name}");
    }
    assert_eq!(
        listed
            .iter()
            .filter(|id| id.ends_with("/scores.parquet"))
            .count(),
        2
    );
    // What is referred to is there, or has an address on the web.
    let mut referred = BTreeSet::new();
    references(&Json::Array(graph.clone()), &mut referred);
    for id in referred {
        assert!(entity(&id).is_some() || id.starts_with("http"), "{id}");
    }
    let action = entity("#run").unwrap();
    assert_eq!(action["instrument"]["@id"], "plan.json");
    assert_eq!(action["result"].as_array().unwrap().len(), parts.len() - 1);
    let delays = entity("#value-delay")
        .or_else(|| entity("#value-rate"))
        .unwrap();
    assert!(!delays["value"].as_array().unwrap().is_empty());

    // Again, without a licence: the metadata do not list themselves.
    assert_eq!(run(out.path(), &["--report", "--crate"]).0, Some(0));
    let again = self::graph(&folder);
    let root = again.iter().find(|one| one["@id"] == "./").unwrap();
    assert!(root["license"].is_null());
    assert_eq!(root["hasPart"].as_array().unwrap().len(), parts.len());
}

#[test]
fn addresses_are_valid_whatever_files_and_licence_are_called() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("toy_command");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("my notes 100%.txt"), "notes").unwrap();
    assert_eq!(
        run(out.path(), &["--crate", "MIT OR Apache-2.0"]).0,
        Some(0)
    );
    let graph = self::graph(&folder);
    let of = |id: &str| graph.iter().find(|one| one["@id"] == id).unwrap();
    let at = "my%20notes%20100%25.txt";
    assert_eq!(of(at)["name"], "my notes 100%.txt");
    assert!(of("./")["hasPart"].to_string().contains(at));
    assert!(of("#run")["result"].to_string().contains(at));
    assert_eq!(of("./")["license"]["@id"], "#licence");
    assert_eq!(of("#licence")["name"], "MIT OR Apache-2.0");
}

/// Metadata list the files with their sizes, so a run that writes others writes them again, with the licence that they have.
#[test]
fn metadata_of_an_earlier_run_are_replaced() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("toy_command");
    let parts = || {
        let graph = self::graph(&folder);
        let root = graph.iter().find(|one| one["@id"] == "./").unwrap();
        assert!(root["license"]["@id"].to_string().contains("CC-BY-4.0"));
        root["hasPart"].to_string()
    };
    assert_eq!(run(out.path(), &["--crate", "CC-BY-4.0"]).0, Some(0));
    assert!(!parts().contains("against"), "{}", parts());
    let other = tempfile::tempdir().unwrap();
    assert_eq!(run(other.path(), &[]).0, Some(0));
    let other = other.path().join("toy_command");
    let (code, _, problem) = run(out.path(), &["--against", other.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{problem}");
    assert!(parts().contains("against.csv"), "{}", parts());
    // None are written without being asked for, and those of somebody else stay.
    let metadata = folder.join("ro-crate-metadata.json");
    for other in [None, Some(r#"{"@graph": [{"@id": "./"}]}"#)] {
        fs::remove_file(&metadata).ok();
        if let Some(text) = other {
            fs::write(&metadata, text).unwrap();
        }
        assert_eq!(run(out.path(), &[]).0, Some(0));
        assert_eq!(fs::read_to_string(&metadata).ok().as_deref(), other);
    }
}

/// An archive would hold the page of an earlier run as a result of this one.
#[test]
fn a_page_of_an_earlier_run_is_replaced() {
    let out = tempfile::tempdir().unwrap();
    let page = out.path().join("toy_command/report.html");
    let scale = || {
        let text = fs::read_to_string(&page).unwrap();
        ["scale smoke", "scale desk"].map(|scale| text.contains(scale))
    };
    assert_eq!(
        run(out.path(), &["--scale", "smoke", "--report"]).0,
        Some(0)
    );
    assert_eq!(scale(), [true, false]);
    let (code, said, problem) = run(out.path(), &["--crate", "CC-BY-4.0"]);
    assert_eq!(code, Some(0), "{problem}");
    assert_eq!(scale(), [false, true]);
    assert!(said.contains("report.html"), "{said}");
    // A page of somebody else's stays, and none is written without being asked for.
    fs::write(&page, "mine").unwrap();
    assert_eq!(run(out.path(), &[]).0, Some(0));
    assert_eq!(fs::read_to_string(&page).unwrap(), "mine");
    fs::remove_file(&page).unwrap();
    assert_eq!(run(out.path(), &[]).0, Some(0));
    assert!(!page.exists());
}

#[test]
fn a_plan_alone_is_no_run() {
    let out = tempfile::tempdir().unwrap();
    let (code, _, problem) = run(out.path(), &["--plan", "--crate"]);
    assert_eq!(code, Some(2), "{problem}");
    assert!(problem.contains("--crate"), "{problem}");
}

/// `XAI_PYTHON=/path/to/python cargo test --release -p tests --test all archive:: -- --ignored`
#[test]
#[ignore = "needs a Python with rocrate; XAI_PYTHON names it, and .ci/results does the same"]
fn rocrate_reads_the_metadata() {
    passes("check_crate.py", &["--crate"]);
}

/// The required checks of all four profiles. A licence is one of them.
#[test]
#[ignore = "needs a Python with rocrate and roc-validator; XAI_PYTHON names it"]
fn the_validator_of_profiles_finds_nothing() {
    passes("validate_crate.py", &["--crate", "CC-BY-4.0"]);
}

/// A program in Python accepts the metadata of a run.
fn passes(program: &str, arguments: &[&str]) {
    let out = tempfile::tempdir().unwrap();
    assert_eq!(run(out.path(), arguments).0, Some(0));
    let python = std::env::var("XAI_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(program))
        .arg(out.path().join("toy_command"))
        .output()
        .unwrap();
    let [said, problem] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{said}{problem}");
}
