//! The code outside of an experiment's file: its own package, the packages that stand beside it, and `Cargo.lock`, which
//! names the versions of all others.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::included::{Included, Place, includes};
use super::tokens::{hash, words};

/// They say by themselves what their code is.
const OWN: [&str; 2] = ["xai-core", "xai-macros"];

/// Fingerprints by name, for the experiment in this file of the package in `folder`.
pub fn outside(folder: &Path, file: Option<&Path>) -> BTreeMap<String, String> {
    let mut packages = BTreeMap::new();
    visit(folder, true, &mut packages);
    visit_patches(folder, &mut packages);
    let mut found: BTreeMap<String, String> = packages
        .into_iter()
        .filter(|(name, _)| !OWN.contains(&name.as_str()))
        .map(|(name, folder)| (name, sources(&folder, file)))
        .collect();
    let lock = folder.ancestors().map(|folder| folder.join("Cargo.lock"));
    for path in file.map(modules).unwrap_or_default() {
        // Those in `src` are part of the package, apart from those of programs.
        let src = folder.join("src");
        let of_package = path.starts_with(&src) && within(&path, &src);
        if !of_package || within(&path, &src.join("bin")) {
            let name = path.strip_prefix(folder).unwrap_or(&path);
            found.insert(name.display().to_string(), of_file(&path, folder));
        }
    }
    if let Some(text) = lock
        .into_iter()
        .find_map(|path| fs::read_to_string(path).ok())
    {
        found.insert("Cargo.lock".to_owned(), hash(&[text]));
    }
    found
}

/// The fingerprint of a package: the code of its library, without comments and layout, and the files that this code
/// includes. Programs are not part of it, and neither is `except`, the experiment's own file.
pub fn sources(package: &Path, except: Option<&Path>) -> String {
    let src = package.join("src");
    let library = library(package);
    let except = except.and_then(|path| path.canonicalize().ok());
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let programs = [src.join("bin"), src.join("main.rs")];
    files.retain(|path| !programs.iter().any(|program| path.starts_with(program)));
    files.sort();
    // `[lib]` and `#[path]` can name files that are not in `src`.
    let mut elsewhere = modules(&library);
    elsewhere.push(library);
    elsewhere.retain(|path| path.exists() && !within(path, &src));
    elsewhere.sort();
    let mut all = Vec::new();
    for path in files.iter().chain(&elsewhere) {
        if except.is_some() && path.canonicalize().ok() == except {
            continue;
        }
        let name = path.strip_prefix(&src).unwrap_or(path);
        let name = name.strip_prefix(package).unwrap_or(name);
        all.push(name.display().to_string());
        all.push(of_file(path, package));
    }
    hash(&all)
}

/// The file of a package's library.
fn library(package: &Path) -> PathBuf {
    let manifest = read(package).unwrap_or_default();
    let path = manifest.get("lib").and_then(|lib| lib.get("path"));
    package.join(path.and_then(Value::as_str).unwrap_or("src/lib.rs"))
}

/// The hash of a file of a package and of what it includes.
fn of_file(path: &Path, package: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let Ok(tokens) = text.parse() else {
        return hash(&[text]);
    };
    let words = words(tokens);
    // The compiler has the variables of one package. Of another one, only the folder is known.
    let compiled = std::env::var_os("CARGO_MANIFEST_DIR");
    let compiled = compiled.is_some_and(|compiled| Path::new(&compiled) == package);
    let variable = |name: &str| match name {
        "CARGO_MANIFEST_DIR" => Some(package.display().to_string()),
        _ if compiled => std::env::var(name).ok(),
        _ => None,
    };
    let place = Place {
        folder: path.parent(),
        variable: &variable,
    };
    let included = includes(&words, place).files;
    if included.is_empty() {
        return hash(&words);
    }
    let included = included.iter().map(Included::hash);
    let all: Vec<_> = [hash(&words)].into_iter().chain(included).collect();
    hash(&all)
}

/// Whether a path is in a folder. It can lead out of it again, as `src/../shared.rs` does.
fn within(path: &Path, folder: &Path) -> bool {
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        _ => path.starts_with(folder),
    }
}

/// The files of the modules that a file declares by `mod name;`, directly or through others.
fn modules(file: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    add_modules(file, &mut all);
    all
}

fn add_modules(file: &Path, all: &mut Vec<PathBuf>) {
    let source = fs::read_to_string(file).ok();
    let source = source.and_then(|text| syn::parse_file(&text).ok());
    let (folder, stem) = (file.parent(), file.file_stem());
    if let (Some(source), Some(folder), Some(stem)) = (source, folder, stem) {
        // A file that is no `mod.rs` and no program has its modules in a folder of its name.
        let places = [folder.to_owned(), folder.join(stem)];
        add_declared(&source.items, &places[..1], &places, all);
    }
}

/// Adds the modules among items, whose files are in one of `places`. What `#[path]` says is relative to `of_path`.
fn add_declared(
    items: &[syn::Item],
    of_path: &[PathBuf],
    places: &[PathBuf],
    all: &mut Vec<PathBuf>,
) {
    for item in items {
        let syn::Item::Mod(module) = item else {
            continue;
        };
        let name = module.ident.to_string();
        let path = module.attrs.iter().find_map(path_attribute);
        if let Some((_, items)) = &module.content {
            let inside: Vec<PathBuf> = match &path {
                Some(path) => of_path.iter().map(|place| place.join(path)).collect(),
                None => places.iter().map(|place| place.join(&name)).collect(),
            };
            add_declared(items, &inside, &inside, all);
            continue;
        }
        let candidates: Vec<PathBuf> = match &path {
            Some(path) => of_path.iter().map(|place| place.join(path)).collect(),
            None => {
                let ends = [format!("{name}.rs"), format!("{name}/mod.rs")];
                let files = |place: &PathBuf| ends.clone().map(|end| place.join(end));
                places.iter().flat_map(files).collect()
            }
        };
        let found = candidates.into_iter().find(|place| place.exists());
        if let Some(found) = found.filter(|found| !all.contains(found)) {
            all.push(found.clone());
            add_modules(&found, all);
        }
    }
}

/// The path in `#[path = "..."]`.
fn path_attribute(attribute: &syn::Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    match &pair.value {
        syn::Expr::Lit(literal) if pair.path.is_ident("path") => match &literal.lit {
            syn::Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Adds a package and those that it names by a path, directly or through others. Only the first one's programs and tests
/// are built, so only its dependencies for development count.
fn visit(folder: &Path, first: bool, packages: &mut BTreeMap<String, PathBuf>) {
    let Some(manifest) = read(folder) else {
        return;
    };
    let name = manifest
        .get("package")
        .and_then(|package| package.get("name"));
    let Some(name) = name.and_then(Value::as_str) else {
        return;
    };
    if packages
        .insert(name.to_owned(), folder.to_owned())
        .is_some()
    {
        return;
    }
    let of_target = manifest.get("target").and_then(Value::as_table);
    let mut places: Vec<&Table> = of_target
        .into_iter()
        .flatten()
        .filter_map(|(_, of)| of.as_table())
        .collect();
    places.push(&manifest);
    let kinds = ["dependencies", "dev-dependencies"];
    for kind in &kinds[..1 + usize::from(first)] {
        let tables = places
            .iter()
            .filter_map(|place| place.get(*kind)?.as_table());
        for (name, dependency) in tables.flatten() {
            if let Some(folder) = path(folder, name, dependency) {
                visit(&folder, false, packages);
            }
        }
    }
}

/// The folder of a dependency, if it is named by a path.
fn path(folder: &Path, name: &str, dependency: &Value) -> Option<PathBuf> {
    if let Some(path) = dependency.get("path") {
        return Some(folder.join(path.as_str()?));
    }
    dependency
        .get("workspace")?
        .as_bool()
        .filter(|of_workspace| *of_workspace)?;
    let (root, manifest) = workspace(folder)?;
    let shared = manifest.get("workspace")?.get("dependencies")?.get(name)?;
    Some(root.join(shared.get("path")?.as_str()?))
}

/// The root of the workspace of a package, and its manifest.
fn workspace(folder: &Path) -> Option<(&Path, Table)> {
    folder.ancestors().find_map(|root| {
        let manifest = read(root)?;
        manifest
            .contains_key("workspace")
            .then_some((root, manifest))
    })
}

/// Adds the packages that the workspace, or a package without one, puts in the place of others.
fn visit_patches(folder: &Path, packages: &mut BTreeMap<String, PathBuf>) {
    let found = workspace(folder).or_else(|| Some((folder, read(folder)?)));
    let Some((root, manifest)) = found else {
        return;
    };
    let sources = manifest.get("patch").and_then(Value::as_table);
    let patches = sources.into_iter().flatten();
    for (_, patch) in patches
        .filter_map(|(_, source)| source.as_table())
        .flatten()
    {
        if let Some(path) = patch.get("path").and_then(Value::as_str) {
            visit(&root.join(path), false, packages);
        }
    }
}

fn read(folder: &Path) -> Option<Table> {
    let text = fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A study that uses a helper beside it, which uses another one by the table of the workspace.
    fn workspace() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            (
                "Cargo.toml",
                "[workspace]\n[workspace.dependencies]\ndeep = { path = 'deep' }",
            ),
            ("Cargo.lock", "# versions"),
            (
                "study/Cargo.toml",
                "[package]\nname = 'study'\n[dependencies]\nhelper = { path = '../helper' }\nserde = '1'",
            ),
            ("study/src/main.rs", "mod parts;"),
            ("study/src/parts.rs", "pub fn part() {}"),
            ("study/src/bin/other.rs", "fn main() {}"),
            (
                "helper/Cargo.toml",
                "[package]\nname = 'helper'\n[dependencies]\ndeep.workspace = true\n[dev-dependencies]\nstudy = { path = '../study' }",
            ),
            ("helper/src/lib.rs", "pub fn help() {}"),
            ("deep/Cargo.toml", "[package]\nname = 'deep'"),
            ("deep/src/inner/mod.rs", "pub fn deep() {}"),
        ] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    /// The names whose fingerprints change when a file is written.
    fn changed(file: &str, text: &str) -> Vec<String> {
        let folder = workspace();
        let study = folder.path().join("study");
        let main = study.join("src/main.rs");
        let before = outside(&study, Some(&main));
        assert_eq!(
            before.keys().collect::<Vec<_>>(),
            ["Cargo.lock", "deep", "helper", "study"]
        );
        fs::write(folder.path().join(file), text).unwrap();
        let after = outside(&study, Some(&main));
        let differs = |name: &&String| before.get(*name) != after.get(*name);
        after.keys().filter(differs).cloned().collect()
    }

    #[test]
    fn each_package_has_its_fingerprint() {
        assert_eq!(
            changed("helper/src/lib.rs", "pub fn help() { 1 }"),
            ["helper"]
        );
        assert_eq!(
            changed("helper/src/more.rs", "pub fn more() {}"),
            ["helper"]
        );
        assert_eq!(
            changed("deep/src/inner/mod.rs", "pub fn deeper() {}"),
            ["deep"]
        );
        assert_eq!(
            changed("study/src/parts.rs", "pub fn parts() {}"),
            ["study"]
        );
        assert_eq!(changed("Cargo.lock", "# other versions"), ["Cargo.lock"]);
    }

    #[test]
    fn a_package_in_the_place_of_another_counts() {
        let folder = workspace();
        let study = folder.path().join("study");
        let root = folder.path().join("Cargo.toml");
        let text = fs::read_to_string(&root).unwrap();
        let patch = "\n[patch.crates-io]\nserde = { path = 'patched' }";
        fs::write(&root, text + patch).unwrap();
        let patched = folder.path().join("patched");
        fs::create_dir_all(patched.join("src")).unwrap();
        fs::write(patched.join("Cargo.toml"), "[package]\nname = 'serde'").unwrap();
        let now = || {
            let mut found = outside(&study, None);
            found.remove("serde")
        };
        let before = now();
        assert!(before.is_some());
        fs::write(patched.join("src/lib.rs"), "pub fn f() {}").unwrap();
        assert_ne!(now(), before);
    }

    #[test]
    fn modules_beside_an_example_count() {
        let folder = workspace();
        let study = folder.path().join("study");
        let examples = study.join("examples");
        fs::create_dir_all(&examples).unwrap();
        let example = examples.join("one.rs");
        fs::write(&example, "mod beside;\nfn main() {}").unwrap();
        fs::write(examples.join("beside.rs"), "fn f() {}").unwrap();
        let before = outside(&study, Some(&example));
        fs::write(examples.join("beside.rs"), "fn f() { 1 }").unwrap();
        let after = outside(&study, Some(&example));
        assert_ne!(before["examples/beside.rs"], after["examples/beside.rs"]);
        assert_eq!(before["study"], after["study"]);
    }

    #[test]
    fn modules_with_a_path_and_in_other_modules_count() {
        let folder = workspace();
        let study = folder.path().join("study");
        let examples = study.join("examples");
        let example = examples.join("one.rs");
        for (file, text) in [
            (
                "examples/one.rs",
                "#[path = \"../shared/far.rs\"]\nmod far;\nmod inner { mod deep; #[path = \"x.rs\"] mod other; }\nfn main() {}",
            ),
            ("shared/far.rs", "mod near;"),
            ("shared/near.rs", ""),
            ("examples/inner/deep.rs", ""),
            ("examples/inner/x.rs", ""),
            ("src/main.rs", "#[path = \"../shared/near.rs\"] mod near;"),
        ] {
            let path = study.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let before = outside(&study, Some(&example));
        for (file, name) in [
            ("shared/far.rs", "examples/../shared/far.rs"),
            ("shared/near.rs", "examples/../shared/near.rs"),
            ("examples/inner/deep.rs", "examples/inner/deep.rs"),
            ("examples/inner/x.rs", "examples/inner/x.rs"),
        ] {
            assert!(before.contains_key(name), "{name}: {before:?}");
            let text = fs::read_to_string(study.join(file)).unwrap();
            fs::write(study.join(file), text + "fn f() { 1 }").unwrap();
            let after = outside(&study, Some(&example));
            assert_ne!(before[name], after[name], "{name}");
        }
        // A file beside `src` is no part of the package.
        let main = outside(&study, Some(&study.join("src/main.rs")));
        assert!(main.contains_key("src/../shared/near.rs"), "{main:?}");
    }

    #[test]
    fn files_that_a_package_includes_count() {
        for (include, file) in [
            ("include_str!(\"n.txt\")", "helper/src/n.txt"),
            ("include_bytes!(\"../data/n.bin\")", "helper/data/n.bin"),
            (
                "include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/n.txt\"))",
                "helper/n.txt",
            ),
        ] {
            let folder = workspace();
            let write = |file: &str, text: &str| {
                let path = folder.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            };
            write("helper/src/lib.rs", &format!("const N: X = {include};"));
            write(file, "1");
            let study = folder.path().join("study");
            let before = outside(&study, None);
            write(file, "2");
            let after = outside(&study, None);
            assert_ne!(before["helper"], after["helper"], "{include}");
            assert_eq!(before["study"], after["study"], "{include}");
        }
    }

    #[test]
    fn a_library_need_not_be_in_src() {
        for (library, files) in [
            ("lib.rs", ["helper/lib.rs", "helper/near.rs"]),
            ("code/lib.rs", ["helper/code/lib.rs", "helper/code/near.rs"]),
            ("src/lib.rs", ["helper/src/lib.rs", "helper/near.rs"]),
        ] {
            let folder = workspace();
            let write = |file: &str, text: &str| {
                let path = folder.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            };
            let manifest = format!("[package]\nname = 'helper'\n[lib]\npath = '{library}'\n");
            let near = if library == "src/lib.rs" {
                "#[path = \"../near.rs\"] mod near;"
            } else {
                "mod near;"
            };
            write("helper/Cargo.toml", &manifest);
            write(files[0], near);
            write(files[1], "fn f() {}");
            let study = folder.path().join("study");
            let mut before = outside(&study, None);
            for (file, text) in [(files[0], near), (files[1], "")] {
                write(file, &format!("{text} fn f() {{ 1 }}"));
                let after = outside(&study, None);
                assert_ne!(before["helper"], after["helper"], "{file}");
                before = after;
            }
            // Another program of the package.
            write("helper/examples/other.rs", "fn main() {}");
            assert_eq!(before, outside(&study, None), "{library}");
        }
    }

    #[test]
    fn modules_of_a_program_count() {
        let folder = workspace();
        let study = folder.path().join("study");
        let program = study.join("src/bin/one/main.rs");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, "mod part;").unwrap();
        fs::write(program.with_file_name("part.rs"), "").unwrap();
        let before = outside(&study, Some(&program));
        fs::write(program.with_file_name("part.rs"), "fn f() {}").unwrap();
        let after = outside(&study, Some(&program));
        assert_ne!(before, after);
    }

    #[test]
    fn comments_tests_and_other_programs_change_nothing() {
        let nothing: [&str; 0] = [];
        assert_eq!(
            changed("helper/src/lib.rs", "/// Helps.\npub fn help() {} // so"),
            nothing
        );
        assert_eq!(
            changed(
                "helper/src/lib.rs",
                "pub fn help() {}\n#[cfg(test)] mod tests { fn t() {} }"
            ),
            nothing
        );
        assert_eq!(
            changed("study/src/bin/other.rs", "fn main() { 1 }"),
            nothing
        );
        assert_eq!(
            changed("study/src/main.rs", "mod parts; fn main() {}"),
            nothing
        );
    }
}
