//! Parses a struct into parameters. Checks only what can be seen in one place.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Fields, Ident, ItemStruct, Meta, Pat, Token, Type};

use super::options::Options;
use crate::errors::Errors;
use crate::names::near;

/// The content of an `#[experiment]`.
pub struct Design {
    /// The struct without the macro's attributes.
    pub item: ItemStruct,
    pub parameters: Vec<Parameter>,
    pub options: Options,
}

pub struct Parameter {
    pub name: Ident,
    pub ty: Type,
    pub role: Role,
    /// The position of the role.
    pub role_span: Span,
    /// Its values. `None` stands for all levels of the type.
    pub values: Option<Function>,
}

impl Parameter {
    /// The name as text, `type` for `r#type`.
    pub fn text(&self) -> String {
        self.name.unraw().to_string()
    }
}

/// In the order of dependency: each may depend on those before it.
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

/// An expression, or a closure whose parameters name its dependencies.
pub struct Function {
    pub dependencies: Vec<Ident>,
    pub body: Expr,
}

impl Function {
    pub fn of(closure: syn::ExprClosure, errors: &mut Errors) -> Self {
        let mut dependencies: Vec<Ident> = Vec::new();
        for input in closure.inputs {
            match input {
                Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => {
                    if dependencies.contains(&pattern.ident) {
                        errors.at(
                            &pattern.ident,
                            format!("`{}` is named twice; name it once", pattern.ident),
                        );
                    }
                    dependencies.push(pattern.ident);
                }
                other => errors.at(
                    other,
                    "write the name of a parameter here, without a type: the values depend on the parameter with this name",
                ),
            }
        }
        Self {
            dependencies,
            body: *closure.body,
        }
    }
}

/// Removes the roles from the fields.
pub fn parse(mut item: ItemStruct, errors: &mut Errors) -> (ItemStruct, Vec<Parameter>) {
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
            // Otherwise the compiler would report their attributes as unknown.
            for field in &mut fields.unnamed {
                field
                    .attrs
                    .retain(|attribute| Role::of(attribute).is_none());
            }
            Vec::new()
        }
    };
    (item, parameters)
}

fn parameter(field: &mut syn::Field, errors: &mut Errors) -> Parameter {
    let name = field
        .ident
        .clone()
        .expect("the field of a struct with named fields");
    let mut parameter = Parameter {
        role: Role::Axis,
        role_span: name.span(),
        values: None,
        ty: field.ty.clone(),
        name,
    };
    let (roles, others): (Vec<_>, Vec<_>) = field
        .attrs
        .drain(..)
        .partition(|attribute| Role::of(attribute).is_some());
    field.attrs = others;
    let name = &parameter.name;
    for second in roles.iter().skip(1) {
        errors.at(
            second,
            format!("`{name}` has two roles; keep one of #[axis], #[tune] and #[seed]"),
        );
    }
    let Some(attribute) = roles.first() else {
        no_role(name, &mut field.attrs, errors);
        return parameter;
    };
    parameter.role = Role::of(attribute).expect("partitioned by this");
    parameter.role_span = attribute
        .path()
        .get_ident()
        .expect("partitioned by this")
        .span();
    parameter.values = values(attribute, parameter.role, errors);
    parameter
}

/// Reports a mistyped role if there is one, and removes it, because the compiler does not know it
/// either.
fn no_role(name: &Ident, attributes: &mut Vec<Attribute>, errors: &mut Errors) {
    let others = ["doc", "cfg", "cfg_attr", "allow", "expect", "serde"];
    let mistyped = attributes.iter().position(|attribute| {
        attribute.path().get_ident().is_some_and(|ident| {
            !others.iter().any(|other| ident == other)
                && near(&ident.to_string(), Role::NAMES).is_some()
        })
    });
    let Some(mistyped) = mistyped else {
        return errors.at(
            name,
            format!("`{name}` has no role; put #[axis], #[tune] or #[seed] on it"),
        );
    };
    let mistyped = attributes.remove(mistyped);
    let ident = mistyped.path().get_ident().expect("found by this");
    let role = near(&ident.to_string(), Role::NAMES).expect("found by this");
    errors.at(
        ident,
        format!("there is no role `{ident}`; did you mean #[{role}]?"),
    );
}

fn values(attribute: &Attribute, role: Role, errors: &mut Errors) -> Option<Function> {
    let name = role.name();
    let list = match &attribute.meta {
        Meta::Path(_) if role == Role::Seed => {
            errors.at(attribute, "say how many seeds: #[seed(3)]");
            return None;
        }
        Meta::Path(_) => return None,
        Meta::List(list) if list.tokens.is_empty() => {
            errors.at(
                attribute,
                format!("there are no values in the parentheses; give them, or write #[{name}] for all levels of an enum"),
            );
            return None;
        }
        Meta::List(list) => list,
        Meta::NameValue(_) => {
            errors.at(
                attribute,
                format!("write the values in parentheses: #[{name}(..)]"),
            );
            return None;
        }
    };
    let values = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(list.tokens.clone());
    let values = errors.keep(values)?;
    if values.len() > 1 {
        errors.at(
            &values,
            format!("write several values in brackets: #[{name}([..])]"),
        );
        return None;
    }
    values.into_iter().next().map(|values| match values {
        Expr::Closure(closure) => Function::of(closure, errors),
        body => Function {
            dependencies: Vec::new(),
            body,
        },
    })
}
