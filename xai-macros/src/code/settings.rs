//! What a build decides: variables of the environment (`env!`) and conditions (`cfg!`, `#[cfg]`).

use std::collections::{BTreeMap, BTreeSet};

use super::included::{Place, is_include, text, within};
use super::tokens::without_raw;

#[derive(Default)]
pub struct Settings {
    /// The variables and their values, if they have one.
    pub variables: BTreeMap<String, Option<String>>,
    /// The conditions, without blanks: `feature="long"`.
    pub conditions: BTreeSet<String>,
    /// The calls that do not say which, because it comes from a macro.
    pub unseen: BTreeSet<String>,
}

/// What words ask of a build.
pub fn settings(words: &[String], place: Place) -> Settings {
    let mut found = Settings::default();
    let mut rest = words;
    while let [first, after @ ..] = rest {
        rest = after;
        match after {
            [open, inner @ ..] if first == "#" && open == "[" => found.attribute(inner),
            [inner, open, attribute @ ..] if first == "#" && inner == "!" && open == "[" => {
                found.attribute(attribute);
            }
            [mark, _, inner @ ..] if mark == "!" => match without_raw(first) {
                "cfg" => found.condition(within(inner)),
                name @ ("env" | "option_env") => found.variable(name, inner, place),
                // The content of the file counts, and not where it is.
                name if is_include(name) => rest = &inner[within(inner).len()..],
                _ => {}
            },
            _ => {}
        }
    }
    found
}

impl Settings {
    fn variable(&mut self, call: &str, words: &[String], place: Place) {
        match text(words, place) {
            Some((Some(name), _)) => {
                let value = (place.variable)(&name);
                self.variables.insert(name, value);
            }
            Some((None, _)) => {} // an error of the compiler's
            None => {
                self.unseen
                    .insert(format!("{call}!({})", within(words).concat()));
            }
        }
    }

    /// The attribute that begins with these words.
    fn attribute(&mut self, words: &[String]) {
        let [name, _, inner @ ..] = words else {
            return;
        };
        match name.as_str() {
            "cfg" => self.condition(within(inner)),
            "cfg_attr" => {
                let mut open = 0;
                let mut parts = within(inner).split(|word| {
                    match word.as_str() {
                        "(" | "[" | "{" => open += 1,
                        ")" | "]" | "}" => open -= 1,
                        _ => {}
                    }
                    open == 0 && word == ","
                });
                self.condition(parts.next().unwrap_or_default());
                for attribute in parts {
                    self.attribute(attribute);
                }
            }
            _ => {}
        }
    }

    fn condition(&mut self, words: &[String]) {
        let text = words.concat();
        if words.iter().any(|word| word == "$") {
            self.unseen.insert(format!("cfg({text})"));
        } else {
            self.conditions.insert(text);
        }
    }
}
