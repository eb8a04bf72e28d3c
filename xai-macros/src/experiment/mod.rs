//! `#[experiment]`: parse -> check -> expand.

mod check;
mod expand;
mod options;
mod parse;
mod values;

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;

pub fn experiment(options: TokenStream, item: TokenStream) -> TokenStream {
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
    match errors.into_tokens() {
        None => expand::expand(&design),
        Some(errors) => expand::after_mistakes(&design, &errors),
    }
}
