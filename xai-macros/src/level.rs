//! `#[derive(Level)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
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
        let path = attribute.parse_args_with(|input: ParseStream| {
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

/// A variant with its name and its title.
struct Variant<'a> {
    ident: &'a Ident,
    name: String,
    title: Option<String>,
}

impl Variant<'_> {
    /// What figures show.
    fn shown(&self) -> &str {
        self.title.as_ref().unwrap_or(&self.name)
    }
}

/// What `#[level("name", title = "Title")]` gives: one of the two or both.
struct Texts {
    name: Option<LitStr>,
    title: Option<LitStr>,
}

impl Parse for Texts {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let name: Option<LitStr> = input.peek(LitStr).then(|| input.parse()).transpose()?;
        if name.is_some() {
            if input.is_empty() {
                return Ok(Self { name, title: None });
            }
            input.parse::<Token![,]>()?;
        }
        let key: Ident = input.parse()?;
        if key != "title" {
            return Err(syn::Error::new(key.span(), "expected `title`"));
        }
        input.parse::<Token![=]>()?;
        let title = Some(input.parse()?);
        Ok(Self { name, title })
    }
}

/// The variants with their texts.
fn parse<'a>(item: &'a DeriveInput, errors: &mut Errors) -> Vec<Variant<'a>> {
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
        let mut title = None;
        for attribute in variant.attrs.iter().filter(is_level) {
            let Ok(texts) = attribute.parse_args::<Texts>() else {
                errors.at(
                    attribute,
                    "write #[level(\"name\")], #[level(title = \"Title\")] or #[level(\"name\", title = \"Title\")]",
                );
                continue;
            };
            if let Some(text) = texts.name {
                name = text.value();
                if name.is_empty() || name.contains([',', '=']) {
                    errors.at(
                        text,
                        "a level's name must not be empty or contain `,` or `=`, which `--where` uses",
                    );
                }
            }
            if let Some(text) = texts.title {
                if text.value().is_empty() {
                    errors.at(&text, "a level's title must not be empty");
                }
                title = Some(text.value());
            }
        }
        match variant.fields {
            Fields::Unit => levels.push(Variant {
                ident: &variant.ident,
                name,
                title,
            }),
            _ => errors.at(
                &variant.fields,
                "a level holds no data; make it a plain variant",
            ),
        }
    }
    levels
}

fn check(item: &DeriveInput, levels: &[Variant], errors: &mut Errors) {
    if !item.generics.params.is_empty() {
        errors.at(
            &item.generics,
            "an enum of levels has no generic parameters",
        );
    }
    for (index, level) in levels.iter().enumerate() {
        let (earlier, name) = (&levels[..index], &level.name);
        if earlier.iter().any(|earlier| earlier.name == *name) {
            errors.at(
                level.ident,
                format!("two levels are called `{name}`; rename one with #[level(\"..\")]"),
            );
        }
        // Levels of one title could not be told apart in a figure.
        let same = |earlier: &Variant| earlier.name != *name && earlier.shown() == level.shown();
        if earlier.iter().any(same) {
            errors.at(
                level.ident,
                format!(
                    "two levels have the title `{}`; give one another title",
                    level.shown()
                ),
            );
        }
    }
}

fn expand(item: &DeriveInput, levels: &[Variant], core: Option<&Path>) -> TokenStream {
    let variants: Vec<_> = levels.iter().map(|level| level.ident).collect();
    let names: Vec<_> = levels.iter().map(|level| &level.name).collect();
    let complete = matches!(&item.data, Data::Enum(data) if data.variants.len() == levels.len());
    let name = if complete && !levels.is_empty() {
        quote!(match self { #(Self::#variants => #names),* })
    } else {
        quote!(::core::unreachable!()) // an error is reported
    };
    // Without any title, the trait's own method gives the names.
    let title = levels.iter().any(|level| level.title.is_some()) && complete;
    let title = title.then(|| {
        let titles = levels.iter().map(Variant::shown);
        quote! {
            fn title(&self) -> &'static str {
                match self { #(Self::#variants => #titles),* }
            }
        }
    });
    let (ident, private) = (&item.ident, private(core));
    quote! {
        #[automatically_derived]
        impl #private::Level for #ident {
            const LEVELS: &'static [Self] = &[#(Self::#variants),*];
            fn name(&self) -> &'static str {
                #name
            }
            #title
        }
    }
}
