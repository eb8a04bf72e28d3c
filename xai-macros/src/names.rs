//! Names: conversion to snake case, and suggestions for mistyped names.

use proc_macro2::TokenStream;
use quote::quote;

/// `Fig4Best` -> `fig4_best`, `MRIScan` -> `mri_scan`.
pub fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let after_word =
            index > 0 && !letters[index - 1].is_uppercase() && letters[index - 1] != '_';
        let ends_acronym = index > 0
            && letters
                .get(index + 1)
                .is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (after_word || ends_acronym) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// The known name that is closest to a mistyped one, if any is close.
pub fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let closeness = |candidate: &&str| (strsim::jaro_winkler(name, candidate) * 1000.0) as u32;
    let nearest = known.into_iter().max_by_key(closeness)?;
    (closeness(&nearest) > 750).then_some(nearest)
}

/// `; did you mean `depth`?` if a known name is close. Otherwise a list of the known names.
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = near(name, known.iter().copied()) {
        return format!("; did you mean `{near}`?");
    }
    if known.is_empty() {
        return String::new();
    }
    let all: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    format!("; the names are {}", all.join(", "))
}

/// The hidden module used by expansions, in xai-core or in the crate named by `crate = path`.
pub fn private(core: Option<&syn::Path>) -> TokenStream {
    match core {
        Some(path) => quote!(#path::__private),
        None => quote!(::xai_core::__private),
    }
}
