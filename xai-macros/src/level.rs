//! `#[derive(Level)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Fields, Ident, LitStr, Path, Token};

use crate::errors::Errors;
use crate::names::{private, snake_case};

pub fn level(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let item: DeriveInput = match syn::parse2(item) {
        Ok(item) => item,
        Err(error) => return error.into_compile_error(),
    };
    let core = core(&item.attrs, &mut errors);
    let levels = parse(&item, &mut errors);
    check(&item, &levels, &mut errors);
    // After a mistake, the impl is still generated, so that nothing is reported twice. With
    // generics it would need bounds.
    let expansion = item.generics.params.is_empty();
    let expansion = expansion.then(|| expand(&item, &levels, core.as_ref()));
    let errors = errors.into_tokens();
    quote!(#expansion #errors)
}

fn is_level(attribute: &&Attribute) -> bool {
    attribute.path().is_ident("level")
}

/// The path of `#[level(crate = path)]` on the enum.
fn core(attributes: &[Attribute], errors: &mut Errors) -> Option<Path> {
    let mut core = None;
    for attribute in attributes.iter().filter(is_level) {
        let path = attribute.parse_args_with(|input: syn::parse::ParseStream| {
            input.parse::<Token![crate]>()?;
            input.parse::<Token![=]>()?;
            input.call(Path::parse_mod_style)
        });
        match path {
            Ok(path) => core = Some(path),
            Err(_) => errors.at(
                attribute,
                "a name goes on a variant; an enum accepts only #[level(crate = path::to::xai_core)]",
            ),
        }
    }
    core
}

/// The variants and their names.
fn parse<'a>(item: &'a DeriveInput, errors: &mut Errors) -> Vec<(&'a Ident, String)> {
    let mut levels = Vec::new();
    let Data::Enum(data) = &item.data else {
        errors.at(
            &item.ident,
            "Level is for enums; its variants are the levels",
        );
        return levels;
    };
    if data.variants.is_empty() {
        errors.at(
            &item.ident,
            "an enum without variants has no levels; add at least one",
        );
    }
    for variant in &data.variants {
        let mut name = snake_case(&variant.ident.unraw().to_string());
        for attribute in variant.attrs.iter().filter(is_level) {
            match attribute.parse_args::<LitStr>() {
                Ok(text) => {
                    name = text.value();
                    if name.is_empty() || name.contains([',', '=']) {
                        errors.at(
                            text,
                            "a level's name must not be empty or contain `,` or `=`, which `--where` uses",
                        );
                    }
                }
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

fn check(item: &DeriveInput, levels: &[(&Ident, String)], errors: &mut Errors) {
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

fn expand(item: &DeriveInput, levels: &[(&Ident, String)], core: Option<&Path>) -> TokenStream {
    let variants: Vec<_> = levels.iter().map(|(variant, _)| variant).collect();
    let names: Vec<_> = levels.iter().map(|(_, name)| name).collect();
    let complete = matches!(&item.data, Data::Enum(data) if data.variants.len() == levels.len());
    let name = if complete && !levels.is_empty() {
        quote!(match self { #(Self::#variants => #names),* })
    } else {
        quote!(::core::unreachable!()) // an error is reported
    };
    let (ident, private) = (&item.ident, private(core));
    quote! {
        #[automatically_derived]
        impl #private::Level for #ident {
            const LEVELS: &'static [Self] = &[#(Self::#variants),*];
            fn name(&self) -> &'static str {
                #name
            }
        }
    }
}
