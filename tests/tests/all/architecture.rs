//! Checks the architecture of `xai-core` by reading its sources:
//!
//! - Modules are listed in `lib.rs`, and the folders of `sweep/` in `sweep/mod.rs`. Each uses only those above it.
//! - No benchmark uses another benchmark.
//! - No two files use each other, directly or through others. A `mod.rs` that only re-exports names does not count.
//! - The folders of the engine do not name a benchmark, not even in a comment.
//!
//! Code under `#[cfg(test)]` is exempt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

/// The sources by module, such as `["sweep", "keep", "store"]`; the root is the empty path.
type Sources = BTreeMap<Vec<String>, Source>;

/// What the architecture is about, of the same modules.
type Modules = BTreeMap<Vec<String>, Module>;

#[derive(Clone)]
struct Source {
    /// From `src/` on.
    file: String,
    text: String,
}

/// The folders and files that must run any benchmark.
const ENGINE: [&str; 9] = [
    "dataset",
    "image",
    "training",
    "metrics",
    "attribution",
    "statistics",
    "sweep",
    "report",
    "cli",
];

/// Words that belong to one benchmark or to the network of its paper.
const OF_A_BENCHMARK: [&str; 9] = [
    "lesion",
    "lesions",
    "vgg",
    "defect",
    "defects",
    "mri",
    "colin27",
    "tetromino",
    "tetrominoes",
];

#[test]
fn modules_use_only_what_stands_above_them() {
    let sources = sources();
    let problems = complaints(&sources, &read(&sources));
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// The checks see what they are there for.
#[test]
fn a_wrong_import_is_seen() {
    let all = sources();
    let all_read = read(&all);
    let with = |module: &str, line: &str| {
        let (mut sources, mut read) = (all.clone(), all_read.clone());
        let path: Vec<String> = module.split("::").map(str::to_owned).collect();
        let source = sources.get_mut(&path).expect("a module of the crate");
        source.text = format!("{}\n{line}\n", source.text);
        read.insert(path.clone(), Module::read(&path, source));
        complaints(&sources, &read).join("\n")
    };
    let below = with("network::layers", "use crate::sweep::keep::Store;");
    assert!(
        below.contains("network/layers.rs uses sweep/keep/store.rs"),
        "{below}"
    );
    let folder = with("sweep::plan::select", "use crate::sweep::execute::Outcome;");
    assert!(
        folder.contains("sweep/plan/select.rs uses sweep/execute/phases.rs"),
        "{folder}"
    );
    let circle = with(
        "metrics::combine",
        "fn f() { crate::metrics::named(\"a\"); }\nuse super::names::NAMES;",
    );
    let back = with("network::conv", "use super::layers::Layer;");
    assert!(
        circle.is_empty(),
        "no circle: nothing there uses combine\n{circle}"
    );
    assert!(
        back.contains("circle") && back.contains("network/conv.rs"),
        "{back}"
    );
    let named = with("training::fit", "// as the lesions do it");
    assert!(
        named.contains("training/fit.rs names a benchmark: lesions"),
        "{named}"
    );
    let hidden = with(
        "sweep::keep::claims::claim",
        "fn f() { println!(\"{}\", crate::report::snapshot::snapshot()); }",
    );
    assert!(
        hidden.contains("sweep/keep/claims/claim.rs uses report/"),
        "{hidden}"
    );
    let free = with(
        "network::conv",
        "#[cfg(test)] mod more { use crate::sweep::keep::Store; }",
    );
    assert!(free.is_empty(), "{free}");
}

fn sources() -> Sources {
    fn walk(folder: &Path, root: &Path, sources: &mut Sources) {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, root, sources);
                continue;
            }
            let file = path
                .strip_prefix(root)
                .expect("below the root")
                .to_string_lossy()
                .into_owned();
            let Some(stem) = file.strip_suffix(".rs") else {
                continue;
            };
            let mut module: Vec<String> = stem.split('/').map(str::to_owned).collect();
            if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
                module.pop();
            }
            let text = fs::read_to_string(&path).expect("a source");
            sources.insert(module, Source { file, text });
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xai-core/src");
    let mut sources = Sources::new();
    walk(&root, &root, &mut sources);
    sources
}

/// The sources as [`Module`]s.
fn read(sources: &Sources) -> Modules {
    let read =
        |(module, source): (&Vec<String>, &Source)| (module.clone(), Module::read(module, source));
    sources.iter().map(read).collect()
}

/// What is wrong, one line each.
fn complaints(sources: &Sources, read: &Modules) -> Vec<String> {
    let orders = [Vec::new(), vec!["sweep".to_owned()]].map(|folder| {
        let declared = read[&folder].declared.clone();
        (folder, declared)
    });
    let mut problems = Vec::new();
    let mut edges: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (module, of) in read {
        if module.is_empty() {
            continue; // the root shows everything
        }
        for used in &of.uses {
            let target = resolve(used, read);
            if target == *module || target.is_empty() {
                continue;
            }
            let sentence = || format!("{} uses {}", sources[module].file, sources[&target].file);
            for (folder, order) in &orders {
                if let (Some(own), Some(other)) =
                    (place(module, folder, order), place(&target, folder, order))
                    && other > own
                {
                    problems.push(format!("{}, which stands below it", sentence()));
                }
            }
            let of_benchmark = |module: &[String]| match module {
                [first, name, ..] if first == "benchmarks" => Some(name.clone()),
                _ => None,
            };
            if let (Some(own), Some(other)) = (of_benchmark(module), of_benchmark(&target))
                && own != other
            {
                problems.push(format!("{}, another benchmark", sentence()));
            }
            edges.entry(module).or_default().insert(target);
        }
        let engine = ENGINE.contains(&module[0].as_str());
        for name in named(&sources[module].text).into_iter().filter(|_| engine) {
            problems.push(format!(
                "{} names a benchmark: {name}",
                sources[module].file
            ));
        }
    }
    for circle in circles(&edges) {
        let files: Vec<_> = circle
            .iter()
            .map(|module| sources[module].file.as_str())
            .collect();
        problems.push(format!("a circle of files: {}", files.join(", ")));
    }
    problems.sort();
    problems.dedup();
    problems
}

/// Where a module stands in the order of a folder.
fn place(module: &[String], folder: &[String], order: &[String]) -> Option<usize> {
    let rest = module.strip_prefix(folder)?;
    let first = rest.first()?;
    order.iter().position(|known| known == first)
}

/// The words of a benchmark that occur in a text.
fn named(text: &str) -> BTreeSet<&'static str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let parts = words
        .flat_map(|word| word.split('_'))
        .map(str::to_ascii_lowercase);
    let known = |word: String| OF_A_BENCHMARK.into_iter().find(|of| *of == word);
    parts.filter_map(known).collect()
}

/// A source as far as the architecture is concerned.
#[derive(Clone, Default)]
struct Module {
    /// Its submodules in order.
    declared: Vec<String>,
    /// Absolute paths of what it uses.
    uses: Vec<Vec<String>>,
    /// Names that it passes on: the absolute path of each.
    passed_on: BTreeMap<String, Vec<String>>,
}

impl Module {
    fn read(module: &[String], source: &Source) -> Self {
        let file = syn::parse_file(&source.text)
            .unwrap_or_else(|error| panic!("{}: {error}", source.file));
        let front_door = source.file.ends_with("mod.rs") || source.file == "lib.rs";
        let mut reader = Reader {
            at: module.to_vec(),
            front_door,
            inline: 0,
            found: Self::default(),
        };
        reader.visit_file(&file);
        reader.found
    }
}

struct Reader {
    /// The module that is being read; inline modules are levels of their own.
    at: Vec<String>,
    front_door: bool,
    /// How deep in inline modules.
    inline: usize,
    found: Module,
}

impl Reader {
    /// The absolute path that a path stands for; `None` if it is of another crate or of this very scope.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let mut base = self.at.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|first| first == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            name if self.found.declared.iter().any(|declared| declared == name) => {}
            _ => return None,
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    fn leaves(tree: &UseTree, within: &[String], leaves: &mut Vec<(Vec<String>, String)>) {
        let extended = |name: &syn::Ident| [within, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => Self::leaves(&path.tree, &extended(&path.ident), leaves),
            UseTree::Name(name) if name.ident == "self" => {
                leaves.push((within.to_vec(), within.last().cloned().unwrap_or_default()));
            }
            UseTree::Name(name) => leaves.push((extended(&name.ident), name.ident.to_string())),
            UseTree::Rename(rename) => {
                leaves.push((extended(&rename.ident), rename.rename.to_string()))
            }
            UseTree::Glob(_) => leaves.push((within.to_vec(), "*".to_owned())),
            UseTree::Group(group) => {
                for tree in &group.items {
                    Self::leaves(tree, within, leaves);
                }
            }
        }
    }

    /// The paths in the tokens of a macro's body.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.end(&mut path);
                    self.tokens(group.stream());
                }
                _ => self.end(&mut path),
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.found.uses.extend(self.absolute(&path));
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    let test = |attribute: &Attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| {
                let tokens = list.tokens.to_string();
                tokens == "test" || tokens == "doctest"
            })
    };
    attributes.iter().any(test)
}

impl<'a> Visit<'a> for Reader {
    fn visit_file(&mut self, file: &'a syn::File) {
        for item in &file.items {
            if let Item::Mod(module) = item
                && !is_test(&module.attrs)
            {
                self.found.declared.push(module.ident.to_string());
            }
        }
        visit::visit_file(self, file);
    }

    fn visit_item(&mut self, item: &'a Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        if module.content.is_some() {
            self.at.push(module.ident.to_string());
            self.inline += 1;
            visit::visit_item_mod(self, module);
            self.inline -= 1;
            self.at.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        let mut leaves = Vec::new();
        Self::leaves(&item.tree, &[], &mut leaves);
        let passes_on = !matches!(item.vis, Visibility::Inherited);
        for (path, name) in leaves {
            let Some(path) = self.absolute(&path) else {
                continue;
            };
            // What an inline module passes on, such as a prelude, is not found under the file's own name.
            if passes_on && self.inline == 0 {
                self.found.passed_on.insert(name, path.clone());
            }
            if !(passes_on && self.front_door) {
                self.found.uses.push(path);
            }
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Vec<String> = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        if names.len() > 1 {
            self.found.uses.extend(self.absolute(&names));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

/// The module whose file defines what a path names, names that were passed on followed to where they come from.
fn resolve(path: &[String], read: &Modules) -> Vec<String> {
    let mut path = path.to_vec();
    for _ in 0..20 {
        let Some(length) = (0..=path.len())
            .rev()
            .find(|&length| read.contains_key(&path[..length].to_vec()))
        else {
            return Vec::new();
        };
        let module = path[..length].to_vec();
        let passed_on = path
            .get(length)
            .and_then(|name| read[&module].passed_on.get(name));
        match passed_on {
            Some(origin) => path = [origin.as_slice(), &path[length + 1..]].concat(),
            None => return module,
        }
    }
    panic!("{path:?} is passed on for ever")
}

/// Groups of modules that use each other, directly or over others (Tarjan's strongly connected components).
fn circles(edges: &BTreeMap<&Vec<String>, BTreeSet<Vec<String>>>) -> Vec<Vec<Vec<String>>> {
    let reach = |from: &Vec<String>| {
        let mut seen: BTreeSet<Vec<String>> = BTreeSet::new();
        let mut waiting = vec![from.clone()];
        while let Some(module) = waiting.pop() {
            for next in edges.get(&module).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    waiting.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> = edges
        .keys()
        .map(|&module| (module, reach(module)))
        .collect();
    let mut circles: Vec<Vec<Vec<String>>> = Vec::new();
    for (&module, far) in &reached {
        if !far.contains(module) || circles.iter().flatten().any(|known| known == module) {
            continue;
        }
        let back =
            |other: &&Vec<String>| reached.get(*other).is_some_and(|far| far.contains(module));
        circles.push(far.iter().filter(back).cloned().collect());
    }
    circles
}
