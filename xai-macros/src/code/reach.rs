//! From `Run::fit` and `Run::test` to the items of the file that they use.
//!
//! The macro sees names and no types, so an item counts as used where its name is mentioned, also within a string. That
//! may be once too often, and then something is computed again. It is never too seldom within the file.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use syn::ImplItem;

use super::included::{Included, Includes, Place, includes};
use super::items::{Block, File, Import, Named, file, impl_title};
use super::settings::settings;
use super::tokens::{hash, without_raw, words};

/// The code that determines results: the title and hash of each item, in the order of the titles.
#[derive(Debug, Default, PartialEq)]
pub struct Code {
    /// What `fit` uses.
    pub fit: BTreeMap<String, String>,
    /// What `test` and `references` use.
    pub test: BTreeMap<String, String>,
    /// The conditions of the build that decide which of it counts.
    pub fit_conditions: BTreeSet<String>,
    pub test_conditions: BTreeSet<String>,
    /// The calls of `include!`, `env!`, `cfg!` and their like in both that do not say by a text what they mean.
    pub unseen: BTreeSet<String>,
}

/// The methods of `Run` that the key of a model covers, and of those that the key of its scores covers.
const FIT: [&str; 2] = ["fit", "benchmark"];
const TEST: [&str; 2] = ["test", "references"];

/// They have a place of their own in the keys.
const VERSIONS: [&str; 2] = ["FIT_VERSION", "TEST_VERSION"];

/// The code of an experiment in its file. `None` if the file cannot be read as Rust.
///
/// Where the file has no `impl Run for` the experiment, such as where a macro writes it, the whole file counts.
/// The files that it includes count as well.
pub fn code(source: &str, experiment: &str, place: Place) -> Option<Code> {
    let source = syn::parse_file(source).ok()?;
    let file = file(&source, experiment);
    if file.runs.is_empty() {
        let mut whole = Reached::new(experiment, place);
        let mut words = words(source.to_token_stream());
        let files = whole.look(&words);
        words.extend(files.iter().map(Included::hash));
        let mut items = whole.hashes();
        items.insert("the whole file".to_owned(), hash(&words));
        return Some(Code {
            fit: items.clone(),
            test: items,
            fit_conditions: whole.conditions.clone(),
            test_conditions: whole.conditions,
            unseen: whole.unseen,
        });
    }
    let [fit, test] = [FIT, TEST].map(|methods| used(&file, experiment, place, &methods));
    Some(Code {
        fit: fit.hashes(),
        test: test.hashes(),
        fit_conditions: fit.conditions,
        test_conditions: test.conditions,
        unseen: [fit.unseen, test.unseen].into_iter().flatten().collect(),
    })
}

/// What these methods of `Run` use, themselves included.
fn used<'a>(
    file: &'a File,
    experiment: &'a str,
    place: Place<'a>,
    methods: &[&str],
) -> Reached<'a> {
    let mut reached = Reached::new(experiment, place);
    reached.add(experiment, file.fields.clone());
    let items = |run: &'a Block| run.items.iter().map(|item| (&run.around, item));
    let mut waiting = Vec::new();
    for (around, item) in file.runs.iter().flat_map(items) {
        let name = impl_title(item);
        let begins = match item {
            ImplItem::Fn(_) => methods.contains(&name.as_str()),
            ImplItem::Const(_) if VERSIONS.contains(&name.as_str()) => continue,
            // A macro may write any method.
            _ => true,
        };
        let words = [around.clone(), words(item.to_token_stream())].concat();
        if begins {
            reached.add(&name, words);
        } else {
            waiting.push((name, words));
        }
    }
    let mut items: Vec<&Named> = file.items.iter().collect();
    loop {
        let before = items.len() + waiting.len();
        let renamed = reached.follow(&file.imports);
        // A method of `Run` calls another one as its own: `lab.test()` is another `test`.
        waiting.retain(|(name, words)| {
            let uses = reached.own.contains(name);
            if uses {
                reached.add(name, words.clone());
            }
            !uses
        });
        items.retain(|item| {
            let uses = reached.uses(item);
            if uses {
                reached.add(&item.title, item.words.clone());
            }
            !uses
        });
        if !renamed && before == items.len() + waiting.len() {
            break;
        }
    }
    for item in file.items.iter().filter(|item| !item.levels.is_empty()) {
        if reached.items.contains_key(&item.title) {
            reached.add_levels(item);
        }
    }
    for import in &file.imports {
        reached.import(import);
    }
    reached
}

struct Reached<'a> {
    experiment: &'a str,
    place: Place<'a>,
    /// The hashes of each item's words. Items of the same title come together.
    items: BTreeMap<String, BTreeSet<String>>,
    /// The words that may name an item.
    plain: BTreeSet<String>,
    /// The words after a dot, which name methods and fields.
    after_dot: BTreeSet<String>,
    /// The words after `self.`, `Self::` and the experiment's name.
    own: BTreeSet<String>,
    /// Whether the order of an enum's variants may matter: `LEVELS`, and casts to what may be an integer.
    order: bool,
    conditions: BTreeSet<String>,
    unseen: BTreeSet<String>,
}

impl<'a> Reached<'a> {
    fn new(experiment: &'a str, place: Place<'a>) -> Self {
        Self {
            experiment,
            place,
            items: BTreeMap::new(),
            plain: BTreeSet::new(),
            after_dot: BTreeSet::new(),
            own: BTreeSet::new(),
            order: false,
            conditions: BTreeSet::new(),
            unseen: BTreeSet::new(),
        }
    }

    /// The hash of each item, by title.
    fn hashes(&self) -> BTreeMap<String, String> {
        let hash = |(title, parts): (&String, &BTreeSet<String>)| {
            let parts: Vec<_> = parts.iter().cloned().collect();
            (title.clone(), hash(&parts))
        };
        self.items.iter().map(hash).collect()
    }

    fn add(&mut self, title: &str, words: Vec<String>) {
        self.mention(&words);
        for file in self.look(&words) {
            if let Some(words) = file.code() {
                self.mention(words);
            }
            self.parts(title).insert(file.hash());
        }
        self.parts(title).insert(hash(&words));
    }

    /// Remembers what words ask of the build, and gives the files that they include.
    fn look(&mut self, words: &[String]) -> Vec<Included> {
        let Includes { files, unseen } = includes(words, self.place);
        self.unseen.extend(unseen);
        let included = files.iter().filter_map(Included::code);
        for words in [words].into_iter().chain(included) {
            let found = settings(words, self.place);
            for (name, value) in found.variables {
                let value = hash(value.as_slice());
                self.parts(&format!("env!({name:?})")).insert(value);
            }
            self.conditions.extend(found.conditions);
            self.unseen.extend(found.unseen);
        }
        files
    }

    /// Remembers the names among words.
    fn mention(&mut self, words: &[String]) {
        let words: Vec<&str> = words.iter().map(|word| without_raw(word)).collect();
        for (at, &word) in words.iter().enumerate() {
            let before = |steps| at.checked_sub(steps).map_or("", |at: usize| words[at]);
            if before(1) == "." {
                self.after_dot.insert(word.to_owned());
            } else {
                self.plain.insert(word.to_owned());
            }
            self.plain.extend(names_in_string(word));
            let own = match before(1) {
                "." => before(2) == "self",
                "::" => before(2) == "Self" || before(2) == self.experiment,
                _ => false,
            };
            if own {
                self.own.insert(word.to_owned());
            }
            // `as _` and `as Alias` may be casts to integers too.
            let cast = before(1) == "as" && !["f32", "f64"].contains(&word);
            self.order |= word == "LEVELS" || cast;
        }
    }

    fn parts(&mut self, title: &str) -> &mut BTreeSet<String> {
        self.items.entry(title.to_owned()).or_default()
    }

    fn uses(&self, item: &Named) -> bool {
        let named = |name: &String| {
            self.plain.contains(name) || (item.after_dot && self.after_dot.contains(name))
        };
        let of = |of: &String| self.plain.contains(of) || *of == self.experiment;
        // A block for types and traits of other files may be used anywhere.
        let anywhere = item.names.is_empty();
        let own = item.names.iter().any(|name| *name == self.experiment);
        (anywhere || own || item.names.iter().any(named)) && item.of.as_ref().is_none_or(of)
    }

    /// Of an enum of levels, those that are mentioned.
    fn add_levels(&mut self, item: &Named) {
        for (at, (name, words)) in item.levels.iter().enumerate() {
            let part = if self.order {
                format!("{at} {}", hash(words))
            } else {
                hash(words)
            };
            if self.order || self.plain.contains(name) {
                self.look(words);
                self.parts(&item.title).insert(part);
            }
        }
    }

    /// Remembers what the mentioned imports stand for: `use noise::level as strength` names an item `level`, which a
    /// module of this file may declare. Returns whether a name is new.
    fn follow(&mut self, imports: &[Import]) -> bool {
        let mut new = false;
        for import in imports {
            if self.plain.contains(&import.name) {
                let original = import.path.rsplit("::").next().unwrap_or_default();
                new |= self.plain.insert(without_raw(original).to_owned());
            }
        }
        new
    }

    /// An import counts where its name is mentioned. The macro cannot see what `*` stands for, so that always counts.
    fn import(&mut self, import: &Import) {
        if import.name == "*" || self.plain.contains(&import.name) {
            let title = format!("use {}", import.path);
            self.parts(&title).insert(import.name.clone());
            if !import.around.is_empty() {
                self.add(&title, import.around.clone());
            }
        }
    }
}

/// The names within a string: `format!("noise/{SALT}")` and `#[serde(default = "start")]` use items as well.
fn names_in_string(word: &str) -> impl Iterator<Item = String> {
    let text = if word.contains('"') { word } else { "" };
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}
