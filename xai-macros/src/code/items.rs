//! The items of a file: what each is called, and which words it consists of.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Fields, ImplItem, Item, ItemEnum, ItemImpl, TraitItem, Type, UseTree};

use super::tokens::{without_raw, words};

/// A file that holds an experiment.
#[derive(Default)]
pub struct File {
    pub items: Vec<Named>,
    pub imports: Vec<Import>,
    /// The `impl Run for` the experiment. There may be several with `#[cfg]`.
    pub runs: Vec<Block>,
    /// The fields of the experiment, without their values.
    pub fields: Vec<String>,
}

/// A block of methods.
pub struct Block {
    /// The attributes of the block and of the modules around it.
    pub around: Vec<String>,
    pub items: Vec<ImplItem>,
}

/// An item that others can name.
pub struct Named {
    /// What `--why` calls it.
    pub title: String,
    /// It is used where one of these words stands.
    pub names: Vec<String>,
    /// Whether a word after a dot can mean it: a method.
    pub after_dot: bool,
    /// The type of a method, if the file declares it. A method is used only where its type is too.
    pub of: Option<String>,
    pub words: Vec<String>,
    /// The variants of an enum of levels, which count one by one.
    pub levels: Vec<(String, Vec<String>)>,
}

/// A name from another file.
pub struct Import {
    /// `*` stands for all names of a module.
    pub name: String,
    pub path: String,
    /// The attributes of the import and of the modules around it.
    pub around: Vec<String>,
}

/// Takes a file apart.
pub fn file(source: &syn::File, experiment: &str) -> File {
    let mut file = File::default();
    let mut types = Vec::new();
    declared(&source.items, &mut types);
    file.add(&source.items, experiment, &types);
    file
}

/// The types and traits that a file declares. Aliases are not among them, because values of their types need not name
/// them: a method of an alias counts where the method's name stands.
fn declared(items: &[Item], types: &mut Vec<String>) {
    for item in items {
        match item {
            Item::Struct(item) => types.push(name(&item.ident)),
            Item::Enum(item) => types.push(name(&item.ident)),
            Item::Union(item) => types.push(name(&item.ident)),
            Item::Trait(item) => types.push(name(&item.ident)),
            Item::Mod(module) => declared(content(module), types),
            _ => {}
        }
    }
}

/// The words of attributes such as `#[cfg(unix)]`.
fn attributes(all: &[Attribute]) -> Vec<String> {
    words(quote::quote!(#(#all)*))
}

fn content(module: &syn::ItemMod) -> &[Item] {
    module.content.as_ref().map_or(&[], |(_, items)| items)
}

impl File {
    fn add(&mut self, items: &[Item], experiment: &str, types: &[String]) {
        for item in items {
            if is_of_test(item) {
                continue;
            }
            let title = match item {
                Item::Mod(module) => {
                    let mut inside = Self::default();
                    inside.add(content(module), experiment, types);
                    self.take(inside, &module.attrs);
                    continue;
                }
                Item::Use(import) => {
                    let mut inside = Self::default();
                    imports("", &import.tree, &mut inside.imports);
                    self.take(inside, &import.attrs);
                    continue;
                }
                Item::Impl(block) => {
                    self.add_impl(block, experiment, types);
                    continue;
                }
                Item::Struct(item) if name(&item.ident) == experiment => {
                    for field in &item.fields {
                        let (name, kind) = (&field.ident, &field.ty);
                        self.fields.extend(words(quote::quote!(#name: #kind,)));
                    }
                    continue;
                }
                Item::Enum(item) => {
                    self.items.push(an_enum(item));
                    continue;
                }
                Item::Fn(item) => name(&item.sig.ident),
                Item::Const(item) => name(&item.ident),
                Item::Static(item) => name(&item.ident),
                Item::Struct(item) => name(&item.ident),
                Item::Union(item) => name(&item.ident),
                Item::Type(item) => name(&item.ident),
                Item::Trait(item) => name(&item.ident),
                Item::Macro(item) => match &item.ident {
                    Some(ident) => name(ident), // macro_rules!
                    None => call(&item.mac),
                },
                _ => continue, // extern crates and blocks: code outside of the file
            };
            let words = words(item.to_token_stream());
            let mut names = vec![title.clone()];
            match item {
                Item::Trait(item) => {
                    let all: Option<Vec<_>> = item.items.iter().map(trait_item).collect();
                    // With a macro among them, all of them are unknown.
                    names = all.map_or_else(Vec::new, |all| [names, all].concat());
                }
                Item::Macro(item) if item.ident.is_none() => {
                    names = declared_in_macro(&item.mac.path, &words);
                }
                _ => {}
            }
            self.items.push(Named {
                title,
                names,
                after_dot: matches!(item, Item::Trait(_)),
                of: None,
                words,
                levels: Vec::new(),
            });
        }
    }

    /// Adds what stands within something with these attributes.
    fn take(&mut self, inside: Self, attrs: &[Attribute]) {
        let mut inside = inside;
        let words = inside.items.iter_mut().map(|item| &mut item.words);
        let of_runs = inside.runs.iter_mut().map(|run| &mut run.around);
        let of_imports = inside.imports.iter_mut().map(|import| &mut import.around);
        for words in words.chain(of_runs).chain(of_imports) {
            words.splice(0..0, attributes(attrs));
        }
        self.items.append(&mut inside.items);
        self.runs.append(&mut inside.runs);
        self.imports.append(&mut inside.imports);
        self.fields.append(&mut inside.fields);
    }

    fn add_impl(&mut self, block: &ItemImpl, experiment: &str, types: &[String]) {
        let own = last_name(&block.self_ty);
        let of_trait = block.trait_.as_ref().map(|(_, path, _)| path);
        let of_run = of_trait.and_then(|path| path.segments.last());
        if of_run.is_some_and(|last| name(&last.ident) == "Run") && own == experiment {
            let block = Block {
                around: attributes(&block.attrs),
                items: block.items.clone(),
            };
            return self.runs.push(block);
        }
        let mut header = block.clone();
        header.items.clear();
        let header = words(header.to_token_stream());
        let Some(path) = of_trait else {
            for item in &block.items {
                let mut all = header.clone();
                all.extend(words(item.to_token_stream()));
                // What a macro makes of its words is unknown, so it counts wherever the type does.
                let names = impl_item(item).into_iter().collect();
                self.items.push(Named {
                    title: format!("{own}::{}", impl_title(item)),
                    names,
                    after_dot: true,
                    of: Some(own.clone()).filter(|own| types.contains(own)),
                    words: all,
                    levels: Vec::new(),
                });
            }
            return;
        };
        // Methods of a trait can be called without being named, such as `Drop::drop`. So the block counts where a
        // type or trait of its header does; all of these that are declared elsewhere cannot decide.
        let names = header.iter().map(|word| without_raw(word).to_owned());
        let names = names.filter(|name| types.contains(name));
        let trait_name = path.segments.last().map(|last| name(&last.ident));
        let trait_name = trait_name.unwrap_or_default();
        let mut block = block.clone();
        if trait_name == "Benchmark" {
            block.items.retain(changes_results);
        }
        self.items.push(Named {
            title: format!("impl {trait_name} for {own}"),
            names: names.collect(),
            after_dot: false,
            of: None,
            words: words(block.to_token_stream()),
            levels: Vec::new(),
        });
    }
}

/// The statics that `thread_local!` and `lazy_static!` declare. What other macros make of their words is unknown, so the
/// call of one has no names and counts everywhere.
fn declared_in_macro(path: &syn::Path, words: &[String]) -> Vec<String> {
    let known = ["thread_local", "lazy_static"];
    let name = path.segments.last().map(|last| name(&last.ident));
    if !name.is_some_and(|name| known.contains(&name.as_str())) {
        return Vec::new();
    }
    let pairs = words.iter().zip(&words[1..]);
    let named = pairs.filter(|(before, _)| ["static", "ref"].contains(&before.as_str()));
    named
        .map(|(_, name)| without_raw(name).to_owned())
        .collect()
}

/// Some functions of a benchmark describe it, decide what is in the plan, or are in the key of the scores.
fn changes_results(item: &ImplItem) -> bool {
    let name = impl_item(item).unwrap_or_default();
    !["about", "absent", "explained", "unused"].contains(&name.as_str())
}

fn is_of_test(item: &Item) -> bool {
    let attributes: &[Attribute] = match item {
        Item::Fn(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        _ => &[],
    };
    attributes.iter().any(|attribute| {
        let text = attribute.meta.to_token_stream().to_string();
        matches!(text.replace(' ', "").as_str(), "test" | "cfg(test)")
    })
}

/// A name without `r#`.
fn name(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// The last name of a type's path: `Network` of `&network::Network`.
fn last_name(of: &Type) -> String {
    match of {
        Type::Path(path) => path.path.segments.last().map(|last| name(&last.ident)),
        Type::Reference(reference) => Some(last_name(&reference.elem)),
        Type::Paren(inner) => Some(last_name(&inner.elem)),
        _ => None,
    }
    .unwrap_or_default()
}

/// How a report calls an item of an `impl`.
pub fn impl_title(item: &ImplItem) -> String {
    match item {
        ImplItem::Macro(item) => call(&item.mac),
        _ => impl_item(item).unwrap_or_else(|| "an item".to_owned()),
    }
}

fn call(of: &syn::Macro) -> String {
    of.path.to_token_stream().to_string() + "!"
}

/// The name of an item of an `impl`. The call of a macro has none, and neither has what syn cannot read.
pub fn impl_item(item: &ImplItem) -> Option<String> {
    match item {
        ImplItem::Fn(item) => Some(name(&item.sig.ident)),
        ImplItem::Const(item) => Some(name(&item.ident)),
        ImplItem::Type(item) => Some(name(&item.ident)),
        _ => None,
    }
}

fn trait_item(item: &TraitItem) -> Option<String> {
    match item {
        TraitItem::Fn(item) => Some(name(&item.sig.ident)),
        TraitItem::Const(item) => Some(name(&item.ident)),
        TraitItem::Type(item) => Some(name(&item.ident)),
        _ => None,
    }
}

/// An enum. One whose variants are only levels is there without them, so that a new level changes nothing for the
/// others.
fn an_enum(item: &ItemEnum) -> Named {
    let variants = item.variants.iter();
    let mut names = vec![name(&item.ident)];
    names.extend(variants.clone().map(|variant| name(&variant.ident)));
    let plain = |variant: &syn::Variant| {
        matches!(variant.fields, Fields::Unit) && variant.discriminant.is_none()
    };
    let mut without = item.clone();
    let mut levels = Vec::new();
    if only_levels(&item.attrs) && item.variants.iter().all(plain) {
        without.variants.clear();
        let level = |variant: &syn::Variant| {
            let words = words(variant.to_token_stream());
            (name(&variant.ident), words)
        };
        levels = variants.map(level).collect();
    }
    Named {
        title: name(&item.ident),
        names,
        after_dot: false,
        of: None,
        words: words(without.to_token_stream()),
        levels,
    }
}

/// Whether an enum derives `Level` and nothing that depends on the order of its variants.
fn only_levels(attributes: &[Attribute]) -> bool {
    let mut derived = Vec::new();
    for attribute in attributes {
        if attribute.path().is_ident("derive") {
            let tokens = match &attribute.meta {
                syn::Meta::List(list) => list.tokens.clone(),
                _ => TokenStream::new(),
            };
            derived.extend(words(tokens).into_iter().filter(|word| word != ","));
        }
    }
    let harmless = ["Level", "Clone", "Copy", "Debug", "PartialEq", "Eq"];
    derived.contains(&"Level".to_owned())
        && (derived.iter()).all(|name| harmless.contains(&name.as_str()))
}

fn imports(before: &str, tree: &UseTree, all: &mut Vec<Import>) {
    let mut add = |name: String, path: String| {
        let module = path.strip_suffix("::self").map(str::to_owned);
        let name = match (&module, name.as_str()) {
            (Some(module), "self") => module.rsplit("::").next().unwrap_or(module).to_owned(),
            _ => name,
        };
        let path = module.unwrap_or(path);
        let around = Vec::new();
        all.push(Import { name, path, around });
    };
    match tree {
        UseTree::Path(path) => {
            imports(&format!("{before}{}::", path.ident), &path.tree, all);
        }
        UseTree::Name(of) => add(name(&of.ident), format!("{before}{}", of.ident)),
        UseTree::Rename(of) => add(name(&of.rename), format!("{before}{}", of.ident)),
        UseTree::Glob(_) => add("*".to_owned(), format!("{before}*")),
        UseTree::Group(group) => {
            for tree in &group.items {
                imports(before, tree, all);
            }
        }
    }
}
