//! `#[derive(Level)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Fields, Ident, ItemEnum, LitStr};

use crate::errors::Errors;
use crate::names::snake_case;

pub fn level(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let item: ItemEnum = match syn::parse2(item) {
        Ok(item) => item,
        Err(error) => {
            return syn::Error::new(
                error.span(),
                "Level is for enums; its variants are the levels",
            )
            .into_compile_error();
        }
    };
    let levels = parse(&item, &mut errors);
    check(&item, &levels, &mut errors);
    // After a mistake the impl is there all the same, so that it is not reported twice.
    let expansion = expand(&item.ident, &levels);
    let errors = errors.into_tokens();
    quote!(#expansion #errors)
}

/// The variants and their names.
fn parse<'a>(item: &'a ItemEnum, errors: &mut Errors) -> Vec<(&'a Ident, String)> {
    let mut levels = Vec::new();
    for variant in &item.variants {
        let mut name = snake_case(&variant.ident.to_string());
        for attribute in variant
            .attrs
            .iter()
            .filter(|attribute| attribute.path().is_ident("level"))
        {
            match attribute.parse_args::<LitStr>() {
                Ok(text) => name = text.value(),
                Err(_) => errors.at(attribute, "write the level's name as #[level(\"name\")]"),
            }
        }
        match variant.fields {
            Fields::Unit => levels.push((&variant.ident, name)),
            _ => errors.at(
                &variant.fields,
                "a level holds no data; make it a plain variant",
            ),
        }
    }
    levels
}

fn check(item: &ItemEnum, levels: &[(&Ident, String)], errors: &mut Errors) {
    if item.variants.is_empty() {
        errors.at(
            &item.ident,
            "an enum without variants has no levels; add at least one",
        );
    }
    if !item.generics.params.is_empty() {
        errors.at(
            &item.generics,
            "an enum of levels has no generic parameters",
        );
    }
    for (index, (variant, name)) in levels.iter().enumerate() {
        if levels[..index].iter().any(|(_, earlier)| earlier == name) {
            errors.at(
                variant,
                format!("two levels are called `{name}`; rename one with #[level(\"..\")]"),
            );
        }
    }
}

fn expand(item: &Ident, levels: &[(&Ident, String)]) -> TokenStream {
    let variants: Vec<_> = levels.iter().map(|(variant, _)| variant).collect();
    let names: Vec<_> = levels.iter().map(|(_, name)| name).collect();
    quote! {
        #[automatically_derived]
        impl ::xai_core::__private::Level for #item {
            const LEVELS: &'static [Self] = &[#(Self::#variants),*];
            fn name(&self) -> &'static str {
                #[allow(unreachable_patterns)] // of two levels with the same name, an error says more
                match self {
                    #(Self::#variants => #names,)*
                    _ => "",
                }
            }
        }
    }
}
