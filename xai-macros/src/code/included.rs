//! The files that code includes: `include!`, `include_str!` and `include_bytes!`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use syn::Lit;

use super::tokens::{digits, hash, without_raw, words};

/// Files may include files; the compiler refuses a circle.
const DEEPEST: usize = 16;

/// What code includes.
#[derive(Default)]
pub struct Includes {
    /// The files, and those that included code includes.
    pub files: Vec<Included>,
    /// The calls whose file is not named by a text.
    pub unseen: BTreeSet<String>,
}

/// The content of a file that code includes.
pub enum Included {
    /// By `include!`: its words.
    Code(Vec<String>),
    /// By `include_str!` or `include_bytes!`, or what is not Rust.
    Bytes(Vec<u8>),
}

impl Included {
    pub fn hash(&self) -> String {
        match self {
            Self::Code(words) => hash(words),
            Self::Bytes(bytes) => digits(&blake3::hash(bytes)),
        }
    }

    /// Its words, if it is code.
    pub fn code(&self) -> Option<&[String]> {
        match self {
            Self::Code(words) => Some(words),
            Self::Bytes(_) => None,
        }
    }
}

/// Where code stands.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The folder of its file, if it is known.
    pub folder: Option<&'a Path>,
    /// The values of the variables of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Place<'a> {
    /// A place in the crate that is compiled.
    pub fn compiled(folder: Option<&'a Path>) -> Self {
        let variable = &|name: &str| std::env::var(name).ok();
        Self { folder, variable }
    }
}

/// What words include, relative to the folder of the code. Without a folder nothing is known. A file that cannot be read is
/// an error of the compiler's.
pub fn includes(words: &[String], place: Place) -> Includes {
    let mut found = Includes::default();
    found.add(words, place, 0);
    found
}

pub fn is_include(name: &str) -> bool {
    ["include", "include_str", "include_bytes"].contains(&name)
}

impl Includes {
    fn add(&mut self, words: &[String], place: Place, depth: usize) {
        let Some(folder) = place.folder else {
            return;
        };
        for at in 0..words.len() {
            let [name, mark, _, inner @ ..] = &words[at..] else {
                break;
            };
            let name = without_raw(name);
            if !is_include(name) || mark != "!" {
                continue;
            }
            match text(inner, place) {
                Some((Some(path), _)) => self.file(name, &folder.join(path), place, depth),
                Some((None, _)) => {} // an error of the compiler's
                None => {
                    self.unseen
                        .insert(format!("{name}!({})", within(inner).concat()));
                }
            }
        }
    }

    fn file(&mut self, name: &str, path: &Path, place: Place, depth: usize) {
        let Ok(bytes) = fs::read(path) else {
            return;
        };
        let code = str::from_utf8(&bytes).ok().filter(|_| name == "include");
        let Some(tokens) = code.and_then(|code| code.parse().ok()) else {
            return self.files.push(Included::Bytes(bytes));
        };
        let words = words(tokens);
        if depth < DEEPEST {
            let folder = path.parent();
            self.add(&words, Place { folder, ..place }, depth + 1);
        }
        self.files.push(Included::Code(words));
    }
}

/// The words before the closing parenthesis of a call.
pub fn within(words: &[String]) -> &[String] {
    let mut open = 1;
    let inside = words.iter().take_while(|word| {
        match word.as_str() {
            "(" | "[" | "{" => open += 1,
            ")" | "]" | "}" => open -= 1,
            _ => {}
        }
        open > 0
    });
    &words[..inside.count()]
}

/// A text that the compiler knows. `None` if it has a variable that the environment lacks.
pub type Text = Option<String>;

/// The text at the beginning of words: a literal, or `concat!` and `env!` of such. Also the words after it.
pub fn text<'a>(words: &'a [String], place: Place) -> Option<(Text, &'a [String])> {
    match words {
        [path, colons, rest @ ..] if ["std", "core"].contains(&path.as_str()) && colons == "::" => {
            text(rest, place)
        }
        [name, mark, _, inner @ ..] if mark == "!" => {
            let (arguments, rest) = arguments(inner, place)?;
            let arguments: Option<Vec<String>> = arguments.into_iter().collect();
            let text = match name.as_str() {
                "concat" => arguments.map(|all| all.concat()),
                "env" => arguments.and_then(|all| (place.variable)(all.first()?)),
                _ => return None,
            };
            Some((text, rest))
        }
        [literal, rest @ ..] => {
            let text = match syn::parse_str(literal).ok()? {
                Lit::Str(text) => text.value(),
                Lit::Char(text) => text.value().to_string(),
                Lit::Bool(truth) => truth.value.to_string(),
                Lit::Int(number) => number.base10_digits().to_owned(),
                _ => return None,
            };
            Some((Some(text), rest))
        }
        [] => None,
    }
}

/// The arguments of a macro whose opening parenthesis stands before these words, and the words after the closing one.
fn arguments<'a>(words: &'a [String], place: Place) -> Option<(Vec<Text>, &'a [String])> {
    let (mut all, mut rest) = (Vec::new(), words);
    loop {
        match rest {
            [end, after @ ..] if [")", "]", "}"].contains(&end.as_str()) => {
                return Some((all, after));
            }
            [comma, more @ ..] if comma == "," => rest = more,
            _ => {
                let (argument, after) = text(rest, place)?;
                all.push(argument);
                rest = after;
            }
        }
    }
}
