//! `#[experiment]`: parse -> check -> expand.

mod check;
mod expand;
mod options;
mod parse;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

use crate::code;
use crate::errors::Errors;

/// Where an experiment stands.
#[derive(Default)]
pub struct Written<'a> {
    /// The text of its file, if it is known.
    pub source: Option<&'a str>,
    /// The folder of its file, if it is known.
    pub folder: Option<&'a Path>,
    /// Fingerprints of the code outside of the file, by name.
    pub outside: BTreeMap<String, String>,
}

pub fn experiment(options: TokenStream, item: TokenStream, written: &Written) -> TokenStream {
    let mut errors = Errors::default();
    let Ok(structure) = syn::parse2::<syn::ItemStruct>(item.clone()) else {
        const MESSAGE: &str = "#[experiment] goes on a struct whose fields are the parameters";
        let error = match syn::parse2::<syn::DeriveInput>(item.clone()) {
            Ok(other) => syn::Error::new_spanned(other.ident, MESSAGE),
            Err(_) => syn::Error::new_spanned(&item, MESSAGE),
        };
        let error = error.into_compile_error();
        return quote!(#item #error);
    };
    let (item, parameters) = parse::parse(structure, &mut errors);
    let options = options::parse(options, &mut errors);
    let design = parse::Design {
        item,
        parameters,
        options,
    };
    check::check(&design, &mut errors);
    let name = &design.item.ident;
    let place = code::Place::compiled(written.folder);
    let code = written
        .source
        .and_then(|source| code::code(source, &name.unraw().to_string(), place));
    for call in code.iter().flat_map(|code| &code.unseen) {
        errors.at(name, unseen(call));
    }
    match errors.into_tokens() {
        None => expand::expand(&design, code.as_ref(), &written.outside),
        Some(errors) => expand::after_mistakes(&design, &errors),
    }
}

/// A call that results depend on, in a way that nobody can see.
fn unseen(call: &str) -> String {
    let (what, instead) = if call.starts_with("include") {
        (
            "the file of",
            "name it by a text in quotes, or by `concat!` and `env!` of such",
        )
    } else if call.starts_with("cfg") {
        ("what is meant by", "write it without a variable of a macro")
    } else {
        (
            "the variable of",
            "name it by a text in quotes, or by `concat!` of such",
        )
    };
    format!("a change to {what} `{call}` would not be seen; {instead}")
}
