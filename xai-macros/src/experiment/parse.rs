//! From tokens to a design, with nothing checked that needs to look at more than one place.

use proc_macro2::{Group, Span, TokenStream};
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Fields, Ident, ItemStruct, LitStr, Meta, Pat, Token, Type};

use crate::errors::Errors;
use crate::names::suggestion;

/// What an `#[experiment]` says.
pub struct Design {
    /// The struct without our attributes.
    pub item: ItemStruct,
    pub description: String,
    pub parameters: Vec<Parameter>,
    pub select: Option<Select>,
    pub skips: Vec<Skip>,
    pub zips: Vec<Vec<Ident>>,
}

pub struct Parameter {
    pub name: Ident,
    pub ty: Type,
    pub role: Role,
    /// Where the role is written.
    pub role_span: Span,
    pub values: Values,
}

/// In the order in which they may depend on each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Role {
    Axis,
    Tune,
    Seed,
}

impl Role {
    pub const NAMES: [&str; 3] = ["axis", "tune", "seed"];

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    fn of(attribute: &Attribute) -> Option<Self> {
        [Self::Axis, Self::Tune, Self::Seed]
            .into_iter()
            .find(|role| attribute.path().is_ident(role.name()))
    }
}

pub enum Values {
    AllLevels,
    Expression(Expr),
    Function(Function),
}

/// A closure whose parameters are named as what it depends on.
pub struct Function {
    pub dependencies: Vec<Ident>,
    pub body: Expr,
}

pub struct Select {
    /// `max` or `min`.
    pub direction: Ident,
    pub by: Expr,
}

pub struct Skip {
    pub reason: LitStr,
    pub when: Function,
}

pub fn design(options: TokenStream, mut item: ItemStruct, errors: &mut Errors) -> Design {
    if !item.generics.params.is_empty() {
        errors.at(&item.generics, "an experiment has no generic parameters");
    }
    let parameters = match &mut item.fields {
        Fields::Named(fields) => fields
            .named
            .iter_mut()
            .map(|field| parameter(field, errors))
            .collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(fields) => {
            errors.at(&*fields, "the parameters of an experiment have names; write `struct Name { #[axis] field: Type }`");
            Vec::new()
        }
    };
    let description = description(&item.attrs);
    let mut design = Design {
        item,
        description,
        parameters,
        select: None,
        skips: Vec::new(),
        zips: Vec::new(),
    };
    if let Some(options) =
        errors.keep(Punctuated::<Opt, Token![,]>::parse_terminated.parse2(options))
    {
        options
            .into_iter()
            .for_each(|option| option.apply(&mut design, errors));
    }
    design
}

/// The text of the doc comments, trimmed line by line.
fn description(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("doc")
            && let Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) = &meta.value
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    lines.join("\n").trim().to_owned()
}

/// Takes the role off a field.
fn parameter(field: &mut syn::Field, errors: &mut Errors) -> Parameter {
    let name = field
        .ident
        .clone()
        .expect("the field of a struct with named fields");
    let (roles, others): (Vec<_>, Vec<_>) = field
        .attrs
        .drain(..)
        .partition(|attribute| Role::of(attribute).is_some());
    field.attrs = others;
    if roles.is_empty() {
        errors.at(
            &name,
            format!("`{name}` has no role; put #[axis], #[tune] or #[seed] on it"),
        );
    }
    for second in roles.iter().skip(1) {
        errors.at(
            second,
            format!("`{name}` has two roles; keep one of #[axis], #[tune] and #[seed]"),
        );
    }
    let mut parameter = Parameter {
        role: Role::Axis,
        role_span: name.span(),
        values: Values::AllLevels,
        ty: field.ty.clone(),
        name,
    };
    if let Some(attribute) = roles.first() {
        parameter.role = Role::of(attribute).expect("partitioned by this");
        parameter.role_span = attribute
            .path()
            .get_ident()
            .expect("partitioned by this")
            .span();
        parameter.values = values(attribute, errors);
    }
    parameter
}

fn values(attribute: &Attribute, errors: &mut Errors) -> Values {
    let expression = match &attribute.meta {
        Meta::Path(_) => return Values::AllLevels,
        Meta::List(_) => errors.keep(attribute.parse_args::<Expr>()),
        Meta::NameValue(_) => {
            let role = attribute.path().get_ident().expect("a role is one name");
            errors.at(
                attribute,
                format!("write the values in parentheses: #[{role}(..)]"),
            );
            None
        }
    };
    match expression {
        Some(Expr::Closure(closure)) => Values::Function(function(closure, errors)),
        Some(expression) => Values::Expression(expression),
        None => Values::AllLevels,
    }
}

fn function(closure: syn::ExprClosure, errors: &mut Errors) -> Function {
    let mut dependencies = Vec::new();
    for input in closure.inputs {
        match input {
            Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => {
                dependencies.push(pattern.ident)
            }
            other => errors.at(
                other,
                "name a parameter here, without a type: its name says what the values depend on",
            ),
        }
    }
    Function {
        dependencies,
        body: *closure.body,
    }
}

/// `name(..)`, not looked into yet, so that a mistake in one option does not hide those in others.
struct Opt {
    name: Ident,
    content: Option<Group>,
}

impl Parse for Opt {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let name = input.parse()?;
        let content = if input.is_empty() || input.peek(Token![,]) {
            None
        } else {
            Some(input.parse()?)
        };
        Ok(Self { name, content })
    }
}

const SELECT: &str = "write select(max = |v| v.accuracy) or select(min = |v| v.loss)";
const SKIP: &str = "write skip(\"why\", |a, b| condition)";
const ZIP: &str = "write zip(a, b) with the names of parameters";

impl Opt {
    fn apply(self, design: &mut Design, errors: &mut Errors) {
        let name = self.name.to_string();
        let usage = match name.as_str() {
            "select" => SELECT,
            "skip" => SKIP,
            "zip" => ZIP,
            _ => {
                let near = suggestion(&name, ["select", "skip", "zip"]);
                return errors.at(
                    &self.name,
                    format!("#[experiment] has no option `{name}`{near}"),
                );
            }
        };
        let Some(content) = self.content.filter(|content| !content.stream().is_empty()) else {
            return errors.at(&self.name, format!("`{name}` needs arguments: {usage}"));
        };
        let content = content.stream();
        match name.as_str() {
            "select" => {
                let select = errors.keep(select.parse2(content));
                if design.select.is_some() {
                    errors.at(&self.name, "`select` is there twice; keep one");
                }
                design.select = select.or(design.select.take());
            }
            "skip" => {
                let Some((reason, closure)) = errors.keep(skip.parse2(content)) else {
                    return;
                };
                let when = function(closure, errors);
                design.skips.push(Skip { reason, when });
            }
            _ => {
                let names =
                    errors.keep(Punctuated::<Ident, Token![,]>::parse_terminated.parse2(content));
                design
                    .zips
                    .extend(names.map(|names| names.into_iter().collect()));
            }
        }
    }
}

fn select(input: ParseStream) -> syn::Result<Select> {
    let direction: Ident = input.parse()?;
    if direction != "max" && direction != "min" {
        return Err(syn::Error::new_spanned(&direction, SELECT));
    }
    input.parse::<Token![=]>()?;
    let by = input.parse()?;
    input.parse::<Option<Token![,]>>()?;
    Ok(Select { direction, by })
}

fn skip(input: ParseStream) -> syn::Result<(LitStr, syn::ExprClosure)> {
    let wrong = |error: syn::Error| syn::Error::new(error.span(), SKIP);
    let reason = input.parse().map_err(wrong)?;
    input.parse::<Token![,]>().map_err(wrong)?;
    let closure = input.parse().map_err(wrong)?;
    input.parse::<Option<Token![,]>>()?;
    Ok((reason, closure))
}
