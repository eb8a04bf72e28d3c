//! Draws the picture of the modules in the book (`book/src/modules.svg`) from the sources, and fails if the one that is
//! committed is another. `INSTA_UPDATE=always cargo test --release -p tests --test all modules_picture::` writes it.
//!
//! One row per module, in the order of `lib.rs` (`sweep/` and `benchmarks/`: in the order of their `mod.rs`), with the
//! first sentence of its documentation. A line at the left leads from a module to one that uses it. If a module also
//! uses what stands behind another line, that line is left out.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules whose folders are rows of their own.
const OPENED: [&str; 2] = ["sweep", "benchmarks"];
const ROW: usize = 26;
const NAMES: usize = 150;
const SUMMARIES: usize = 262;
const WIDTH: usize = 880;

struct Row {
    /// Such as `crate::sweep::keep`.
    path: String,
    name: String,
    summary: String,
    /// The code of its files without tests. Empty for the heading of rows.
    code: String,
    inside: bool,
}

#[test]
fn the_picture_of_the_modules_is_that_of_the_sources() {
    let rows = rows();
    let svg = draw(&rows, &lines(&rows));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/src/modules.svg");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&path, &svg).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == svg,
        "book/src/modules.svg is old; write it by `INSTA_UPDATE=always cargo test --release -p tests --test all modules_picture::`"
    );
}

/// Data flows down: no line leads up, and each module but the first ones uses another.
#[test]
fn lines_lead_down() {
    let rows = rows();
    let lines = lines(&rows);
    assert!(lines.iter().all(|(from, to)| from < to), "{lines:?}");
    let at = |name: &str| rows.iter().position(|row| row.name == name).unwrap();
    assert!(lines.contains(&(at("network"), at("training"))));
    assert!(
        !lines.contains(&(at("error"), at("cli"))),
        "behind another line"
    );
    assert_eq!(rows[at("random")].summary, "Named random streams");
}

fn rows() -> Vec<Row> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xai-core/src");
    let mut rows = Vec::new();
    for name in declared(&root.join("lib.rs")) {
        let opened = OPENED.contains(&name.as_str());
        rows.push(row(&root, "crate", &name, opened, false));
        if opened {
            let folder = root.join(&name);
            let inside = declared(&folder.join("mod.rs")).into_iter();
            let path = format!("crate::{name}");
            rows.extend(inside.map(|part| row(&folder, &path, &part, false, true)));
        }
    }
    rows
}

/// The modules that a file declares, in order.
fn declared(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let name = |line: &str| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        let name = line.strip_prefix("mod ")?.strip_suffix(';')?;
        Some(name.to_owned())
    };
    text.lines().filter_map(name).collect()
}

fn row(folder: &Path, within: &str, name: &str, heading: bool, inside: bool) -> Row {
    let file = folder.join(format!("{name}.rs"));
    let files = if file.exists() {
        vec![file]
    } else {
        files(&folder.join(name))
    };
    let is_front = |file: &&PathBuf| files.len() == 1 || file.ends_with(format!("{name}/mod.rs"));
    let front = files.iter().find(is_front).expect("a mod.rs");
    let docs = fs::read_to_string(front).unwrap();
    let code = files.iter().map(|file| {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        lines.flat_map(|line| [line, "\n"]).collect::<String>()
    });
    Row {
        path: format!("{within}::{name}"),
        name: name.to_owned(),
        summary: summary(&docs),
        code: if heading {
            String::new()
        } else {
            code.collect()
        },
        inside,
    }
}

/// All sources below a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The first sentence of a module's documentation, up to a full stop or a colon, without marks.
fn summary(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let paragraph: Vec<&str> = lines
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let text = paragraph.join(" ") + " ";
    let end = [". ", ": "].iter().filter_map(|end| text.find(end)).min();
    let text = &text[..end.unwrap_or(text.len())];
    text.replace(['`', '[', ']'], "").trim().to_owned()
}

/// From a row to each row that uses it, without those that follow from other lines.
fn lines(rows: &[Row]) -> BTreeSet<(usize, usize)> {
    let uses = |user: &Row, used: &Row| {
        let continued =
            |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
        let mut rest = user.code.as_str();
        while let Some(at) = rest.find(&used.path) {
            rest = &rest[at + used.path.len()..];
            if continued(rest) {
                return true;
            }
        }
        false
    };
    let leaf = |row: &Row| !row.code.is_empty();
    let mut all = BTreeSet::new();
    for (to, user) in rows.iter().enumerate().filter(|(_, row)| leaf(row)) {
        for (from, used) in rows.iter().enumerate().filter(|(_, row)| leaf(row)) {
            if from != to && uses(user, used) {
                all.insert((from, to));
            }
        }
    }
    // Reachable in more than one step.
    let far = |from: usize, to: usize| {
        let mut waiting: Vec<usize> = all
            .iter()
            .filter(|line| line.0 == from && line.1 != to)
            .map(|line| line.1)
            .collect();
        let mut seen = BTreeSet::new();
        while let Some(at) = waiting.pop() {
            if at == to {
                return true;
            }
            if seen.insert(at) {
                waiting.extend(all.iter().filter(|line| line.0 == at).map(|line| line.1));
            }
        }
        false
    };
    all.iter()
        .copied()
        .filter(|&(from, to)| !far(from, to))
        .collect()
}

fn draw(rows: &[Row], lines: &BTreeSet<(usize, usize)>) -> String {
    let height = ROW * rows.len() + 20;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"14\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" rx=\"8\" fill=\"white\"/>\n"
    );
    let middle = |row: usize| 10 + ROW * row + ROW / 2;
    for &(from, to) in lines {
        let (start, end) = (middle(from), middle(to));
        // The farther, the wider.
        let x = NAMES - 12;
        let reach = x - (12 + 5 * (to - from)).min(x - 8);
        writeln!(
            svg,
            "<path d=\"M{x} {start} C{reach} {start} {reach} {end} {x} {end}\" fill=\"none\" stroke=\"#0072b2\" stroke-opacity=\"0.6\"/>\
             <circle cx=\"{x}\" cy=\"{end}\" r=\"2.5\" fill=\"#0072b2\"/>"
        )
        .unwrap();
    }
    for (number, row) in rows.iter().enumerate() {
        let y = middle(number) + 5;
        let x = if row.inside { NAMES + 14 } else { NAMES };
        let escaped = row.summary.replace('&', "&amp;").replace('<', "&lt;");
        writeln!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" font-family=\"monospace\" font-weight=\"bold\">{}</text><text x=\"{SUMMARIES}\" y=\"{y}\">{escaped}</text>",
            row.name
        )
        .unwrap();
    }
    svg + "</svg>\n"
}
