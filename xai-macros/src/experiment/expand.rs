//! From a checked design to code: the struct and one impl.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::check::SCALE;
use super::parse::{Design, Function, Parameter, Values};
use crate::names::snake_case;

pub fn expand(design: &Design) -> TokenStream {
    let item = &design.item;
    let name = &item.ident;
    let text = snake_case(&name.to_string());
    let description = &design.description;
    let parameters = design.parameters.iter().map(|parameter| {
        let role = Ident::new(parameter.role.name(), Span::mixed_site());
        let field = parameter.name.to_string();
        let (depends_on, domain) = domain(design, parameter);
        quote!(.#role(#field, &[#(#depends_on),*], #domain))
    });
    let skips = design.skips.iter().map(|skip| {
        let reason = &skip.reason;
        let (depends_on, lets) = dependencies(design, &skip.when);
        let (at, body) = (at(), &skip.when.body);
        quote!(.skip(#reason, &[#(#depends_on),*], |#at| { #(#lets)* #body }))
    });
    let zips = design.zips.iter().map(|zip| {
        let names = zip.iter().map(Ident::to_string);
        quote!(.zip(&[#(#names),*]))
    });
    let select = design.select.as_ref().map(|select| {
        let (method, by) = (format_ident!("select_{}", select.direction), &select.by);
        quote!(.#method(#by))
    });
    let fields = design.parameters.iter().map(|parameter| {
        let (field, text) = (&parameter.name, parameter.name.to_string());
        let value = quote_spanned!(parameter.ty.span()=> point.get(#text));
        quote!(#field: #value)
    });
    quote! {
        #item

        #[automatically_derived]
        impl ::xai_core::__private::Experiment for #name {
            fn spec() -> ::xai_core::__private::Spec {
                ::xai_core::__private::Spec::new(#text, #description)
                    #(#parameters)*
                    #(#skips)*
                    #(#zips)*
                    #select
            }
            fn at(point: &::xai_core::__private::Point) -> Self {
                Self { #(#fields),* }
            }
        }
    }
}

/// The struct and an impl that is never run, so that only the mistakes are reported and not what follows from them.
pub fn after_mistakes(design: &Design, errors: &TokenStream) -> TokenStream {
    let item = &design.item;
    let name = &item.ident;
    let (generics, types, bounds) = item.generics.split_for_impl();
    quote! {
        #item
        #errors
        impl #generics ::xai_core::__private::Experiment for #name #types #bounds {
            fn spec() -> ::xai_core::__private::Spec {
                ::core::unreachable!()
            }
            fn at(_: &::xai_core::__private::Point) -> Self {
                ::core::unreachable!()
            }
        }
    }
}

/// The point of the design, under a name that the user's code cannot see.
fn at() -> Ident {
    Ident::new("at", Span::mixed_site())
}

/// What a parameter depends on, and the closure that gives its domain. Spans are the user's, so that a
/// type that does not fit is reported where it is written.
fn domain(design: &Design, parameter: &Parameter) -> (Vec<String>, TokenStream) {
    let (at, ty) = (at(), &parameter.ty);
    match &parameter.values {
        Values::AllLevels => {
            let levels = quote_spanned!(ty.span()=> ::xai_core::__private::levels::<#ty>());
            (Vec::new(), quote!(|_| #levels))
        }
        Values::Expression(values) => {
            let domain =
                quote_spanned!(values.span()=> ::xai_core::__private::domain::<#ty>(#values));
            (Vec::new(), quote!(|_| #domain))
        }
        Values::Function(function) => {
            let (depends_on, lets) = dependencies(design, function);
            let values = &function.body;
            let domain =
                quote_spanned!(values.span()=> ::xai_core::__private::domain::<#ty>(#values));
            (depends_on, quote!(|#at| { #(#lets)* #domain }))
        }
    }
}

/// The names of what a closure depends on, and the lines that bind them.
fn dependencies(design: &Design, function: &Function) -> (Vec<String>, Vec<TokenStream>) {
    let at = at();
    let bind = |name: &Ident| {
        let text = name.to_string();
        if name == SCALE {
            return quote!(let #name = #at.scale(););
        }
        let ty = design
            .parameters
            .iter()
            .find(|parameter| parameter.name == *name)
            .map(|parameter| &parameter.ty);
        quote!(let #name: #ty = #at.get(#text);)
    };
    let names = function.dependencies.iter().map(Ident::to_string).collect();
    (names, function.dependencies.iter().map(bind).collect())
}
